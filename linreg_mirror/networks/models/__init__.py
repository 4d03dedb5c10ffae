"""The networks to try things on, plain torch modules, made by `create("resnet20", seed=0)`."""

from linreg_mirror.networks.models.registry import MODELS, create, input_shape

__all__ = ["MODELS", "create", "input_shape"]
