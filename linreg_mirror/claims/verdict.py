"""When a claim counts as reproduced."""

from collections.abc import Iterable
from enum import Enum
from typing import Literal

from linreg_mirror.claims.effect import Effect

# Shares of the examples. A gain smaller than the first is none worth claiming, a loss up to the second none to mind.
GAIN = 0.005
LOSS = 0.01
# Who is right less often than this with the most weights has hardly trained, and proves nothing by losing.
TRAINED = 0.5

RULE = (
    "The gain is the difference of test accuracies in percentage points, paired by seed and averaged over the "
    "sparsities of the claim, with its 95 % interval (Student's t over seeds). That a method is better is reproduced "
    f"if the interval lies above 0; if it does not, and lies below {100 * GAIN:g}, it is not reproduced. That a method "
    f"is not worse is reproduced if the interval lies above {-100 * LOSS:g}, and not reproduced if it lies below "
    f"{-100 * LOSS:g}. All else is inconclusive: intervals that are too wide, a single seed, a run that diverged, "
    f"a side that is right in less than {100 * TRAINED:g} % of the test where most weights are kept, and so has hardly "
    "trained. Methods that decide themselves how much they leave are compared where they leave as much: along curves "
    "through their runs at several strengths of the penalty, over the range that is common to all seeds of both, and "
    "without runs that have hardly trained. Of several comparisons one that decides is enough, unless another decides "
    "otherwise. A verdict is about the network, data and epochs of its own line: a small network neither proves nor "
    "refutes what is claimed of a large one. Of twenty intervals one is expected to miss."
)


class Reproduction(Enum):
    """What the measurements say about a claim."""

    reproduced = "reproduced"
    not_reproduced = "not reproduced"
    inconclusive = "inconclusive"
    not_measured = "not measured here"


def judge(effect: Effect, relation: Literal["better", "not worse"]) -> Reproduction:
    """Return what one measurement says.

    "better": `reproduced` if the interval lies above 0; if it does not, `not_reproduced` if it lies below GAIN, half a
    percentage point, so that no gain of that size is left. "not worse": `reproduced` if it lies above -LOSS, one
    percentage point, and `not_reproduced` if it lies below. `inconclusive` otherwise, NaN included.
    """
    above, below = (0.0, GAIN) if relation == "better" else (-LOSS, -LOSS)
    if effect.low > above:
        return Reproduction.reproduced
    return Reproduction.not_reproduced if effect.high < below else Reproduction.inconclusive


def combined(verdicts: Iterable[Reproduction]) -> Reproduction:
    """Return what several measurements say together: what any of them decides, unless they contradict each other."""
    found = set(verdicts)
    decided = found - {Reproduction.inconclusive}
    if not found:
        return Reproduction.not_measured
    return decided.pop() if len(decided) == 1 else Reproduction.inconclusive
