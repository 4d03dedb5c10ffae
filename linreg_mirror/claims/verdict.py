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
    "sparsities of the claim, with its 95 % interval (Student's t over seeds). 'Better' is reproduced if the interval "
    f"lies above 0; otherwise, it is not reproduced if the interval lies below {100 * GAIN:g}. 'Not worse' is "
    f"reproduced if the interval lies above {-100 * LOSS:g}, and not reproduced if it lies below {-100 * LOSS:g}. "
    "Everything else is inconclusive: intervals that are too wide, a single seed, a run that diverged, a method that "
    f"has hardly trained (test accuracy below {100 * TRAINED:g} % where most weights are kept). Some methods decide "
    "themselves how many weights they keep. These are compared at equal cost: along curves through their runs at "
    "several penalties, over the range that all seeds of both share, without runs that have hardly trained. If a claim "
    "has several comparisons, one that decides it is enough, unless another decides the opposite. A verdict is about "
    "the network, data and epochs of its own line: a small network neither proves nor refutes a claim about a large "
    "one. One interval in twenty is expected to miss."
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
