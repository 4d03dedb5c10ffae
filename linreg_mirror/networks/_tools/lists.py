"""torch's operations on lists of tensors: `lists._foreach_add_` and the like."""

from typing import Any

import torch

lists: Any = torch  # they are not among its typed names
