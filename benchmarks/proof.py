"""How long does a proof of the least L1 norm take, beside the time that HiGHS takes for solving the linear programme?

Ours is `prove` of what `minimum_l1` returned, which is solved beforehand and not timed; then `verify`, and `minimum_l1`
itself. The peer is the dual simplex of HiGHS, which proves nothing. Files of one's own, npz with X and y, are measured
where LINREG_MIRROR_BENCHMARK_DATA names their folder.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.harness import Answer, Competitor, Judgement, Settings, compare, own_problems
from benchmarks.minimum_l1 import _highs, _problem
from linreg_mirror.problems import Problem
from linreg_mirror.proofs import Proof, prove, verify
from linreg_mirror.solvers.certificates import l1_certificate
from linreg_mirror.solvers.limit import minimum_l1

_GAP = 1e-9


def measure(settings: Settings, progress: Callable[[str], None]) -> dict[str, Any]:
    rows, said = [], []
    for case, problem in _cases(settings.quick):
        progress(", ".join(map(str, case.values())))
        proof = prove(problem, minimum_l1(problem))
        competitors = _competitors(problem, proof, settings.budget)
        rows += compare(case, competitors, _judge(problem), settings, progress)
        said.append({**case, "bits": proof.content.get("bits", 0), "kind": proof.kind, "proved": str(proof)})
    return {
        "question": "Time of a proof of the least L1 norm, by exact and ball arithmetic",
        "rows": rows,
        "tables": {"What was proved": said},
        "notes": [
            "prove takes the answer of minimum_l1, solved beforehand; what it returns has passed verify",
            f"right means: |Xx - y|, duality gap and excess of |X's| over 1 all <= {_GAP:g}, relative, in float64; of "
            "a proof, that it is one of a vertex or of bounds",
            "HiGHS is asked for 1e-10, the tightest it accepts",
        ],
    }


def _cases(quick: bool) -> Iterator[tuple[dict[str, Any], Problem]]:
    for n, d in [(10, 60)] if quick else [(100, 1000), (100, 2000), (200, 10000)]:
        for targets in ("random", "planted"):
            yield {"n": n, "d": d, "y": targets}, _problem(n, d, targets)
    for name, problem in () if quick else own_problems():
        yield {"n": problem.n, "d": problem.d, "y": name}, problem


def _competitors(problem: Problem, proof: Proof, budget: float) -> list[Competitor]:
    X, y = problem.X, problem.y
    solution = minimum_l1(problem)

    def proved(found: Proof) -> Answer:
        x = np.zeros(problem.d)
        x[found.content["basis"]] = [float(value) for value in found.content["x"]]
        return Answer(x, found.kind in ("vertex", "enclosure"), str(found), solution.dual)

    def solved() -> Answer:
        again = minimum_l1(Problem(X, y))
        counts = {"digits": again.digits}
        return Answer(again.x, again.status.solved, again.stats.method, again.dual, counts)

    return [
        # A new problem each time: its rank, once known, would be a gift to the next round.
        Competitor("prove (ours)", lambda: proved(prove(Problem(X, y), solution)), ours=True),
        Competitor("verify (ours)", lambda: proved(verify(proof, Problem(X, y))), ours=True),
        Competitor("minimum_l1 (ours)", solved, ours=True),
        Competitor("HiGHS dual simplex", lambda: _highs(X, y, "highs-ds", budget)),
    ]


def _judge(problem: Problem) -> Callable[[Answer], Judgement]:
    def judge(answer: Answer) -> Judgement:
        assert answer.dual is not None
        certificate = l1_certificate(problem, answer.x, answer.dual)
        errors = {
            "infeasibility": certificate["feasibility"].value,
            "gap": certificate["duality gap"].value,
            "dual excess": certificate["dual feasibility"].value,
        }
        return Judgement(errors, answer.success and max(errors.values()) <= _GAP)

    return judge
