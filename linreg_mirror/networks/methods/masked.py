"""Masks at initialisation, and plain training of what they leave."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from linreg_mirror._tools.arguments import check_integer
from linreg_mirror._tools.cites import cited
from linreg_mirror.networks._tools.arguments import check_keep
from linreg_mirror.networks.methods._held import Chosen
from linreg_mirror.networks.methods.dense import Dense
from linreg_mirror.networks.pruning.masking import (
    ALLOCATIONS,
    BLIND,
    SCORES,
    SELECTIONS,
    Batch,
    masks_at_initialization,
    named,
    random_batch,
)
from sketching import diagnosis
from sketching.allocation import places


class Masked(Dense):
    """Weights pruned once, before the first step; the others are trained as by `Dense`.

    Parameters
    ----------
    score, keep, select, allocate, rescale, rounds, signed, softmax_temperature
        As in `masking.masks_at_initialization`; keep is above 0. Factors, which `rescale` gives in place of a mask, are
        multiplied into the initial weights, x0 = factor * w0, and x is trained. To train w in x = factor * w would be
        something else: steps of x would be factor^2 times as long.
    data : bool
        Whether scores see examples of the task. Otherwise `masking.random_batch` stands for them.
    examples : int
        How many of either.
    balanced : bool
        Whether examples of the task are as many of each class, as GraSP's authors take them.
    parts : int
        Into how many parts GraSP cuts them; its authors' code has 2.
    seed : int
        Of all that is random.
    batch : callable, optional
        examples -> `masking.Batch` of that many examples, called if the score is to see them; with evenly=True if there
        are to be as many of each class. In a recipe these are the first of the first epoch, normalised as in training
        and not augmented, with the cross-entropy.

    Raises
    ------
    ValueError
        If an option is out of range, or a name unknown. By `attach`, if scores refuse what they get, or there is no
        batch for a score that is to see data.

    Warns
    -----
    UserWarning
        By `attach`: if the mask leaves nothing of a layer, or no way from input to output, or a tenth more or fewer
        weights than asked for.
    """

    takes_masks = False

    def __init__(
        self,
        score: str,
        *,
        keep: float,
        select: str = "top-k",
        allocate: str = "global",
        rescale: bool = False,
        rounds: int | None = None,
        signed: str = "positive",
        softmax_temperature: float | None = None,
        data: bool = True,
        examples: int = 100,
        balanced: bool = False,
        parts: int = 1,
        seed: int = 0,
        batch: Callable[..., Batch] | None = None,
    ) -> None:
        super().__init__()
        check_keep(keep)
        if not isinstance(data, bool):
            raise ValueError(f"data must be true or false, got {data!r}: scores see examples of the task, or do not")
        if not isinstance(balanced, bool):
            raise ValueError(f"balanced must be true or false, got {balanced!r}")
        check_integer("examples", examples, 1)
        check_integer("parts", parts, 1)
        if parts > 1 and score != "grasp":
            raise ValueError(f"only GraSP cuts its examples into parts, got parts={parts} for {score}: write parts=1")
        check_integer("seed", seed, 0)
        self.options: dict[str, Any] = {
            "score": score, "keep": keep, "select": select, "allocate": allocate, "rescale": rescale, "rounds": rounds,
            "signed": signed, "softmax_temperature": softmax_temperature, "parts": parts,
        }  # fmt: skip
        self.data, self.examples, self.balanced, self.seed, self.batch = data, examples, balanced, seed, batch
        known = {"score": SCORES, "select": SELECTIONS, "allocate": ALLOCATIONS}
        chosen = [named(what, self.options[what], names) for what, names in known.items()]
        self.cites = tuple(key for part in chosen for key in cited(part))

    def _own_masks(self, model: torch.nn.Module, weights: Chosen) -> Mapping[str, Any]:
        # The first number keeps these streams apart from others with the same seed.
        of_batch, of_masks = np.random.default_rng([0x6D61736B, self.seed]).spawn(2)
        batch = self._seen(model, of_batch)
        masks = masks_at_initialization(
            model, batch, **self.options, weights=lambda name, _: name in weights, rng=of_masks
        )
        self._warn(model, masks, batch)
        return masks

    def _seen(self, model: torch.nn.Module, rng: np.random.Generator) -> Batch | None:
        """Return what the scores see."""
        if self.data:
            if self.batch is None:
                if self.options["score"] not in BLIND:
                    raise ValueError(
                        f"{self.options['score']} needs a batch, and there is none: give batch=lambda examples: "
                        "masking.Batch(inputs, labels, loss), or data=False and set model.input_shape, for normal "
                        "inputs in its place (in a recipe method.data=false)"
                    )
                return None
            return self.batch(self.examples, evenly=True) if self.balanced else self.batch(self.examples)
        return None if self.options["score"] in BLIND else random_batch(model, self.examples, rng)

    def _warn(self, model: torch.nn.Module, masks: Mapping[str, Any], batch: Batch | None) -> None:
        """Warn at once of what would only show at the end."""
        inputs = None if batch is None else batch.inputs
        found = diagnosis(model, masks, inputs=inputs, weights=lambda name, _: name in masks)
        keep, select = self.options["keep"], self.options["select"]
        wanted = places({layer.name: layer.shape for layer in found.layers}, keep)
        said = f"{self.options['score']} with keep={keep}, select={select!r}, allocate={self.options['allocate']!r}"
        if found.collapsed or found.effective == 0:
            lost = f"nothing of {', '.join(found.collapsed)}" if found.collapsed else "no way from input to output"
            warnings.warn(f"{said} leaves {lost}: write allocate='erk', select another way, or keep more", stacklevel=4)
        if abs(found.kept - wanted) > 0.1 * wanted:
            warnings.warn(
                f"{said} keeps {found.kept} weights where {wanted} were asked for: for exactly as many write "
                "select='gumbel' or select='systematic'",
                stacklevel=4,
            )
