"""Kills commands at random moments, fills the disk under them, damages their files, and starts two at once.

`python -m tools.torture` prints what was tried and what came out; the exit code is 0 only if every command then gave
the answers of an undisturbed run.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from linreg_mirror.networks.training import checkpoints
from linreg_mirror.runtime.store import Store

CHECKOUT = Path(__file__).resolve().parents[1]
_TIMES = {"seconds", "created", "time", "started", "wall"}  # what differs between equal runs
_RECIPE = """
epochs = 3
data = { name = "digits" }

[compare]
keep = [0.1]
seeds = [0, 1]

[compare.methods.dense]

[compare.methods.L1]
method = { name = "l1", alpha = 1e-4 }
"""


@dataclass(frozen=True)
class Command:
    """A command, and what it leaves in the folder of results that is an answer."""

    name: str
    arguments: tuple[str, ...]
    answers: Callable[[Path], Any]


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_times(part) for name, part in value.items() if name not in _TIMES}
    return [_without_times(part) for part in value] if isinstance(value, list) else value


def _stored(folder: Path) -> list[str]:
    return sorted(json.dumps(_without_times(list(entry)), sort_keys=True) for entry in Store(folder).records())


def of_check(results: Path) -> Any:
    report = json.loads((results / "check" / "selected" / "report.json").read_text(encoding="utf-8"))
    return _without_times(report["theorems"]), report["passed"], _stored(results / "check" / "instances")


def of_figure(results: Path) -> Any:
    folder = results / "figures" / "quick"
    return (
        (folder / "saddles.txt").read_text(),
        (folder / "saddles.png").read_bytes(),
        _stored(folder / "tables" / "saddles"),
    )


def of_run(results: Path) -> Any:
    (folder,) = (results / "runs").iterdir()
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    tensors, state = checkpoints.load(folder / "final.safetensors")
    return (
        [_without_times(json.loads(line)) for line in lines],
        {name: tensor.numpy().tobytes() for name, tensor in tensors.items()},
        _without_times(state),
        json.loads((folder / "pruned.json").read_text(encoding="utf-8")),
    )


def of_comparison(results: Path) -> Any:
    return json.loads((results / "compare" / "small.json").read_text(encoding="utf-8"))["rows"]


def commands(folder: Path) -> list[Command]:
    recipe = folder / "small.toml"
    recipe.write_text(_RECIPE, encoding="utf-8")
    cli = ("-m", "linreg_mirror.cli")
    return [
        Command("check", (*cli, "check", "signs", "--instances", "12", "--jobs", "1"), of_check),
        Command("sweep", (*cli, "check", "convergence", "--instances", "6", "--jobs", "2"), of_check),
        Command("figures", ("-m", "figures", "saddles", "--quick", "--jobs", "2"), of_figure),
        Command("train", (*cli, "train", "pilot-digits", "--set", "epochs=6"), of_run),
        Command("compare", (*cli, "compare", str(recipe), "--jobs", "2"), of_comparison),
    ]


def start(command: Command, results: Path, *wrapper: str, **more: Any) -> subprocess.Popen[str]:
    """Start the command in a session of its own, so that its workers can be killed with it."""
    environment = {**os.environ, "LINREG_MIRROR_RESULTS": str(results), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.Popen(
        [*wrapper, sys.executable, *command.arguments], cwd=CHECKOUT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, **more,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=600)
    return process.returncode, output


@dataclass(frozen=True)
class Outcome:
    command: str
    tried: str
    came_out: str
    well: bool


class Torture:
    """Undisturbed answers of commands, and ways to disturb them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.rng, self.number = folder, random.Random(seed), 0
        self.expected: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}
        self.size: dict[str, int] = {}  # of results, in kB

    def fresh(self) -> Path:
        self.number += 1
        results = self.folder / str(self.number)
        results.mkdir()
        return results

    def undisturbed(self, command: Command) -> Path:
        """Run the command, and note answers and time; return its results."""
        results, began = self.fresh(), time.monotonic()
        code, output = finish(start(command, results))
        if code:
            raise SystemExit(f"{command.name} fails undisturbed, with exit code {code}:\n{output}")
        self.seconds[command.name] = time.monotonic() - began
        self.expected[command.name] = command.answers(results)
        self.size[command.name] = sum(-(-file.stat().st_size // 4096) * 4 for file in results.rglob("*.*"))
        return results

    def same(self, command: Command, results: Path, tried: str, before: str = "") -> Outcome:
        """Run the command to its end, and compare."""
        code, output = finish(start(command, results))
        if code:
            return Outcome(command.name, tried, f"{before}exit code {code}: {_last_line(output)}", False)
        try:
            well = command.answers(results) == self.expected[command.name]
        except (OSError, ValueError, KeyError) as error:
            return Outcome(command.name, tried, f"{before}no answers: {error!r}", False)
        return Outcome(command.name, tried, before + ("the same answers" if well else "OTHER ANSWERS"), well)

    def killed(self, command: Command, kills: int = 2) -> Outcome:
        """Kill the command at random moments, with or without its workers, then let it finish."""
        results, moments = self.fresh(), []
        for _ in range(kills):
            moment, workers_too = self.rng.uniform(0.1, 1.0), self.rng.random() < 0.5
            process = start(command, results)
            try:
                process.communicate(timeout=moment * self.seconds[command.name])
                moments.append("too late")
            except subprocess.TimeoutExpired:
                (os.killpg if workers_too else os.kill)(process.pid, signal.SIGKILL)
                moments.append(f"{moment:.0%}{' with workers' if workers_too else ''}")
            finally:
                process.wait()
                if process.stdout:
                    process.stdout.close()
        return self.same(command, results, f"kill -9 at {', '.join(moments)}")

    def full_disk(self, command: Command) -> Outcome:
        """Run the command where there is next to no space, and again where there is."""
        results, space = self.fresh(), f"{max(8, self.size[command.name] // 3)}k"
        if may_mount():
            inner = self.fresh()
            script = (
                f'mount -t tmpfs -o size={space} tmpfs "{inner}"; "$@"; echo "exit code $?"; '
                f'mount -o remount,size=1g "{inner}"; cp -a "{inner}/." "{results}"'
            )
            _, output = finish(start(command, inner, *_NAMESPACE, "sh", "-c", script, "sh"))
            output, _, rest = output.rpartition("exit code ")
            code, tried = int(rest.split()[0]), f"a disk of {space}"
        else:
            code, output = finish(start(command, results, preexec_fn=_small_files))
            tried = "no file above 2 kB (no tmpfs here)"
        return self._after_error(command, results, tried, code, output)

    def read_only(self, command: Command) -> Outcome:
        """Run the command where nothing can be written, and again where it can."""
        results, tried = self.fresh(), "a read-only folder"
        if may_mount():
            script = f'mount -t tmpfs -o ro tmpfs "{results}"; exec "$@"'
            code, output = finish(start(command, results, *_NAMESPACE, "sh", "-c", script, "sh"))
        elif os.geteuid():
            results.chmod(0o555)
            code, output = finish(start(command, results))
            results.chmod(0o755)
        else:
            return Outcome(command.name, tried, "skipped: root writes everywhere, and nothing can be mounted", True)
        return self._after_error(command, results, tried, code, output)

    def _after_error(self, command: Command, results: Path, tried: str, code: int, output: str) -> Outcome:
        message = _last_line(output)
        if code == 0 or "Traceback" in output:
            return Outcome(command.name, tried, f"no clear error, exit code {code}: {message}", False)
        return self.same(command, results, tried, before=f"{message}; then ")

    def truncated(self, command: Command) -> Outcome:
        """Cut stored results off at random places, and run the command again."""
        results = self.undisturbed(command)
        files = [file for file in results.rglob("*.json") if file.stem.isalnum() and len(file.stem) == 64]
        chosen = self.rng.sample(files, max(1, len(files) // 2))
        for file in chosen:
            os.truncate(file, self.rng.randrange(file.stat().st_size))
        return self.same(command, results, f"{len(chosen)} of {len(files)} stored results truncated")

    def truncated_checkpoint(self, command: Command, name: str) -> Outcome:
        """Cut a checkpoint off: a clear error first, and the same answers once it is deleted."""
        results, tried = self.fresh(), f"{name} truncated"
        process = start(command, results)
        while process.poll() is None and not list(results.rglob(name)):
            time.sleep(0.02)
        if name == "checkpoint.safetensors":
            os.killpg(process.pid, signal.SIGKILL)
        finish(process)
        found = list(results.rglob(name))
        if not found:
            return Outcome(command.name, tried, "skipped: it was over too soon", True)
        os.truncate(found[0], self.rng.randrange(found[0].stat().st_size))
        code, output = finish(start(command, results))
        if code != 2 or "delete it to start again" not in output:
            return Outcome(command.name, tried, f"no clear error, exit code {code}: {_last_line(output)}", False)
        if name == "final.safetensors":
            shutil.rmtree(found[0].parent)
        else:
            found[0].unlink()
        return self.same(command, results, tried, before="refused; once it is deleted ")

    def twice(self, command: Command) -> Outcome:
        """Start the command twice at once: each ends well or says that the other is at it."""
        results, tried = self.fresh(), "two at once in one folder"
        both = [start(command, results) for _ in range(2)]
        ended = [finish(process) for process in both]
        refused = [output for code, output in ended if code]
        if len(refused) > 1 or any("another process" not in output for output in refused):
            lines = "; ".join(_last_line(output) for output in refused)
            return Outcome(command.name, tried, f"exit codes {[code for code, _ in ended]}: {lines}", False)
        before = "one was told of the other; " if refused else "both ended; "
        return self.same(command, results, tried, before)


_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


def may_mount() -> bool:
    """Whether a file system can be mounted, in a namespace of one's own."""
    if shutil.which("unshare") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        trial = [*_NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", folder]
        return subprocess.run(trial, capture_output=True, check=False).returncode == 0


def _small_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))


def _last_line(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    # Interpreters of workers may have the last word.
    errors = [line for line in lines if "error:" in line]
    return (errors or lines or ["no output"])[-1].strip()[:160]


def outcomes(folder: Path, rounds: int, seed: int, only: str | None = None) -> Iterator[Outcome]:
    torture = Torture(folder, seed)
    for command in commands(folder):
        if only not in (None, command.name):
            continue
        torture.undisturbed(command)
        for _ in range(rounds):
            yield torture.killed(command)
        yield torture.full_disk(command)
        yield torture.read_only(command)
        yield torture.twice(command)
        if command.name in ("check", "figures"):
            yield torture.truncated(command)
        if command.name == "train":
            for name in ("checkpoint.safetensors", "final.safetensors"):
                yield torture.truncated_checkpoint(command, name)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.torture", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=2, help="how often each command is killed (default: 2, twice each)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the moments, and of what is damaged")
    parser.add_argument("--only", metavar="COMMAND", help="check, sweep, figures, train or compare")
    options = parser.parse_args(arguments)
    console, found = Console(), []
    table = Table("command", "tried", "came out", "", box=SIMPLE_HEAD, pad_edge=False)
    with tempfile.TemporaryDirectory(prefix="torture-") as folder, console.status("") as status:
        for outcome in outcomes(Path(folder), options.rounds, options.seed, options.only):
            found.append(outcome)
            status.update(f"{outcome.command}: {outcome.tried}: {'well' if outcome.well else 'NOT WELL'}")
            came_out = outcome.came_out.replace(folder, "")
            table.add_row(outcome.command, outcome.tried, came_out, "well" if outcome.well else "[bold red]NOT WELL[/]")
    console.print(table)
    return 0 if found and all(outcome.well for outcome in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
