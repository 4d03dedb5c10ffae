"""Command line: which question, how thoroughly, and where the answer goes."""

import argparse
import shlex
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import harness

# By name, with the seconds that one call of a peer may take unless --budget says otherwise.
_BENCHMARKS = {
    "flow": 30.0,
    "minimum_l1": 120.0,
    "batches": 120.0,
    "descent": 30.0,
    "saddles": 60.0,
    "masks": 60.0,
    "mirror_optimizer": 60.0,
    "epoch": 120.0,
    "large": 120.0,
    "proof": 120.0,
    "conditioning": 60.0,
    "prediction": 60.0,
}
_ROUNDS = {"prediction": 20}  # where they are not 5: splits of the data


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["gpu"]:  # a visit to another machine, with options of its own
        return import_module("benchmarks.gpu").main(arguments[1:])
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure this package beside its peers.",
        epilog="gpu, one visit to an accelerator, has options of its own: python -m benchmarks gpu --help",
    )
    parser.add_argument("name", choices=[*_BENCHMARKS, "all"], help="which question")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it works, measures nothing")
    parser.add_argument(
        "--repeats", type=_positive(int), default=None, metavar="N", help="rounds (default 5, prediction 20; quick: 1)"
    )
    parser.add_argument(
        "--budget",
        type=_positive(float),
        metavar="S",
        help="seconds that a call of a peer may take (default: flow, descent 30; the others 60 or 120)",
    )
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parent / "results", metavar="DIR", help="default: %(default)s"
    )
    options = parser.parse_args(arguments)
    command = shlex.join(["python", "-m", "benchmarks", *arguments])
    wrong = []
    for name in _BENCHMARKS if options.name == "all" else [options.name]:
        settings = harness.Settings(
            quick=options.quick,
            repeats=options.repeats or (1 if options.quick else _ROUNDS.get(name, 5)),
            budget=options.budget or _BENCHMARKS[name],
        )
        with harness.one_thread_for_all():
            measure = import_module(f"benchmarks.{name}").measure
            result = harness.finished(name, command, settings, measure)
        harness.show(result)
        print(f"written: {harness.write(result, options.output)}")
        wrong += [row for row in result["rows"] if row["ours"] and row["verdict"] != "ok"]
    for row in wrong:
        print(f"OURS IS NOT RIGHT: {row['competitor']} on {row['case']}: {row['verdict']}", file=sys.stderr)
    return 1 if wrong else 0


def _positive(kind: type) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"must be > 0, got {text}")
        return value

    parse.__name__ = kind.__name__
    return parse


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
