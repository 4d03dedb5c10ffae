"""The settings of a run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from linreg_mirror._tools.arguments import check_integer, check_momentum, check_nonnegative, check_range
from linreg_mirror.networks.recipes.finetune import Finetune
from linreg_mirror.networks.recipes.iterative import Iterative

Part = Mapping[str, Any]
_Schedule = Literal["constant", "cosine", "step"]
_Precision = Literal["float32", "float64", "bfloat16"]
_Compile = bool | Literal["graph"]
AUGMENTATIONS = ("padding", "area", "flip")


@dataclass(frozen=True)
class Recipe:
    """The settings of one run. It is named after those that differ from the defaults.

    Attributes
    ----------
    data, model, method : mapping
        A name, under "name", and the options of that dataset, model or method. Methods that have `for_decay`, pilot and
        pilot-mirror, take decay = 1.9 in place of alpha: the alpha that makes this A, whatever epochs and lr are.
    epochs : int
        How many times all training examples are seen.
    batch : int
        Examples in a step, those of all processes together.
    lr : float
        Learning rate at its highest.
    momentum : float
        Of SGD, in [0, 1).
    weight_decay : float
        torch's, on what the method leaves alone: biases and norms; in dense training on the weights too.
    schedule : {"cosine", "step", "constant"}
        How the learning rate falls: to 0 along half a cosine, or at each milestone, or not at all.
    milestones : sequence of int
        Epochs, for "step".
    factor : float
        By which the learning rate is multiplied at each milestone, in (0, 1].
    warmup : int
        Epochs in which the learning rate rises from 0.
    augment : bool or mapping
        Crop at random after padding by 4, and flip; with other settings {padding = 2, flip = false}. Images that are
        read as they are needed are cropped at random and resized: {area = 0.08, flip = true}.
    precision : {"float32", "float64", "bfloat16"}, optional
        bfloat16 is used within layers, by autocast; weights stay in single precision. Default: bfloat16 on CUDA,
        float32 elsewhere.
    compile : bool or "graph"
        Whether torch compiles the model; "graph" captures whole steps instead, from forward pass to optimiser, as one
        CUDA graph. Elsewhere steps are recorded and replayed, which shows that they can be captured, and no more.
    channels_last, cudnn_benchmark : bool, optional
        Whether images are stored with channels last, and whether cuDNN tries its algorithms and takes the fastest.
        Default: on CUDA.
    weights : sequence of str
        Names or patterns of the weights that are pruned, as in `sketching.prunable`. Default: those of layers.
    recalibrate : int
        Training examples, at most, by which batch norm gets new statistics once the network is pruned, 0 for none.
        Accuracy is measured before and after.
    finetune : Finetune, optional
        Train on what pruning leaves, the zeros held. In a file a table, such as finetune = {epochs = 5, lr = 0.01}.
    validation : int
        Training examples to hold out, and to test on in place of the test set: for choosing settings.
    seed : int
        Of weights, order of examples, augmentation, and of the method if it draws.
    iterative : Iterative, optional
        Train in cycles, each on fewer weights; every cycle takes `epochs`. In a file a table, such as
        iterative = {rewind = "weights", cycles = 25}.

    Raises
    ------
    ValueError
        If a setting is out of range, or two contradict each other.
    """

    data: Part = field(default_factory=lambda: {"name": "digits"})
    model: Part = field(default_factory=lambda: {"name": "mlp"})
    method: Part = field(default_factory=lambda: {"name": "dense"})
    epochs: int = 60
    batch: int = 64
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: _Schedule = "cosine"
    milestones: Sequence[int] = ()
    factor: float = 0.1
    warmup: int = 0
    augment: bool | Mapping[str, Any] = False
    precision: _Precision | None = None
    compile: _Compile = False
    channels_last: bool | None = None
    cudnn_benchmark: bool | None = None
    weights: Sequence[str] = ()
    recalibrate: int = 10_000
    finetune: Finetune | None = None
    validation: int = 0
    seed: int = 0
    iterative: Iterative | None = None

    def __post_init__(self) -> None:
        for part in ("data", "model", "method"):
            value = getattr(self, part)
            if not (isinstance(value, Mapping) and isinstance(value.get("name"), str)):
                raise ValueError(f'{part} must be a table with a name, got {value!r}: write {part} = {{name = "..."}}')
        check_integer("epochs", self.epochs, 1)
        check_integer("batch", self.batch, 1)
        check_integer("warmup", self.warmup, 0, self.epochs)
        check_integer("recalibrate", self.recalibrate, 0)
        check_integer("validation", self.validation, 0)
        check_integer("seed", self.seed, 0, 2**63 - 1)
        check_momentum(self.momentum)
        check_nonnegative("weight_decay", self.weight_decay)
        for name, most in (("lr", math.inf), ("factor", 1)):
            check_range(name, getattr(self, name), 0, most, "0.1")
            if getattr(self, name) == 0:
                raise ValueError(f"{name} must be positive, got 0: write {name}=0.1")
        for name, allowed in (("schedule", get_args(_Schedule)), ("precision", (*get_args(_Precision), None))):
            if getattr(self, name) not in allowed:
                allowed = filter(None, allowed)
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        options = self.augment if isinstance(self.augment, Mapping) else {}
        if not (isinstance(self.augment, bool | Mapping) and options.keys() <= set(AUGMENTATIONS)):
            raise ValueError(
                f"augment must be true, false, or a table of padding or area, and flip, got {self.augment!r}: write "
                "augment = {padding = 2, flip = false}"
            )
        if not (isinstance(self.compile, bool) or self.compile == "graph"):
            raise ValueError(f'compile must be true, false or "graph", got {self.compile!r}')
        for name in ("channels_last", "cudnn_benchmark"):
            if not isinstance(getattr(self, name), bool | None):
                raise ValueError(
                    f"{name} must be true or false, got {getattr(self, name)!r}: leave it out for the device's default"
                )
        if not isinstance(self.milestones, list | tuple):
            raise ValueError(
                f"milestones must be a list of epochs, got {self.milestones!r}: write milestones=[80, 120]"
            )
        for milestone in self.milestones:
            check_integer("milestones", milestone, 1)
        if self.finetune is not None and not isinstance(self.finetune, Finetune):
            raise ValueError(f"finetune must be a Finetune, got {self.finetune!r}: write Finetune(epochs=5, lr=0.01)")
        if self.iterative is not None and not isinstance(self.iterative, Iterative):
            raise ValueError(f'iterative must be an Iterative, got {self.iterative!r}: write Iterative("weights")')
        if self.iterative is not None and (self.iterative.epoch or 0) >= self.epochs:
            raise ValueError(
                "iterative.epoch must be below epochs for weights to be rewound to its end, got "
                f"{self.iterative.epoch} where there are {self.epochs} in a cycle: write a smaller iterative.epoch, or "
                "more epochs"
            )
        if (self.schedule == "step") != bool(self.milestones):
            raise ValueError(
                f'milestones must be given with schedule = "step" and with no other, got schedule = "{self.schedule}" '
                f"and milestones = {list(self.milestones)}"
            )
        if not isinstance(self.weights, list | tuple) or not all(isinstance(one, str) for one in self.weights):
            raise ValueError(
                f'weights must be a list of names or patterns, got {self.weights!r}: write weights=["!head.*"]'
            )
        # A list is the same setting as a tuple, 1 the same as 1.0, and goes by the same name.
        for name in ("milestones", "weights"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("lr", "momentum", "weight_decay", "factor"):
            object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def unusual(self) -> dict[str, Any]:
        """The settings that differ from the defaults: a run is named after them."""
        usual = asdict(Recipe())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}

    def learning_rate(self, epoch: float) -> float:
        """Return the learning rate at a time of the run.

        Parameters
        ----------
        epoch : float
            Epochs done, from 0 to `epochs`; 1.5 is in the middle of the second.
        """
        if epoch < self.warmup:
            return self.lr * epoch / self.warmup
        if self.schedule == "cosine":
            return self.lr * (1 + math.cos(math.pi * (epoch - self.warmup) / max(self.epochs - self.warmup, 1))) / 2
        if self.schedule == "step":
            return self.lr * self.factor ** sum(epoch >= milestone for milestone in self.milestones)
        return self.lr
