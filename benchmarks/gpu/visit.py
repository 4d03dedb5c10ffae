"""One visit to an accelerator: parts that are measured in turn, each stored as soon as it is done."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from linreg_mirror.runtime.environment import environment

Row = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What all parts are told.

    Attributes
    ----------
    device : torch.device
        Where to measure.
    tiny : bool
        Sizes that show that everything works, and measure nothing.
    data : Path or None
        Where CIFAR-10 is; random images take its place where it is missing.
    """

    device: torch.device
    tiny: bool
    data: Path | None

    def median(self, work: Callable[[], object], repeats: int = 5) -> float:
        """Return the median of seconds of a call, after one that does not count."""
        work()
        times = []
        for _ in range(1 if self.tiny else repeats):
            self.wait()
            started = time.perf_counter()
            work()
            self.wait()
            times.append(time.perf_counter() - started)
        return sorted(times)[len(times) // 2]

    def wait(self) -> None:
        """Return when the device has done all it was given."""
        if self.device.type != "cpu":
            torch.accelerator.synchronize(self.device)


Part = Callable[[Settings, float], Iterator[Row]]  # of the settings, and of the seconds that are left


class Visit:
    """The parts, and what came of them; those that are stored are not measured again.

    Parameters
    ----------
    parts : dict of str
        Name: what yields the rows of its table.
    settings : Settings
        For all of them.
    path : Path
        JSON file of the results.
    budget : float
        Seconds for all parts together.
    command : str
        How this was called.
    """

    def __init__(self, parts: dict[str, Part], settings: Settings, path: Path, budget: float, command: str) -> None:
        self.parts, self.settings, self.path, self.budget = parts, settings, path, budget
        self.console = Console(width=max(Console().width, 100))
        device = settings.device
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
        self.result: Row = {
            "benchmark": "gpu", "command": command, "device": name, "tiny": settings.tiny,
            "environment": environment(), "parts": {},
        }  # fmt: skip
        if path.exists():
            stored = json.loads(path.read_text(encoding="utf-8"))
            if (stored.get("device"), stored.get("tiny")) == (name, settings.tiny):
                self.result["parts"] = {name: part for name, part in stored["parts"].items() if part["complete"]}

    def run(self) -> bool:
        """Measure what is not stored; return whether all of it was right."""
        started = time.perf_counter()
        for name, part in self.parts.items():
            if name in self.result["parts"]:
                self.show(name)
                continue
            left = self.budget - (time.perf_counter() - started)
            if left <= 0:
                self.console.print(f"{name}: no time left; run the same command again to go on with it")
                continue
            self.measure(name, part, left)
            self.show(name)
        return all(row.get("right", True) for part in self.result["parts"].values() for row in part["rows"])

    def measure(self, name: str, part: Part, left: float) -> None:
        found: Row = {"rows": [], "seconds": 0.0, "complete": False}
        self.result["parts"][name] = found
        began = time.perf_counter()
        try:
            for row in part(self.settings, left):
                found["rows"].append(row)
                found["seconds"] = time.perf_counter() - began
                self.write()
            found["complete"] = True
        except Exception as error:  # the others are worth the visit, too
            found["rows"].append({"error": f"{type(error).__name__}: {error}", "right": False})
        self.write()

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.result, indent=1) + "\n", encoding="utf-8")

    def show(self, name: str) -> None:
        part = self.result["parts"][name]
        columns = list(dict.fromkeys(column for row in part["rows"] for column in row if column != "right"))
        title = f"{name}, {part['seconds']:.0f} s"
        shown = Table(*columns, title=title, title_justify="left")
        for row in part["rows"]:
            style = "" if row.get("right", True) else "red"
            shown.add_row(*(_text(row.get(column, "")) for column in columns), style=style)
        self.console.print(shown)


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
