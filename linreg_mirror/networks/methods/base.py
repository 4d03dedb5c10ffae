"""What methods have in common: the weights they act on, and the account of the penalty."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import torch

from linreg_mirror._tools.arguments import check_momentum, check_nonnegative
from linreg_mirror.networks._tools.lists import add_scaled
from linreg_mirror.networks._tools.norms import l1_norms
from linreg_mirror.networks.methods._binding import hooked, rate, retire, theta_groups
from linreg_mirror.networks.methods._clock import Clock, Rate
from linreg_mirror.networks.methods._decaying import Borrowed, decay_by, give_back
from linreg_mirror.networks.methods._docs import with_the_protocols_text
from linreg_mirror.networks.methods._ends import check_end
from linreg_mirror.networks.methods._held import Chosen, behind, hold, layer_of, release, silence
from linreg_mirror.networks.methods._options import naming_options
from linreg_mirror.networks.methods._processes import sharded, whole
from linreg_mirror.networks.methods._use import Use
from linreg_mirror.networks.optimizers._sgd import sgd
from linreg_mirror.networks.pruning.magnitude import Keep, largest
from linreg_mirror.networks.pruning.recalibration import checked
from linreg_mirror.networks.pruning.recalibration import recalibrate as measure_batch_norm
from sketching.application import apply_masks, remove_masks
from sketching.weights import Weights, prunable

Readings = Mapping[str, Sequence[float]]


class BaseMethod:
    """A method with penalty alpha |theta|^2 on the parameters theta behind the weights; here these are the weights.

    Methods derive from it and say what is different; masks, groups of the optimiser, resuming and pruning come with it.

    Parameters
    ----------
    alpha : float
        Strength of the penalty.

    Attributes
    ----------
    cites : tuple of str
        BibTeX keys of the papers it comes from.
    denser, sparser : str
        What to do about an end that is too sparse or too dense, for a method that ends sparse by itself.
    takes_masks : bool
        Whether masks can be given to `attach`; not to a method that decides by itself which weights are pruned.
    takes_shards : bool
        Whether the model can be sharded by `torch.distributed.fsdp.fully_shard` after `attach`.
    takes_graph : bool
        Whether a step can be captured in a graph and replayed: if what changes from step to step is a tensor where `lr`
        is one, as `strength(lr)` and what `count_penalty(lr)` returns are.
    """

    cites: tuple[str, ...] = ()
    denser, sparser = "", ""
    takes_masks = True
    takes_shards = False
    takes_graph = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        with_the_protocols_text(cls)
        naming_options(cls)

    def __init__(self, alpha: float) -> None:
        check_nonnegative("alpha", alpha)
        self._clock = Clock(alpha)
        self._momentum = 0.0
        self._model: torch.nn.Module | None = None
        self._names: tuple[str, ...] = ()
        self._theta: list[torch.Tensor] = []
        self._theta_names: list[str] = []
        self._held: dict[str, list[torch.Tensor]] = {}
        self._hooks: list[Any] = []
        self._stepping: torch.optim.Optimizer | None = None
        self._borrowed: Borrowed = []
        self._use = Use()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(alpha={self.alpha:.4g}, A={self.decay:.4g})"

    @property
    def alpha(self) -> float:
        """Strength of the penalty now."""
        return self._clock.alpha

    @alpha.setter
    def alpha(self, value: float) -> None:
        self._clock.alpha = value

    @property
    def decay(self) -> float:
        """A, the sum of lr/(1 - momentum) alpha over the steps; where lr is a tensor the host waits for it."""
        return self._clock.decay

    @decay.setter
    def decay(self, value: float) -> None:
        self._clock.decay = value

    @property
    def log_scale(self) -> float | None:
        """None: there is no scale."""
        return None

    def attach(
        self, model: torch.nn.Module, masks: Mapping[str, Any] | None = None, *, weights: Weights | None = None
    ) -> None:
        """Act on the prunable weights of a model from now on; weights that masks prune are set to 0."""
        if self._model is not None:
            raise RuntimeError("a model is attached already: make one method for each model")
        if isinstance(model, torch.nn.parallel.DistributedDataParallel):
            raise ValueError(
                "the model is wrapped: attach to the plain model, method.attach(model.module), then wrap it"
            )
        if masks is not None and not self.takes_masks:
            raise ValueError(
                f"{type(self).__name__} decides by itself which weights are pruned: give masks to another method, such "
                "as dense or pilot"
            )
        chosen = prunable(model, weights)
        if any(map(sharded, chosen.values())):
            raise ValueError("the model is sharded already: attach first, method.attach(model), then fully_shard it")
        held = hold(model, chosen, self._own_masks(model, chosen) if masks is None else masks)
        self._theta = self._parameters_of(model, chosen)
        self._held = {name: behind(model, name) for name in held}
        self._names, self._model = tuple(chosen), model
        named: dict[torch.Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
        self._theta_names = [named[parameter] for parameter in self._theta]
        self._use.begin(self._theta)
        alive = set(model.parameters())
        retire(
            (parameter for parameter in chosen.values() if parameter not in alive),
            "attach has put other parameters in the place of this weight, and an optimiser made before would move only "
            "biases: make it after method.attach(model)",
        )

    def _own_masks(self, model: torch.nn.Module, weights: Chosen) -> Mapping[str, Any]:
        """Return masks that hold throughout training."""
        return {}

    def _parameters_of(self, model: torch.nn.Module, weights: Chosen) -> list[torch.Tensor]:
        """Write the weights as the method builds them, and return the parameters behind them."""
        return list(weights.values())

    def optimizer(
        self, model: torch.nn.Module, *, lr: Rate, momentum: float, weight_decay: float
    ) -> torch.optim.Optimizer:
        """Return stochastic gradient descent with heavy-ball momentum."""
        return sgd(self.groups(model, momentum=momentum, weight_decay=weight_decay), lr, momentum)

    def groups(self, model: torch.nn.Module, *, momentum: float, weight_decay: float) -> list[dict[str, Any]]:
        """Return the parameters behind the weights without weight decay, and the others with it."""
        check_momentum(momentum)
        check_nonnegative("weight_decay", weight_decay)
        self._look_up_theta()
        self._momentum = float(momentum)
        trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
        own = set(self._theta)
        theta = [parameter for parameter in trainable if parameter in own]
        if len(theta) != len(own):
            raise ValueError("this is not the model that the method is attached to: pass that one, or what wraps it")
        rest = [parameter for parameter in trainable if parameter not in own]
        groups = [{"params": theta, "weight_decay": 0.0}, {"params": rest, "weight_decay": weight_decay}]
        return groups if rest else groups[:1]

    def bind(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Let every step of an optimiser make the calls before_step and after_step, with its own learning rate."""
        self._look_up_theta()
        if self._hooks:
            raise RuntimeError("the method is bound to an optimiser already: make one method for each model")
        groups = theta_groups(optimizer, self._theta)
        rate(groups)
        # Of optimisers that have none under this name, as Adam, it is what `groups` was told.
        momenta = {group["momentum"] for group in groups if "momentum" in group}
        self._momentum = float(momenta.pop()) if len(momenta) == 1 else self._momentum
        self._hooks = hooked(optimizer, self._theta, self._before_own_step, self._after_own_step)
        return optimizer

    def _look_up_theta(self) -> None:
        """Find the parameters behind the weights again: sharding has put others in their places."""
        model = self._attached()
        self._theta = [model.get_parameter(name) for name in self._theta_names]
        self._held = {name: behind(model, name) for name in self._held}
        if not any(map(sharded, self._theta)):
            return
        if not self.takes_shards or self._held:
            what = "masks do not hold" if self.takes_shards else f"{type(self).__name__} does not work"
            raise ValueError(
                f"{what} on sharded weights: wrap the model in torch.nn.parallel.DistributedDataParallel instead of "
                "fully_shard, or take dense, l1, spred, pilot or powerprop, without masks"
            )

    def _before_own_step(self, lr: Rate, optimizer: torch.optim.Optimizer) -> None:
        give_back(self._borrowed)  # of a step that failed
        self._stepping = optimizer
        try:
            self.before_step(lr)
        finally:
            self._stepping = None

    def _after_own_step(self, lr: Rate) -> None:
        give_back(self._borrowed)
        self.after_step(lr)

    @torch.no_grad()
    def before_step(self, lr: Rate) -> None:
        """Add 2 alpha theta to the gradients of theta."""
        theta, gradients = self.theta_and_gradients()
        self.count_penalty(lr)
        if self.alpha:  # whose being 0 is a phase of its own
            strength = 2 * self.strength(lr)
            if self._stepping is not None:
                self._borrowed = decay_by(self._stepping, self._theta, strength)
            if not self._borrowed:
                add_scaled(gradients, theta, strength)

    def after_step(self, lr: Rate) -> None:
        """Do nothing."""

    def phase(self) -> Hashable:
        """Return whether there is a penalty."""
        return bool(self.alpha)

    def replayed(self) -> None:
        """Take note that the clock has moved."""
        self._use.stepped = True
        self._clock.moved()

    def readings(self) -> dict[str, torch.Tensor]:
        """Return A, where the host does not know it."""
        decay = self._clock.unread()
        return {} if decay is None else {"decay": decay}

    def after_epoch(self, accuracy: float, readings: Readings | None = None) -> None:
        """Take note of A: alpha is constant."""
        self._use.counted = True
        if readings and "decay" in readings:
            self._clock.read(readings["decay"][0])

    def report(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def l1_norm(self) -> float:
        """Return |x|_1 of all prunable weights."""
        return sum(l1_norms(self.weights().values()).tolist())

    def finish(
        self, keep: Keep | None = None, *, hold: bool = False, recalibrate: Iterable[Any] | None = None
    ) -> dict[str, torch.Tensor]:
        """Make the weights plain parameters, and keep exactly this share of them all, the largest."""
        model = self._attached()
        if any(map(sharded, model.parameters())):
            raise ValueError(
                "the model is sharded: take its whole state by torch.distributed.checkpoint.state_dict, "
                "get_model_state_dict(model, options=StateDictOptions(full_state_dict=True)), load it into one that is "
                "not, with a method of the same kind attached, and finish that"
            )
        if self._theta:
            self._use.check(map(model.get_parameter, self._theta_names), self.alpha, bound=bool(self._hooks))
        weights = self._final()
        left = self._left(weights)
        masks = left if keep is None else largest(weights, keep)
        batches = None if recalibrate is None else checked(model, recalibrate)
        remove_masks(model)  # those that an earlier call holds
        behind_weights = {name: behind(model, name) for name in masks}
        self._make_plain(model)
        retire(
            (p for name, old in behind_weights.items() if model.get_parameter(name) not in set(old) for p in old),
            "finish has made plain weights of the factors that this optimiser moves: make a new one to train them",
        )
        release(model, self._held)
        for hook in self._hooks:
            hook.remove()
        self._theta, self._theta_names, self._held, self._hooks = [], [], {}, []
        with torch.no_grad():
            for name, mask in masks.items():
                model.get_parameter(name).masked_fill_(~mask, 0)
        if hold:
            apply_masks(model, masks)
        if batches is not None:
            measure_batch_norm(model, batches)
        if self.denser:
            check_end(left, None if keep is None else masks, keep=keep, denser=self.denser, sparser=self.sparser)
        return masks

    def _final(self) -> dict[str, torch.Tensor]:
        """Return the x of the finished model."""
        return self.weights()

    def _left(self, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return masks of what the method itself has not pruned."""
        return {name: x != 0 for name, x in weights.items()}

    def _make_plain(self, model: torch.nn.Module) -> None:
        """Make the weights plain parameters, once training is over."""

    def state_dict(self) -> dict[str, Any]:
        """Return alpha and its integral."""
        return {"alpha": self.alpha, "decay": self.decay}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        expected = list(self.state_dict())
        if sorted(state) != sorted(expected):
            raise ValueError(
                f"a state of {type(self).__name__} has the entries {', '.join(expected)}, got "
                f"{', '.join(map(str, state)) or 'none'}: load the state that this method saved"
            )
        self.alpha, self.decay = state["alpha"], state["decay"]
        self._use.resumed()

    def _attached(self) -> torch.nn.Module:
        if self._model is None:
            raise RuntimeError("no model is attached: call method.attach(model) first")
        return self._model

    @torch.no_grad()
    def weights(self) -> dict[str, torch.Tensor]:
        """Return x by name, whatever stands behind it."""
        model = self._attached()
        return {name: whole(getattr(*layer_of(model, name)).detach()) for name in self._names}

    def theta_and_gradients(self) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Return the parameters that have a gradient, as optimisers move no others, and the gradients.

        Behind weights that are masked gradients are now 0.

        Returns
        -------
        (list of torch.Tensor, list of torch.Tensor)
            As many of one as of the other; to be changed in place.

        Raises
        ------
        RuntimeError
            If no model is attached, or no weight has a gradient.
        """
        silence(self._attached(), self._held)
        self._use.stepped = True
        if self._hooks and self._stepping is None:
            raise RuntimeError("the method is bound: the optimiser's own step makes this call, leave it out")
        theta = [parameter for parameter in self._theta if parameter.grad is not None]
        if not theta:
            raise RuntimeError(
                "no weight has a gradient: call before_step after loss.backward() and before optimizer.step(), and not "
                "after finish"
            )
        return theta, [parameter.grad for parameter in theta if parameter.grad is not None]

    def strength(self, lr: Rate) -> Rate:
        """Return alpha, a number or a tensor as the learning rate is.

        Parameters
        ----------
        lr : float or torch.Tensor
            That of the step.

        Returns
        -------
        float or torch.Tensor
            A tensor, on the device of `lr`, is changed in place when alpha moves.
        """
        return self._clock.strength(lr)

    def count_penalty(self, lr: Rate) -> Rate:
        """Return lr/(1 - momentum) alpha, once it has been added to the decay.

        Parameters
        ----------
        lr : float or torch.Tensor
            That of the step.

        Returns
        -------
        float or torch.Tensor
            What the step adds to A, the clock of the penalty; a tensor if `lr` is one.

        Raises
        ------
        ValueError
            If lr is a number that is negative or not finite.
        """
        return self._clock.count(lr, self._momentum)


with_the_protocols_text(BaseMethod)
