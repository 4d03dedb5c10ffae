"""Puts wrong formulas in the place of right ones and shows which theorems catch each: `python -m tools.mutants`."""

import argparse
import sys

from joblib import Parallel, delayed
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tools.mutants import MUTANTS
from tools.mutants.trial import chosen, outcome, together


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only mutants with one of these in their name or what it is caught by")
    parser.add_argument("--jobs", type=int, default=2, help="how many mutants at once (default: 2)")
    asked = parser.parse_args()
    indices = chosen(asked.words)
    mutants = [MUTANTS[i] for i in indices]
    console = Console(width=130)
    tasks = [(None, together(one.theorems for one in mutants)), *((i, MUTANTS[i].theorems) for i in indices)]
    right, *mutated = Parallel(n_jobs=asked.jobs)(delayed(outcome)(*task) for task in tasks)
    if failing := [one for one, (verdict, _) in right.items() if verdict == "error"]:
        raise SystemExit(f"without any mutant, and so unable to catch one: {', '.join(failing)}")
    table = Table("mutant", "caught by", box=SIMPLE_HEAD)
    survivors = 0
    for mutant, wrong in zip(mutants, mutated, strict=True):
        caught = [asked for asked in wrong if wrong[asked] != right[asked]]
        survivors += not caught
        more = f" and {len(caught) - 4} more" if len(caught) > 4 else ""
        table.add_row(mutant.name, ", ".join(caught[:4]) + more if caught else "[bold red]survives[/]")
    console.print(table)
    print(f"{len(indices) - survivors} of {len(indices)} mutants caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
