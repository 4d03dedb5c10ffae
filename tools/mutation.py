"""Changes operators, constants and arguments one by one and counts what the tests notice: `python -m tools.mutation`.

mutmut makes the changes and runs, for each, the tests that reach the changed function. It is configured in
pyproject.toml and works on a copy in `build/mutation`. An interrupted run resumes, unless sources or tests have
changed: then the copy is made again. `mutation.toml` says why a mutant may survive; the outcome goes to
`benchmarks/results/mutation.json`.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from contextlib import chdir
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import libcst as cst
from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.format_utils import get_mutant_name

ROOT = Path(__file__).resolve().parents[1]
STAGE = ROOT / "build" / "mutation"
RESULT = ROOT / "benchmarks" / "results" / "mutation.json"
REASONS = ROOT / "tools" / "mutation.toml"
GROUPS = ("linreg_mirror.mirrors", "linreg_mirror.solvers.limit._limit", "sketching.moments", "sketching.selection")
LEAST = 0.9
KILLED, NOT_YET = ("killed", "timeout", "segfault"), "not checked"
# Counterexamples are neither made small nor kept: that one was found is all that is asked, and the same way each time.
# Quick tests come first, as far as their times are known.
CONFTEST = """
import json
from pathlib import Path

from hypothesis import Phase, settings

settings.register_profile("mutation", derandomize=True, database=None, phases=[Phase.explicit, Phase.generate])
settings.load_profile("mutation")
STATS = Path("mutmut-stats.json")


def pytest_collection_modifyitems(items):
    seconds = json.loads(STATS.read_text())["duration_by_test"] if STATS.exists() else {}
    items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))
"""


class Mutant(NamedTuple):
    """A change of some lines of a function, told without their indentation."""

    function: str
    was: str
    now: str


class Undecorated(cst.CSTTransformer):
    """Writes `@f` above a function as `g = f(g)` below it: mutmut leaves decorated functions alone."""

    def leave_FunctionDef(self, original_node, updated_node):
        name = updated_node.name.value
        calls = [
            cst.parse_statement(f"{name} = {cst.Module([]).code_for_node(decorator.decorator)}({name})")
            for decorator in reversed(updated_node.decorators)
        ]
        return cst.FlattenSentinel([updated_node.with_changes(decorators=[]), *calls])


def targets() -> list[str]:
    """The files that are changed."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]["only_mutate"]


def staged() -> dict[str, bytes]:
    """What mutmut works on: the sources, their targets without decorators, the tests, and the configuration of both."""
    paths = [ROOT / "pyproject.toml"]
    for folder in ("linreg_mirror", "sketching", "tests"):
        paths += [path for path in sorted((ROOT / folder).rglob("*")) if path.is_file() and path.suffix != ".pyc"]
    paths = [path for path in paths if path.stem != "mutation"]
    files = {str(path.relative_to(ROOT)): path.read_bytes() for path in paths}
    for name in targets():
        files[name] = cst.parse_module(files[name]).visit(Undecorated()).bytes
    files["tests/conftest.py"] += CONFTEST.encode()
    return files


def stage(retry: bool) -> None:
    """Make the copy again if anything has changed since, apart from tests when asked to retry what survived."""
    files, mark = staged(), STAGE / "signature"
    halves = [[file for file in files.items() if file[0].startswith("tests/") is tests] for tests in (False, True)]
    now = [hashlib.sha256(repr((version("mutmut"), half)).encode()).hexdigest() for half in halves]
    before = mark.read_text().split() if mark.exists() else [None]
    if before == now:
        return
    if not retry or before[0] != now[0]:
        shutil.rmtree(STAGE, ignore_errors=True)
    for name, content in files.items():
        path = STAGE / name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    mark.write_text("\n".join(now))


def mutmut(*arguments: str, show: bool = False) -> str:
    done = subprocess.run(
        [Path(sys.executable).with_name("mutmut"), *arguments],
        cwd=STAGE, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=None if show else subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"mutmut {arguments[0]} failed with exit code {done.returncode}: {done.stdout or ''}")
    return done.stdout or ""


def mutants() -> list[str]:
    """The names of all mutants, as mutmut numbers them."""
    with chdir(STAGE):  # where mutmut reads its configuration
        files = {name: mutate_file_contents(name, Path(name).read_text(encoding="utf-8")) for name in targets()}
        return [get_mutant_name(Path(name), mutant) for name, file in files.items() for mutant in file.mutant_names]


def statuses() -> dict[str, str]:
    lines = mutmut("results", "--all", "true").splitlines()
    return dict(line.strip().rsplit(": ", 1) for line in lines if "__mutmut_" in line)


def group(name: str) -> str:
    return next(group for group in GROUPS if name.startswith(group + "."))


def sample(names: list[str], size: int, seed: int) -> list[str]:
    """Take up to `size` mutants of each group."""
    rng = random.Random(seed)
    members = {one: [name for name in names if group(name) == one] for one in GROUPS}
    return [name for one in GROUPS for name in rng.sample(members[one], min(size, len(members[one])))]


def described(name: str) -> Mutant:
    """Say what a mutant of mutmut's changes; its number there is another one after the next change of the function."""
    lines = mutmut("show", name).splitlines()
    was = [line[1:].strip() for line in lines if line.startswith("-") and not line.startswith("---")]
    now = [line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++")]
    function = name.partition("__mutmut_")[0].replace("xǁ", "").replace("ǁ", ".").replace(".x_", ".")
    return Mutant(function, " ".join(was), " ".join(now))


def reasons() -> dict[Mutant, str]:
    entries = tomllib.loads(REASONS.read_text(encoding="utf-8"))["survivor"]
    return {Mutant(one["function"], one["was"], one["now"]): one["why"] for one in entries}


def report(chosen: dict[str, str], everything: Counter[str], settings: dict[str, object]) -> dict[str, object]:
    why = reasons()
    survivors = [(described(name), status) for name, status in sorted(chosen.items()) if status not in KILLED]
    tried = Counter(map(group, chosen))
    killed = Counter(group(name) for name, status in chosen.items() if status in KILLED)
    groups = [
        {"module": one, "mutants": everything[one], "tried": tried[one], "killed": killed[one],
         "share": round(killed[one] / tried[one], 4)}
        for one in GROUPS if tried[one]
    ]  # fmt: skip
    return settings | {
        "groups": groups,
        "survivors": [one._asdict() | {"status": status, "why": why.get(one, "")} for one, status in survivors],
    }


def show(result: dict) -> None:
    for one in result["groups"]:
        killed = f"{one['killed']} of {one['tried']} killed, {one['share']:.1%}"
        print(f"{one['module']:24}{killed}; {one['mutants']} in all")
    for one in result["survivors"]:
        print(f"\n{one['function']} {one['status']}: {one['why'] or 'no reason is given in tools/mutation.toml'}")
        print(f"  - {one['was']}\n  + {one['now']}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.mutation", description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="try every mutant")
    parser.add_argument("--sample", type=int, default=100, help="how many mutants of each module (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="how many mutants at once (default: 2)")
    parser.add_argument("--retry", action="store_true", help="with tests that have changed, try only what survived")
    asked = parser.parse_args()
    stage(asked.retry)
    names = sorted(mutants())
    chosen = names if asked.all else sample(names, asked.sample, asked.seed)
    known = statuses()
    enough = KILLED if asked.retry else set(known.values()) - {NOT_YET}
    if left := [name for name in chosen if known.get(name) not in enough]:
        # Without names mutmut tries all that it has not tried.
        mutmut("run", "--max-children", str(asked.jobs), *([] if asked.all and not asked.retry else left), show=True)
    found = statuses()
    if any(found[name] == NOT_YET for name in chosen):
        raise SystemExit("interrupted: run the same command again to resume")
    settings = {"command": " ".join(["python -m tools.mutation", *sys.argv[1:]]), "mutmut": version("mutmut")}
    result = report({name: found[name] for name in chosen}, Counter(map(group, names)), settings)
    RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    show(result)
    if asked.all:
        survived = [(one["function"], one["was"], one["now"]) for one in result["survivors"]]
        for function, _, now in set(reasons()).difference(survived):
            print(f"\ntools/mutation.toml gives a reason for what does not survive: {function}\n  + {now}")
    return 1 if any(one["share"] < LEAST for one in result["groups"]) else 0


if __name__ == "__main__":
    sys.exit(main())
