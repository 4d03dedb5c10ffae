"""How the weights of every model start."""

from typing import Any, Literal

from torch import nn


def initialised(
    model: Any, input_shape: tuple[int, ...], nonlinearity: Literal["relu", "linear"] = "relu"
) -> nn.Module:
    """Draw the weights of a new model, from torch's own generator, and note the shape of one example.

    Weights are normal (He et al., arXiv 1502.01852): of convolutions with variance 2 / fan-out, which keeps the size of
    gradients, of linear layers with 2 / fan-in, which keeps that of activations; without ReLU a 1 takes the place of
    the 2. Biases are 0. Batch norm starts with gain 1 and bias 0, as torch has it.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            mode = "fan_out" if isinstance(module, nn.Conv2d) else "fan_in"
            nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity=nonlinearity)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    model.input_shape = input_shape
    return model
