"""Proofs of what solvers answer: candidates in floating point, and `verify` as the judge."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from linreg_mirror._tools import matrices
from linreg_mirror._tools.arguments import as_real_array, check_integer
from linreg_mirror._tools.blas import one_thread
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.parametrizations import Parametrization
from linreg_mirror.problems import Problem
from linreg_mirror.proofs import limits, vertex
from linreg_mirror.proofs._flint import require_flint
from linreg_mirror.proofs._proof import Proof
from linreg_mirror.proofs._verify import FORMAT, VERSION, fingerprint, verify
from linreg_mirror.proofs.checks.balls import OtherVerdict, ProofError, Undecided
from linreg_mirror.solvers.results import Solution

_BITS = tuple(128 << k for k in range(6))  # to 4096
_INSTEAD = "Problem(X.toarray(), y) with a dense X"


@one_thread()
@np.errstate(all="ignore")  # candidates that overflow are refused
def prove(
    problem: Problem,
    solution: Solution | Array,
    network: Parametrization | None = None,
    decay: float = 0.0,
    *,
    digits: int = 15,
) -> Proof:
    """Prove an answer for the data as the floats are, by exact and ball arithmetic.

    Parameters
    ----------
    problem : Problem
        X is dense, or sparse and small.
    solution : Solution or array, shape (d,)
        From `minimum_l1`, or from `limit`; or anyone's x of least L1 norm.
    network : Parametrization, optional
        The network that `limit` was asked about; needed if it does not start at x0 = 0. Its mirror must be the
        hyperbolic entropy, as that of Hadamard.
    decay : float
        The accumulated penalty that `limit` was asked about.
    digits : int
        Decimal digits of every entry, and of the norm.

    Returns
    -------
    Proof
        `verify` has accepted it. Where the answer is no vertex that can be found, or Xx = y has no solution, it is a
        proof of what can be said instead; print it to read what that is. `apart` says how far `solution` is from it.

    Raises
    ------
    ProofError
        If nothing was proved.
    ValueError
        If `solution` does not belong to the problem, or not to the network and decay.
    TypeError
        If X is an operator or large and sparse, or the mirror is not the hyperbolic entropy.
    ModuleNotFoundError
        If python-flint is not installed: pip install "linreg-mirror[proof]".

    Notes
    -----
    Targets made from fewer weights than samples are rounded, and the exact minimiser has as many weights as samples,
    most of them some 1e-16 of the others. The proof is of that one. Rows that are dependent but for rounding, such as
    those of centred data, are independent rows to a proof, and their differences count: its x is then far from that of
    a solver that takes them for dependent.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> problem = lm.Problem([[1, 2]], [2])
    >>> proof = lm.prove(problem, lm.minimum_l1(problem), digits=30)
    >>> proof.content["x"], proof.unique
    (['1.0000000000000000000000000000000'], True)
    >>> network = lm.Hadamard.from_scale(log_b=-10_000, d=2)
    >>> print(lm.prove(problem, lm.limit(problem, network)))
    every entry of the limit of the mirror flow is within its error of x: 1.0e-15 at most, the largest entry is 1
    """
    require_flint()
    check_integer("digits", digits, 1, 1000)
    X = matrices.dense(problem.X, "prove", _INSTEAD)
    if isinstance(solution, Solution):
        x, s, log_scale = solution.x, solution.dual, solution.log_scale
    else:
        x, s, log_scale = as_real_array("x", solution), None, None
    if x.shape != (problem.d,) or (s is not None and s.shape != (problem.n,)):
        raise ValueError(
            f"the solution has {x.size} weights, the problem {problem.d} features: give the problem that it solves"
        )
    head = {"format": FORMAT, "version": VERSION, "sha256": fingerprint(problem)}
    if log_scale is None and network is None:
        return _compared(x, _first(problem, X, head, vertex.candidates(problem, X, x, s), digits))
    if s is None:
        raise ValueError("a limit is proved from its dual vector: give the Solution that limit returned, not x alone")
    mirror, decay = _mirror(network, log_scale, problem), 0.0 if network is None else decay
    scale = mirror.log_scale_at(decay)
    _require_same(mirror, decay, X, x, s, log_scale, scale)
    with suppress(ProofError):
        return _first(problem, X, head, vertex.contradictions(problem, X), digits)
    return _compared(x, limits.search(problem, X, s, mirror, decay, head, digits))


def _compared(x: Array, proof: Proof) -> Proof:
    """Return the proof with how far the answer that was given is from what was proved."""
    content = proof.content
    if "x" not in content:
        return proof
    proved = np.zeros(len(x))
    proved[content["basis"] if proof.kind != "limit" else slice(None)] = [float(value) for value in content["x"]]
    size = np.abs(proved).max() or 1.0
    return replace(proof, apart=float(np.abs(proved - x).max() / size))


def _first(problem: Problem, X: Array, head: dict[str, Any], claims: Iterator[dict[str, Any]], digits: int) -> Proof:
    """Return the first claim that holds, raising the precision as long as that is what is missing."""
    flint, reasons = require_flint(), []
    for claim in claims:
        for bits in _BITS:
            try:
                with flint.ctx.workprec(bits):
                    enclosed = vertex.enclose(claim, X, problem.y, digits)
                if enclosed is not None:
                    return _settled(problem, head | enclosed | {"bits": bits})
                reasons.append(f"{bits} bits are too few")
            except (Undecided, ZeroDivisionError) as error:
                reasons.append(str(error))
            except ProofError as error:
                reasons.append(str(error))
                break
    raise ProofError(f"nothing was proved: {'; '.join(dict.fromkeys(reasons)) or 'no basis was found'}")


def _settled(problem: Problem, content: dict[str, Any]) -> Proof:
    """Return the claim as a proof, with what the check finds on uniqueness."""
    try:
        return verify(Proof(content["kind"], content), problem)
    except OtherVerdict as verdict:
        return verify(Proof(content["kind"], content | {"unique": verdict.found}), problem)


def _mirror(network: Parametrization | None, log_scale: Array | None, problem: Problem) -> Hyperbolic:
    """Return the potential that was minimised: the network's, or that of a start at zero with the solution's scale."""
    if network is None:
        assert log_scale is not None
        return Hyperbolic(log_scale, np.zeros(problem.d))
    problem.require_network(network)
    mirror = network.mirror()
    if not isinstance(mirror, Hyperbolic):
        raise TypeError(
            f"limits are proved for the hyperbolic entropy, got {type(mirror).__name__}: give a Hadamard network, or "
            "rely on solution.certificate"
        )
    return mirror


def _require_same(
    mirror: Hyperbolic, decay: float, X: Array, x: Array, s: Array, log_scale: Array | None, scale: Array
) -> None:
    """Raise ValueError unless x = primal(z0 - X's, A), roughly: that the solution is of another network or decay."""
    represented = mirror.primal(mirror.initial_dual - X.T @ s, decay)
    same = log_scale is not None and np.array_equal(log_scale, scale)
    if not (same and np.abs(represented - x).max() <= 1e-3 * np.abs(x).max()):
        raise ValueError(
            "the solution is not the limit of this network and decay: give prove those that limit was asked about, "
            "prove(problem, solution, network, decay)"
        )
