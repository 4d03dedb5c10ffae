"""Networks to train and prune, as plain torch modules: `create("resnet20", seed=0)` makes one."""

from linreg_mirror.networks.models.registry import MODELS, create, input_shape

__all__ = ["MODELS", "create", "input_shape"]
