"""How do we compare fairly? Timing, judging, recording and showing, the same for every benchmark.

* Everyone runs in one process with one BLAS thread.
* Everyone takes turns in every round, so that a machine that slows down does so for all.
* A competitor's preparation (compilation) and one round on a tiny problem are not counted.
* All answers of a case are judged by the same code; what a solver says about its own answer is only compared with that.
"""

import json
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from threadpoolctl import threadpool_limits

from linreg_mirror.problems import Problem, from_file
from linreg_mirror.runtime.environment import environment

Array = np.ndarray

_SHORT = 0.1  # seconds that the calls of one competitor fill in a round, at least


class OverBudget(Exception):
    """A solver was stopped because it took too long."""


@dataclass(frozen=True)
class Settings:
    """How thoroughly to measure."""

    quick: bool
    repeats: int
    budget: float


@dataclass(frozen=True)
class Answer:
    """What a solver returned, and whether it says that it succeeded."""

    x: Array
    success: bool
    message: str = ""
    dual: Array | None = None
    counts: Mapping[str, float] = field(default_factory=dict)
    dual_rest: Array | None = None


@dataclass(frozen=True)
class Competitor:
    """A solver of one case: `prepare` is not timed, nor what is entered `around` every call; `solve` is."""

    name: str
    solve: Callable[[], Answer]
    ours: bool = False
    prepare: Callable[[], None] | None = None
    around: Callable[[], AbstractContextManager[Any]] = nullcontext


@dataclass(frozen=True)
class Judgement:
    """Errors of an answer, all relative, and whether they are small enough."""

    errors: dict[str, float]
    right: bool


@contextmanager
def one_thread_for_all() -> Iterator[None]:
    with threadpool_limits(limits=1, user_api="blas"):
        yield


def own_problems() -> Iterator[tuple[str, Problem]]:
    """Yield real problems, raw and standardised, of the npz files with X and y in LINREG_MIRROR_BENCHMARK_DATA.

    Centring makes rows depend on each other: of standardised problems the last sample is left out.
    """
    folder = os.environ.get("LINREG_MIRROR_BENCHMARK_DATA")
    for path in sorted(Path(folder).glob("*.npz")) if folder else ():
        problem = from_file(path)
        yield path.stem, problem
        varies = problem.X.std(axis=0) > 0
        X = problem.X[:, varies]
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        yield f"{path.stem}, standardised", Problem(X[:-1], problem.y[:-1] - problem.y.mean())


def compare(
    case: dict[str, Any],
    competitors: Sequence[Competitor],
    judge: Callable[[Answer], Judgement],
    settings: Settings,
    progress: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Return one row for each competitor; the first one is what the others' ratios refer to."""
    runs: dict[str, list[float]] = {c.name: [] for c in competitors}
    answers: dict[str, Answer | Exception] = {}
    for competitor in competitors:
        if competitor.prepare is not None:
            competitor.prepare()
    for round_number in range(settings.repeats):
        for competitor in competitors:
            spent = runs[competitor.name]
            # Whoever failed or is slow does not run again: one of these times says enough.
            if isinstance(answers.get(competitor.name), Exception) or sum(spent) > settings.budget:
                continue
            progress(f"{_label(case)}: {competitor.name}, round {round_number + 1} of {settings.repeats}")
            with competitor.around():
                answers[competitor.name], seconds = _called(competitor)
            spent.append(seconds)
    reference = runs[competitors[0].name]
    return [_row(case, c, answers[c.name], runs[c.name], reference, judge, settings) for c in competitors]


def _called(competitor: Competitor) -> tuple[Answer | Exception, float]:
    """Return the last answer and the median time: of one call, or of as many short ones as fill a tenth of a second.

    The first of short calls does not count. Right after another program's its code and data are in no cache, and after
    some seconds perhaps not even in memory.
    """
    times: list[float] = []
    while True:
        started = time.perf_counter()
        try:
            answer: Answer | Exception = competitor.solve()
        except Exception as error:  # a peer's failure is a result
            answer = error
        times.append(time.perf_counter() - started)
        long = times[0] > 5 * _SHORT
        if isinstance(answer, Exception) or long or sum(times[1:]) > _SHORT:
            return answer, statistics.median(times[1:] or times)


def _row(
    case: dict[str, Any], competitor: Competitor, answer: Answer | Exception, runs: list[float], reference: list[float],
    judge: Callable[[Answer], Judgement], settings: Settings,
) -> dict[str, Any]:  # fmt: skip
    seconds = statistics.median(runs)
    row: dict[str, Any] = {
        "case": case,
        "competitor": competitor.name,
        "ours": competitor.ours,
        # Rounds are compared one by one: what slowed down a round slowed down both.
        "ratio": statistics.median(a / b for a, b in zip(runs, reference, strict=False)),
        "seconds": seconds,
        "runs": runs,
        "completed": isinstance(answer, Answer),
        "reports_success": isinstance(answer, Answer) and answer.success,
        "errors": {},
        "message": "",
        "counts": {},
    }
    if isinstance(answer, OverBudget):
        return row | {"verdict": f"> {settings.budget:g} s"}
    if isinstance(answer, Exception):
        return row | {"verdict": "raised", "message": f"{type(answer).__name__}: {answer}"}
    judgement = judge(answer)
    if judgement.right:
        verdict = "ok"
    elif answer.success:
        verdict = "misses the tolerance, reports success"
    else:
        verdict = "gave up, says so"
    return row | {
        "errors": judgement.errors, "verdict": verdict, "message": answer.message, "counts": dict(answer.counts)
    }  # fmt: skip


def stopped_after(seconds: float, solve: Callable[[], Answer]) -> Answer:
    """Return what `solve` returns in a process of its own, which is killed when its time is up.

    For solvers whose own limit is only looked at between long phases. Raise OverBudget for one that was killed, and
    RuntimeError with the words of what it raised.
    """
    forked = multiprocessing.get_context("fork")
    here, there = forked.Pipe(duplex=False)

    def work() -> None:
        try:
            there.send(solve())
        except Exception as error:  # itself, it might not survive the journey
            there.send(f"{type(error).__name__}: {error}")

    process = forked.Process(target=work)
    process.start()
    there.close()
    try:
        if not here.poll(seconds):
            raise OverBudget
        answer = here.recv()
    except EOFError:
        raise ChildProcessError("it died without an answer, perhaps for want of memory") from None
    finally:
        here.close()
        process.kill()
        process.join()
    if isinstance(answer, str):
        raise RuntimeError(answer)
    return answer


def fastest(work: Callable[[], object], seconds: float = 0.3) -> float:
    """Return the shortest of many times: the machine at its best. The first call may compile, and does not count."""
    work()
    best, started = float("inf"), time.perf_counter()
    while time.perf_counter() - started < seconds:
        before = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - before)
    return best


def finished(
    name: str, command: str, settings: Settings, measure: Callable[[Settings, Callable[[str], None]], dict[str, Any]]
) -> dict[str, Any]:
    """Run a benchmark and add what is needed to repeat it and to judge how far to trust it."""
    load = _load()
    started = time.perf_counter()
    console = Console(stderr=True)
    with console.status(name) as status:
        say = status.update if console.is_terminal else console.print
        result = measure(settings, lambda text: say(f"{name}: {text}"))
    return {
        "benchmark": name,
        "question": result.pop("question"),
        "command": command,
        "quick": settings.quick,
        "repeats": settings.repeats,
        "budget_seconds": settings.budget,
        "threads": "one BLAS thread for every competitor; solvers with threads of their own are set to one as well",
        "wall_seconds": time.perf_counter() - started,
        "load_average": {"before": load, "after": _load()},
        "environment": environment(),
        **result,
    }


def _load() -> float | None:
    return os.getloadavg()[0] if platform.system() != "Windows" else None


def write(result: dict[str, Any], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['benchmark']}.json"
    path.write_text(json.dumps(result, indent=1, default=_plain) + "\n", encoding="utf-8")
    return path


def _plain(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written to JSON")


def show(result: dict[str, Any]) -> None:
    """Print the ratios, then everything else."""
    console = Console()
    console = Console(width=max(console.width, 120))
    console.print(f"[bold]{result['question']}[/bold]")
    console.print("ratio = time of the competitor / time of ours in the same round; above 1 ours is faster")
    cases: dict[str, list[dict[str, Any]]] = {}
    for row in result["rows"]:
        cases.setdefault(_label(row["case"]), []).append(row)
    peers = list(dict.fromkeys(row["competitor"] for row in result["rows"]))[1:]
    ratios = Table("ratios", *peers)
    for label, rows in cases.items():
        found = {row["competitor"]: row for row in rows}
        ratios.add_row(label, *(_coloured(_ratio(found[p]), found[p]) if p in found else "" for p in peers))
    if len(peers) <= 6:  # more columns than these cannot be read, and each case has a table of its own
        console.print(ratios)
    for label, rows in cases.items():
        names = list(dict.fromkeys(error for row in rows for error in row["errors"]))
        proved = ["digits proved"] if any("digits" in row["counts"] for row in rows) else []
        table = Table("ratio", "competitor", "seconds", *names, *proved, "verdict", title=label, title_justify="left")
        for row in rows:
            errors = [f"{row['errors'][name]:.1e}" if name in row["errors"] else "" for name in names]
            verdict = f"{row['verdict']} {row['message'] if row['verdict'] != 'ok' else ''}".strip()
            errors += [f"{row['counts']['digits']:.1f}" if "digits" in row["counts"] else "" for _ in proved]
            seconds = f"{row['seconds']:.4g}"
            table.add_row(_ratio(row), row["competitor"], seconds, *errors, _coloured(escape(verdict), row))
        console.print(table)
    for title, lines in result.get("tables", {}).items():
        extra = Table(*lines[0], title=title, title_justify="left")
        for line in lines:
            extra.add_row(*(f"{value:.3g}" if isinstance(value, float) else str(value) for value in line.values()))
        console.print(extra)
    for note in result.get("notes", []):
        console.print(f"note: {note}", soft_wrap=True)


def _ratio(row: dict[str, Any]) -> str:
    if row["verdict"] == "raised":
        return "-"
    return f"{'>' if row['verdict'].startswith('>') else ''}{row['ratio']:.3g}"


def _coloured(text: str, row: dict[str, Any]) -> str:
    return text if row["verdict"] == "ok" else f"[red]{text}[/red]"


def _label(case: dict[str, Any]) -> str:
    def shown(value: Any) -> str:
        return f"{value:g}" if isinstance(value, float) else str(value)

    return ", ".join(f"{name}={shown(value)}" for name, value in case.items())
