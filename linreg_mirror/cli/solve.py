"""The command `solve`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer

from linreg_mirror._tools.tables import table
from linreg_mirror.cli._shared import AsJson, Refused, Verbose, console, print_json

if TYPE_CHECKING:
    from linreg_mirror.cli._own_data import Given
    from linreg_mirror.parametrizations import Hadamard
    from linreg_mirror.problems import Problem
    from linreg_mirror.solvers import Solution, Status

_MOST = 12  # coefficients that are printed, unless all are asked for
_FITS_NOISE = "exact fits fit the noise of y too: to predict, MirrorRegressorCV stops early"


def solve(
    data: Annotated[Path, typer.Argument(help="npz with X and y, X as CSV, or a table: CSV or Parquet, see --target.")],
    targets: Annotated[Path | None, typer.Argument(help="y as CSV, if X is CSV.")] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="The column of y: DATA is a table whose columns have names."),
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A column to leave out; may be repeated.")
    ] = None,
    one_hot: Annotated[bool, typer.Option("--one-hot", help="Make columns of 0 and 1 of columns of words.")] = False,
    standardize: Annotated[
        bool,
        typer.Option(
            "--standardize",
            help="Divide features by their standard deviations: x, its norms and the picture are then of these; "
            "coefficients, printed and saved, are in the units of the data all the same.",
        ),
    ] = False,
    intercept: Annotated[bool, typer.Option("--intercept", help="Fit an intercept too, by centring the data.")] = False,
    scale: Annotated[float | None, typer.Option(help="Scale b of the mirror limit. Default: 1e-6.")] = None,
    log_scale: Annotated[float | None, typer.Option(help="log b, for scales too small for float64.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="File for solutions and certificates, .npz or .json; or .csv, for coefficients.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw coefficients against the scale: .png, .pdf or .svg.")
    ] = None,
    prove: Annotated[
        bool,
        typer.Option("--prove", help="Write proofs, DATA.limit.proof.json and DATA.minimum_l1.proof.json."),
    ] = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Solve Xx = y: mirror limit at a scale, minimum-L1, minimum-L2, each with its certificate and proved digits.

    Of a table, coefficients are printed by name, and HiGHS solves for the minimum L1 norm, too.
    """
    from linreg_mirror.cli import _own_data, _saved
    from linreg_mirror.parametrizations import Hadamard
    from linreg_mirror.proofs._flint import require_flint
    from linreg_mirror.solvers import independent
    from linreg_mirror.solvers.limit import limit, minimum_l1

    for option, path, endings in (("--output", output, _saved.ENDINGS), ("--plot", plot, (".png", ".pdf", ".svg"))):
        if path is not None and path.suffix not in endings:
            raise Refused(f"{option} must end in {', '.join(endings[:-1])} or {endings[-1]}, got {path}")
    if scale is not None and log_scale is not None:
        raise Refused("--scale and --log-scale both set the scale: give one of them")
    if log_scale is None:
        scale = 1e-6 if scale is None else scale
        if not scale > 0:
            raise Refused(f"--scale must be positive, got {scale:g}: for a very small one write --log-scale -1000")
        log_scale = float(np.log(scale))
        name = f"b = {scale:g}"
    else:
        name, scale = f"log b = {log_scale:g}", float(np.exp(log_scale))
    solutions: dict[str, Solution] = {}
    with _own_data.interruptible(solutions, output):
        try:
            if prove:
                require_flint()
            given = _own_data.read(data, targets, target or [], drop or [], one_hot, standardize, intercept)
            problem = given.problem
            network = Hadamard.from_scale(log_b=log_scale, d=problem.d)
            solutions[f"limit, {name}"] = limit(problem, network)
            solutions["minimum L1"] = minimum_l1(problem)
            solutions["minimum L2"] = independent.minimum_l2(problem)
            highs = _by_highs(problem) if given.named and not as_json else None
            if plot is not None:
                _draw(plot, given, network)
                if not as_json:
                    console.print(
                        f"{plot}: weights of the limit by scale", highlight=False, markup=False, soft_wrap=True
                    )
        except (ValueError, TypeError, OSError, ModuleNotFoundError) as error:
            raise Refused(error) from None
    if not as_json:
        _show(data, given, solutions, highs, intercept, verbose)
    if output is not None:
        try:
            _saved.save(output, scale, log_scale, solutions, given)
        except OSError as error:
            raise Refused(f"{output} cannot be written ({error.strerror}): name another --output") from None
    proofs = {}
    if prove:
        by_limit, by_l1, _ = solutions.values()
        for key, solution, of in (("limit", by_limit, network), ("minimum_l1", by_l1, None)):
            proofs[key] = _prove(Path(f"{data.stem}.{key}.proof.json"), problem, solution, of)
            if not as_json:
                console.print(proofs[key].said, highlight=False, markup=False, soft_wrap=True)
    if as_json:
        content = _saved.content(scale, log_scale, solutions, given)
        print_json(content | ({"proofs": {key: proof._asdict() for key, proof in proofs.items()}} if prove else {}))
    right = all(proof.written for proof in proofs.values()) and all(s.certificate.valid for s in solutions.values())
    raise typer.Exit(0 if right else 1)


def _show(
    data: Path,
    given: "Given",
    solutions: dict[str, "Solution"],
    highs: "Solution | None",
    centred: bool,
    verbose: bool,
) -> None:
    """Print what was found: tables, then what is not as it should be."""
    for note in given.notes:
        console.print(f"{data}: {note}", highlight=False, markup=False, soft_wrap=True)
    problem = given.problem
    numbers = ("|x|_1", "|x|_2", "nonzero", "unique", "digits")
    title = f"X: {given.samples} samples x {problem.d} features{', centred' * centred}, rank {problem.rank}"
    title += "; x per standard deviation" * given.standardized
    shown = table("solution", *numbers, "status", numbers=numbers, title=title)
    for name, solution in (solutions | ({"L1 by HiGHS": highs} if highs else {})).items():
        x = solution.x
        nonzero = np.count_nonzero(np.abs(x) > 1e-9 * np.abs(x).max())
        shown.add_row(
            name, f"{np.abs(x).sum():.7g}", f"{np.linalg.norm(x):.7g}", str(nonzero),
            {True: "yes", False: "no", None: "unknown"}[solution.unique], _digits(solution), solution.status.name,
        )  # fmt: skip
    console.print(shown)
    console.print(
        "nonzero: entries above 1e-9 of the largest; digits of x: proved, by a bound of its error in the L1 norm",
        highlight=False,
    )
    if highs:
        ours, theirs = (np.abs(found.x).sum() for found in (solutions["minimum L1"], highs))
        difference = abs(theirs - ours) / ours if ours else abs(theirs)
        console.print(
            f"the least L1 norms of HiGHS and of minimum L1 differ by {difference:.1g} of it", highlight=False
        )
    if given.named:
        _print_coefficients(given, solutions, verbose)
    _print_certificates(solutions, verbose)
    for status in dict.fromkeys(s.status for s in solutions.values() if s.status.name != "converged"):
        console.print(_said(status), highlight=False, soft_wrap=True)
    for note in dict.fromkeys(note for s in solutions.values() for note in s.stats.notes):
        names = ", ".join(name for name, s in solutions.items() if note in s.stats.notes)
        console.print(f"{names}: {note}", highlight=False, markup=False, soft_wrap=True)
    if problem.rank == problem.n:
        console.print(_FITS_NOISE, highlight=False)


def _print_certificates(solutions: dict[str, "Solution"], verbose: bool) -> None:
    """Print the certificates that do not hold, and how many do; if `verbose` all of them, and times."""
    valid = [solution for solution in solutions.values() if solution.certificate.valid]
    if not verbose:
        console.print(f"{len(valid)} of {len(solutions)} certificates valid; --verbose shows them", highlight=False)
    for name, solution in solutions.items():
        if verbose:
            name = f"{name}, in {solution.stats.seconds:.2g} s"
        if verbose or not solution.certificate.valid:
            console.print(f"{name}: {solution.certificate}", highlight=False, soft_wrap=True)


def _said(status: "Status") -> str:
    """Return what a status means, in the words of the command line."""
    return (
        str(status)
        .replace(" (see .stats.notes)", "; the reason is below")
        .replace("see .certificate for the one that fails", "see above which one fails")
        .replace(
            ".digits or, of a flow, .limit_digits for what is proved", "the digits in the table for what is proved"
        )
    )


def _digits(solution: "Solution") -> str:
    """Return how many digits are proved; a dash where there is no bar."""
    if not np.isfinite(solution.error):
        return "-"
    return f"{solution.digits:.1f}" if np.isfinite(solution.digits) else "all"


def _by_highs(problem: "Problem") -> "Solution | None":
    """Return HiGHS' minimum-L1 solution; None where it gives up."""
    from linreg_mirror.solvers.limit import minimum_l1

    try:
        return minimum_l1(problem, method="highs")
    except ArithmeticError:
        return None


def _print_coefficients(given: "Given", solutions: dict[str, "Solution"], every: bool) -> None:
    """Print the coefficients of the solutions in the units of the table, `every` one or the largest ones."""
    found = [given.coefficients(solution.x) for solution in solutions.values()]
    size = np.abs(solutions["minimum L1"].x)
    order = np.argsort(-size, kind="stable")
    if not every:
        order = [i for i in order[:_MOST] if size[i] > 1e-9 * size.max()]
    title = f"coefficients of {given.target}, in the units of the table"
    columns = ("limit", "minimum L1", "minimum L2")
    shown = table("feature", *columns, numbers=columns, title=title, folded=("feature",))
    for i in order:
        shown.add_row(given.features[i], *(f"{coefficients[i]:.6g}" for coefficients, _ in found))
    if given.mean or given.means.any():
        shown.add_row("(intercept)", *(f"{intercept:.6g}" for _, intercept in found))
    console.print(shown, highlight=False, markup=False)
    if len(order) < len(size):
        console.print(f"and {len(size) - len(order)} more: --verbose prints all of them", highlight=False)


def _draw(path: Path, given: "Given", network: "Hadamard") -> None:
    """Draw the limits' weights against the scale."""
    import matplotlib as mpl

    mpl.use("Agg")
    from linreg_mirror.plots import ladder
    from linreg_mirror.plots.style import RC

    ax = ladder(given.problem, network, mark=True, names=given.features, target=given.target)
    ax.set_ylabel("weights per standard deviation of a feature" if given.standardized else "coefficients")
    with mpl.rc_context(RC):
        ax.figure.savefig(path)  # pyright: ignore[reportAttributeAccessIssue]


class _Proof(NamedTuple):
    """A proof in a file, or why there is none."""

    written: bool
    said: str


def _prove(path: Path, problem: "Problem", solution: "Solution", network: "Hadamard | None") -> _Proof:
    """Write a proof; return what it says."""
    from linreg_mirror import proofs

    try:
        proof = proofs.prove(problem, solution, network)
        proof.save(path)
    except (ValueError, TypeError) as error:
        return _Proof(False, f"{path} is not written: {error}")
    except OSError as error:
        raise Refused(f"{error}: change to a folder that can be written") from None
    return _Proof(True, f"{path}: {proof}")
