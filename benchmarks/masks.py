"""How long does it take to choose a mask for as many weights as ResNet-50 has, and how much memory?

Ours are the selections of `sketching`, beside the common ways: sort everything, or ask torch or NumPy for a sample.
Then SynFlow's 100 rounds on ResNet-20, beside a plain loop with autograd and a full sort in each round.
"""

import copy
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import sketching
from benchmarks.harness import Answer, Array, Competitor, Judgement, Settings, compare
from linreg_mirror.networks import models
from sketching import network_scores

_WEIGHTS = 25_502_912  # of ResNet-50 that can be pruned: all but biases and batch norms
_ROUNDS = 100


def measure(settings: Settings, progress: Callable[[str], None]) -> dict[str, Any]:
    torch.set_num_threads(1)
    rows, memory = [], []
    size = 100_000 if settings.quick else _WEIGHTS
    normal = np.random.default_rng(0).standard_normal(size, dtype=np.float32)
    # As a network's; almost equal, where nearly all is kept; and with tails where the first few have it all.
    for name, share, scores in (
        ("normal", 0.05, np.abs(normal)),
        ("normal", 0.5, np.abs(normal)),
        ("flat", 0.9, 1 + 1e-3 * np.abs(normal)),
        ("exp(20 normal)", 0.05, np.exp(20 * np.clip(normal, -4, 4))),
    ):
        k = int(share * size)
        for kind, competitors in _selections(scores, k).items():
            case = {"weights": size, "scores": name, "keep": share, "selection": kind}
            taking_part = competitors if name == "normal" else competitors[:1]
            rows += compare(case, taking_part, _judge(kind, scores, k), settings, progress)
            memory.append(_memory(case, taking_part))
    rows += _synflow(settings, progress)
    return {
        "question": "Time to choose which weights are kept",
        "rows": rows,
        "tables": {"Memory beyond the input at its peak, in MiB": memory},
        "notes": [
            "right means: as many are kept as asked for; with replacement and Bernoulli: as many as expected, to five "
            "standard deviations; for top_k besides: no score that is dropped is larger than one that is kept",
            "torch runs on one thread, as all others do; multinomial of torch refuses more than 2^24 categories",
            "torch.bernoulli with min(1, k p) keeps too few where k p exceeds 1; ours restores what clipping loses",
            "memory: what the process holds at most during one call, minus what it held before; Linux only",
        ],
    }


def _selections(scores: Array, k: int) -> dict[str, list[Competitor]]:
    tensor, rng = torch.from_numpy(scores), np.random.default_rng(0)
    generator = torch.Generator().manual_seed(0)

    def ours(select: Callable[..., Any]) -> Competitor:
        return Competitor(f"{select.__name__} (ours)", lambda: Answer(select(scores, k, rng), True), ours=True)

    def peer(name: str, chosen: Callable[[], Any]) -> Competitor:
        def solve() -> Answer:
            mask = np.zeros(scores.size, bool)
            mask[np.asarray(chosen())] = True
            return Answer(mask, True)

        return Competitor(name, solve)

    def noisy() -> Any:
        noise = torch.empty(len(tensor), dtype=torch.float64).exponential_(generator=generator)
        return torch.log(tensor) - torch.log(noise)

    def probabilities() -> Array:
        p = scores.astype(float)
        return p / p.sum()

    return {
        "top_k": [
            ours(sketching.top_k),
            peer("torch.sort", lambda: tensor.sort(descending=True).indices[:k]),
            peer("torch.topk", lambda: tensor.topk(k, sorted=False).indices),
            peer("numpy.argsort", lambda: np.argsort(scores)[-k:]),
            peer("numpy.argpartition", lambda: np.argpartition(scores, -k)[-k:]),
        ],
        "gumbel_top_k": [
            ours(sketching.gumbel_top_k),
            peer("Gumbel noise, torch.sort", lambda: noisy().sort(descending=True).indices[:k]),
            peer("Gumbel noise, torch.topk", lambda: noisy().topk(k, sorted=False).indices),
            peer("torch.multinomial", lambda: torch.multinomial(tensor, k, generator=generator)),
            peer("numpy choice", lambda: rng.choice(scores.size, k, replace=False, p=probabilities(), shuffle=False)),
        ],
        "systematic": [ours(sketching.systematic)],
        "bernoulli": [
            ours(sketching.bernoulli),
            peer(
                "torch.bernoulli, clipped",
                lambda: torch.bernoulli((tensor * (k / tensor.sum())).clamp(max=1), generator=generator).bool(),
            ),
        ],
        "with_replacement": [
            ours(sketching.with_replacement),
            peer("torch.multinomial", lambda: torch.multinomial(tensor, k, replacement=True, generator=generator)),
            peer("numpy choice", lambda: rng.choice(scores.size, k, p=probabilities())),
            peer("numpy multinomial", lambda: rng.multinomial(k, probabilities()) > 0),
        ],
    }


def _judge(kind: str, scores: Array, k: int) -> Callable[[Answer], Judgement]:
    expected, spread = float(k), 0.0
    if kind == "bernoulli":
        q = sketching.inclusion_probabilities(scores, k)
        spread = float(np.sqrt((q * (1 - q)).sum()))
    elif kind == "with_replacement":
        missed = np.exp(k * np.log1p(-scores / scores.sum(dtype=float)))
        expected, spread = float((1 - missed).sum()), float(np.sqrt((missed * (1 - missed)).sum()))

    def judge(answer: Answer) -> Judgement:
        errors = {"off the count": abs(np.count_nonzero(answer.x) - expected) / k}
        right = errors["off the count"] * k <= 5 * spread
        if kind == "top_k":
            right &= bool(scores[answer.x].min() >= scores[~answer.x].max())
        return Judgement(errors, right)

    return judge


def _memory(case: dict[str, Any], competitors: list[Competitor]) -> dict[str, Any]:
    """Return the case with the peak of each competitor that runs at all."""
    peaks: dict[str, Any] = {}
    for competitor in competitors:
        gc.collect()
        before = _status("VmRSS")
        if before is None:
            return case
        # Sets the peak back to what is held now.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        try:
            competitor.solve()
        except Exception:
            continue
        peaks[competitor.name] = ((_status("VmHWM") or 0) - before) // 1024
    ours, *others = peaks.items()
    return {"ours": ours[1], **case, "others": ", ".join(f"{name} {peak}" for name, peak in others)}


def _status(name: str) -> int | None:
    """Return a line of the kernel's account of this process, in KiB."""
    path = Path("/proc/self/status")
    if not path.exists():
        return None
    return int(next(line for line in path.read_text(encoding="ascii").splitlines() if line.startswith(name)).split()[1])


def _synflow(settings: Settings, progress: Callable[[str], None]) -> list[dict[str, Any]]:
    rounds = 3 if settings.quick else _ROUNDS
    model, keep = models.create("resnet20", seed=0), 0.05
    case = {"model": "resnet20", "rounds": rounds, "keep": keep}
    kept = round(keep * sum(weight.numel() for weight in sketching.prunable(model).values()))

    def ours() -> Answer:
        masks = sketching.iterative_masks(
            lambda masks: network_scores.synflow(model, (3, 32, 32), masks=masks), keep, rounds=rounds
        )
        return Answer(_joined(masks), True)

    def judge(answer: Answer) -> Judgement:
        off = abs(np.count_nonzero(answer.x) - kept) / kept
        both = np.count_nonzero(answer.x & expected) / kept
        return Judgement({"off the count": off, "differs from the plain loop": 1 - both}, off == 0 and both > 0.999)

    expected = _joined(_plain_synflow(model, keep, rounds))
    competitors = [
        Competitor("iterative_masks with synflow (ours)", ours, ours=True),
        Competitor("plain loop", lambda: Answer(_joined(_plain_synflow(model, keep, rounds)), True)),
    ]
    return compare(case, competitors, judge, settings, progress)


def _joined(masks: dict[str, torch.Tensor]) -> Array:
    return torch.cat([mask.flatten() for mask in masks.values()]).numpy().astype(bool)


def _plain_synflow(model: torch.nn.Module, keep: float, rounds: int) -> dict[str, torch.Tensor]:
    """Prune a copy in place, by backward() and a full sort in each round."""
    net = copy.deepcopy(model).double().eval()
    with torch.no_grad():
        for tensor in net.state_dict().values():
            tensor.abs_()
    weights = {name: weight for name, weight in net.named_parameters() if weight.ndim > 1}
    masks = {name: torch.ones_like(weight) for name, weight in weights.items()}
    total = sum(weight.numel() for weight in weights.values())
    ones = torch.ones(1, 3, 32, 32, dtype=torch.float64)
    for number in range(1, rounds + 1):
        net.zero_grad()
        net(ones).sum().backward()
        scores = {name: (weight * weight.grad).detach() for name, weight in weights.items()}
        ranked = torch.cat([score.flatten() for score in scores.values()]).sort(descending=True).values
        threshold = ranked[round(total * keep ** (number / rounds)) - 1]
        with torch.no_grad():
            for name, weight in weights.items():
                masks[name] = (scores[name] >= threshold).double()
                weight.mul_(masks[name])
    return masks
