"""What an accelerator makes of this package: one visit of eight minutes, or fewer, that measures all there is to know.

    python -m benchmarks gpu                    # where an accelerator is
    python -m benchmarks gpu --tiny             # on a CPU: shows that it works, measures nothing

Each part is stored as soon as it is done. The same command goes on where a visit was cut short.
"""

import argparse
import shlex
from pathlib import Path

import torch

from benchmarks.gpu.agreement import agreement
from benchmarks.gpu.many import descents, limits, scores
from benchmarks.gpu.training import epochs, pilot
from benchmarks.gpu.visit import Part, Settings, Visit

PARTS: dict[str, Part] = {
    "agreement": agreement,
    "descents": descents,
    "epochs": epochs,
    "limits": limits,
    "scores": scores,
    "pilot": pilot,
}
_BUDGET = 480.0


def main(arguments: list[str]) -> int:
    """Run the parts that are asked for; return 1 if something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, on a CPU too: measures nothing")
    parser.add_argument("--device", help="default: the accelerator; with --tiny the CPU")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help="default: all")
    parser.add_argument("--budget", type=float, default=_BUDGET, metavar="S", help="seconds; default: %(default)s")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where CIFAR-10 is; default: random images")
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parents[1] / "results", metavar="DIR", help="default: %(default)s"
    )
    options = parser.parse_args(arguments)
    device = _device(parser, options.device, options.tiny)
    command = shlex.join(["python", "-m", "benchmarks", "gpu", *arguments])
    visit = Visit(
        {name: PARTS[name] for name in options.parts},
        Settings(device, options.tiny, options.data_dir),
        options.output / "gpu.json",
        options.budget,
        command,
    )
    right = visit.run()
    print(f"written: {visit.path}")
    return 0 if right else 1


def _device(parser: argparse.ArgumentParser, name: str | None, tiny: bool) -> torch.device:
    if name is not None:
        return torch.device(name)
    if tiny:
        return torch.device("cpu")
    if not torch.accelerator.is_available():
        parser.error("there is no accelerator here: write --tiny to see that everything works on the CPU")
    found = torch.accelerator.current_accelerator()
    assert found is not None
    return found
