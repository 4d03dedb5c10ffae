"""Scores of the weights of a torch module: how much each one matters, at initialisation or later.

Each score is a dictionary with the names, shapes and devices of `sketching.weights.prunable(model)`; larger is kept. It
comes in the precision of the weights, but in single precision at least; `synflow` in double. With `masks` it is the
score of the network whose weights are multiplied by these masks or factors; weights that they remove score 0, or
-inf where scores have signs.

`magnitude`, `random` and `synflow` need no data. The others do, or what stands for data: `random_inputs`, and random
residuals as targets of the loss `inner_product`.

The module is left as it is, also after an error in it or in the loss: its weights, gradients, batch norm statistics and
train/eval flags. While it is scored, all layers are in eval mode, so that no dropout adds chance, but for batch norm:
in `snip` and `grasp` it takes the statistics of the batch, as in training. Where single examples count, in
`jacobian_norm` and `rms_snip`, its statistics are frozen at those of the given inputs, because examples must not
depend on each other. `synflow` has none to take.
"""

from sketching.network_scores._data_free import inner_product, random_inputs
from sketching.network_scores._gradient import grasp, snip
from sketching.network_scores._per_example import jacobian_norm, rms_snip
from sketching.network_scores._plain import magnitude, random
from sketching.network_scores._synflow import synflow

__all__ = [
    "grasp",
    "inner_product",
    "jacobian_norm",
    "magnitude",
    "random",
    "random_inputs",
    "rms_snip",
    "snip",
    "synflow",
]
