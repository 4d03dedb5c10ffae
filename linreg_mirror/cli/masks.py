"""The command `masks`."""

import hashlib
import re
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from linreg_mirror.cli._shared import AsJson, Refused, console, print_json

_EXAMPLES = 100


def masks(
    model: Annotated[str, typer.Argument(help="resnet20, vgg16-bn, ...; or package.module:factory, which is run.")],
    score: Annotated[
        str, typer.Option(help="magnitude, random, snip, grasp, synflow, jacobian-norm or rms-snip.")
    ] = "snip",
    keep: Annotated[float, typer.Option(help="Share of the weights to keep, from 0 to 1.")] = 0.05,
    select: Annotated[str, typer.Option(help="top-k, gumbel, systematic, bernoulli or with-replacement.")] = "top-k",
    allocate: Annotated[str, typer.Option(help="global, uniform, erdos-renyi or erk.")] = "global",
    rescale: Annotated[bool, typer.Option("--rescale", help="Save factors with expectation 1, not masks.")] = False,
    rounds: Annotated[
        int | None,
        typer.Option(min=1, help="Rounds, each with new scores. Default: 1; for synflow 100, unless with-replacement."),
    ] = None,
    signed: Annotated[
        str, typer.Option(help="How scores of grasp become probabilities: positive or absolute.")
    ] = "positive",
    softmax_temperature: Annotated[
        float | None, typer.Option(help="Divides outputs in the cross-entropy. Default: 1; 200 for grasp.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="npz with X and y. Default: no data, but normal inputs and residuals.")
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="Number of examples that scores see.")] = _EXAMPLES,
    option: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Option of the model, such as classes=100.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, data, scores and selection.")] = 0,
    output: Annotated[
        Path | None, typer.Option(help="File of the masks. Default: in results/masks/, named after the settings.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prune a network at initialisation: print what its mask leaves, and save the mask as safetensors.

    The file holds a tensor of true and false for each weight, or of factors, under its name, and the settings as
    metadata. Exit code 2 for bad arguments.
    """
    from linreg_mirror.runtime.files import explaining
    from linreg_mirror.runtime.store import results_directory

    try:
        import numpy as np

        from linreg_mirror.networks import models, recipes
        from linreg_mirror.networks.pruning import masking, save_masks
        from sketching import diagnosis

        if output is not None and output.suffix != ".safetensors":
            raise ValueError(f"--output must end in .safetensors, got {output}")
        if ":" in model:
            sys.path.insert(0, "")  # package.module is looked for in the current folder too, as by python -m
        network = models.create(model, seed=seed, **recipes.changed({}, option or ()))
        of_batch, of_masks = np.random.default_rng(seed).spawn(2)
        if data is None:
            batch = masking.random_batch(network, examples, of_batch)
        else:
            batch = masking.read_batch(network, data, examples, of_batch)
        parts = {"score": score, "keep": keep, "select": select, "allocate": allocate, "rescale": rescale}
        details = {"rounds": rounds, "signed": signed, "softmax_temperature": softmax_temperature}
        with nullcontext() if as_json else console.status(f"{score} of {model}"):
            found = masking.masks_at_initialization(network, batch, **parts, **details, rng=of_masks)
            left = diagnosis(network, found, inputs=batch.inputs)
        if not as_json:
            table = left.to_text(console.width if console.is_terminal else None)
            console.print(table, highlight=False, soft_wrap=True, markup=False, emoji=False)
        if output is None:
            unusual = (
                "rescaled" if rescale else "",
                f"rounds{rounds}" if rounds else "",
                signed if signed != "positive" else "",
                f"softmax{softmax_temperature:g}" if softmax_temperature else "",
                data.stem if data else "",
                f"examples{examples}" if examples != _EXAMPLES else "",
            )
            name = "-".join([score, str(keep), select, allocate, *filter(None, unusual), f"seed{seed}"])
            folder = " ".join([model, *(option or [])])
            folder, name = (re.sub(r"[^\w.-]+", "-", words) for words in (folder, name))
            output = results_directory() / "masks" / folder / f"{name}.safetensors"
        settings = {
            "model": model, "options": option or [], "seed": seed, "data": data and data.name,
            "sha256": data and hashlib.sha256(data.read_bytes()).hexdigest(), "examples": len(batch.inputs),
            **details, **parts,
        }  # fmt: skip
        with explaining("save masks", output, "name another file by --output"):
            save_masks(output, found, settings)
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise Refused(error) from None
    if as_json:
        print_json({**left.to_dict(), "file": str(output)})
        return
    console.print(f"written: {output}", highlight=False, soft_wrap=True, markup=False, emoji=False)
