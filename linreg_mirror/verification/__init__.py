"""The ledger checked: on instances, by search for counterexamples, in tables and reports."""

from linreg_mirror.verification._check import Finding, check, plan, select
from linreg_mirror.verification._falsify import Falsification, falsify
from linreg_mirror.verification.derivations import Derived, derive
from linreg_mirror.verification.evaluation import Record, Task, evaluate
from linreg_mirror.verification.own import Own, OwnData, TheoremFile

__all__ = [
    "Derived",
    "Falsification",
    "Finding",
    "Own",
    "OwnData",
    "Record",
    "Task",
    "TheoremFile",
    "check",
    "derive",
    "evaluate",
    "falsify",
    "plan",
    "select",
]
