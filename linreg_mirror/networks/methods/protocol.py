"""What a method of sparse training implements."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import torch

from linreg_mirror.networks.pruning.magnitude import Keep
from sketching.weights import Weights


class Method(Protocol):
    """How the weights x of a model are built, what penalty they carry, and how they are pruned in the end.

    For the loop of any trainer::

        method.attach(model)
        optimizer = method.bind(method.optimizer(model, lr=0.2, momentum=0.9, weight_decay=1e-4))
        for every epoch:
            for every batch:
                optimizer.zero_grad(); loss.backward(); optimizer.step()
            method.after_epoch(accuracy)
        masks = method.finish(keep=0.05)
    """

    @property
    def alpha(self) -> float:
        """Strength of the penalty now."""
        ...

    @property
    def decay(self) -> float:
        """A, the integral of alpha in the optimiser's own time: the sum of lr/(1 - momentum) alpha over the steps."""
        ...

    def attach(
        self, model: torch.nn.Module, masks: Mapping[str, Any] | None = None, *, weights: Weights | None = None
    ) -> None:
        """Act on the prunable weights of a model, in place, from now on.

        To be called once, before the optimiser is made and before the model is wrapped for several processes, by
        DistributedDataParallel or, for dense, l1, spred, pilot and powerprop, by fully_shard. The model may be moved
        to another device or dtype, or compiled, before and after.

        Parameters
        ----------
        model : torch.nn.Module
            What is to be trained.
        masks : mapping of str to torch.Tensor, optional
            As for `sketching.apply_masks`. Where they prune, the weight is 0 at once, exactly, and stays so, after
            `finish` too; the rest starts multiplied by the factors, if they are such. Until `finish` the model has them
            as buffers, "layer.weight_mask": they are part of its state dict. A weight they keep can be 0 all the same.
        weights : optional
            Which weights, as in `sketching.prunable`: a function (name, parameter) -> bool, names, or patterns such as
            ["!head.*"]. Default: those of layers. Gates on channels stand on all channels whatever is chosen here.

        Raises
        ------
        ValueError
            If the model is none that `sketching.prunable` accepts, which has no prunable weight, a weight under two
            names or a parametrization already; if it is wrapped; or if masks do not fit it, or are given to a method
            that decides by itself which weights are pruned. Then nothing has been changed.
        RuntimeError
            If a model is attached already.
        """
        ...

    def optimizer(
        self, model: torch.nn.Module, *, lr: float | torch.Tensor, momentum: float, weight_decay: float
    ) -> torch.optim.Optimizer:
        """Return an optimiser: torch.optim.SGD, but for mirror descent.

        Parameters
        ----------
        model : torch.nn.Module
            The one attached, or what it is wrapped in since.
        lr : float or torch.Tensor
            Learning rate. A tensor of no dimension, on the device of the model, is read there and changed in place:
            steps make nobody wait, and can be captured in a graph. Those of SGD and Adam are then fused, whose
            kernels for CUDA want it in single precision.
        momentum : float
            Heavy ball, in [0, 1).
        weight_decay : float
            torch's, on the rest: biases and gains. The penalty on the weights is the method's own; dense training has
            none, so there it acts on all.

        Raises
        ------
        ValueError
            If a number is out of range, or another model is attached.
        RuntimeError
            If none is.
        """
        ...

    def groups(self, model: torch.nn.Module, *, momentum: float, weight_decay: float) -> list[dict[str, Any]]:
        """Return the parameter groups for a torch optimiser of your own.

        Parameters
        ----------
        model : torch.nn.Module
            That was attached.
        momentum : float
            That of your optimiser, 0 if it has none: here it is for the account of time alone.
        weight_decay : float
            As in `optimizer`.

        Raises
        ------
        ValueError
            If a number is out of range, or another model is attached.
        RuntimeError
            If none is.
        """
        ...

    def bind(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Let every step of an optimiser make the calls `before_step` and `after_step` by itself, until `finish`.

        The learning rate is that which its parameter group has in the step, whatever a schedule makes of it, and the
        momentum that of the group if it has one. One that is a tensor is not read by the host; alpha and A are then
        tensors beside it, until somebody asks for `decay`. A step that torch.amp.GradScaler skips does not count. The
        penalty is added within the step, after clipping, and after the step's closure if it has one, as Lightning's
        have; whether gradients hold it after the step is left open, since torch's SGD can take it as weight decay of
        that step, which saves memory traffic on a CPU. Copies of an optimiser have no hooks: bind the one that is used.

        Parameters
        ----------
        optimizer : torch.optim.Optimizer
            From `optimizer`, or one of your own made from `groups`.

        Returns
        -------
        torch.optim.Optimizer
            `optimizer` itself.

        Raises
        ------
        ValueError
            If it lacks parameters behind the weights, as one made before `attach`, or has several learning rates for
            them, or several tensors.
        RuntimeError
            If no model is attached or an optimiser is bound already; in a step, if a fused optimiser leaves the
            unscaling of gradients to its kernel, or a closure is called more than once.
        """
        ...

    def before_step(self, lr: float | torch.Tensor) -> None:
        """Add the gradient of the penalty to the gradients: between `loss.backward()` and `optimizer.step()`.

        Not after `bind`, which makes the call by itself. With torch.amp.GradScaler after `scaler.unscale_(optimizer)`,
        with clipping after it.

        Parameters
        ----------
        lr : float or torch.Tensor
            Learning rate of the step.
        """
        ...

    def after_step(self, lr: float | torch.Tensor) -> None:
        """Do what follows `optimizer.step()`, such as a proximal step.

        Parameters
        ----------
        lr : float or torch.Tensor
            Learning rate of the step.
        """
        ...

    def phase(self) -> Hashable:
        """Return what the next step does, beside numbers, or None where no graph can stand for it.

        A graph that has captured a step of one phase stands for others of that phase. What the method counts by itself
        in such steps it does when it is told of them, by `replayed`.
        """
        ...

    def replayed(self) -> None:
        """Take note that a graph has made a step: `before_step` and `after_step` were not called."""
        ...

    def readings(self) -> dict[str, torch.Tensor]:
        """Return what `after_epoch` looks at and the host does not know, so that a loop can read all it wants at once.

        Returns
        -------
        dict of str to torch.Tensor
            Small tensors.
        """
        ...

    def after_epoch(self, accuracy: float, readings: Mapping[str, Sequence[float]] | None = None) -> None:
        """Move alpha.

        Parameters
        ----------
        accuracy : float
            Training accuracy of the epoch, in [0, 1]. In several processes each gives its own, all of them call this,
            and it is the mean that counts.
        readings : mapping of str to sequence of float, optional
            The entries of what `readings` returned after the last step. Default: the host waits for them now.
        """
        ...

    @property
    def log_scale(self) -> float | None:
        """log b that the decay has left, b = beta/2 exp(-4A), where the method has a scale."""
        ...

    def weights(self) -> dict[str, torch.Tensor]:
        """Return x by the names of the prunable weights, whatever stands behind them."""
        ...

    def report(self) -> dict[str, Any]:
        """Return what else is worth keeping after an epoch, fit for JSON: a run has it in its history."""
        ...

    def l1_norm(self) -> float:
        """Return |x|_1 of all prunable weights."""
        ...

    def finish(
        self, keep: Keep | None = None, *, hold: bool = False, recalibrate: Iterable[Any] | None = None
    ) -> dict[str, torch.Tensor]:
        """Make the weights plain parameters, and prune the smallest of them all. Called again, it prunes further.

        Parameters
        ----------
        keep : float, str or mapping, optional
            Share of all prunable weights that is kept, in [0, 1]: exactly `sketching.allocation.places` of them. The
            others become zero. Or "2:4", or shares by name and pattern: see `linreg_mirror.networks.pruning.largest`.
            Default: nothing is pruned.
        hold : bool
            Keep the masks on the weights, as `sketching.apply_masks` does, so that training goes on with the zeros as
            they are; `sketching.remove_masks` takes them away. Make the optimiser that trains on afterwards.
        recalibrate : iterable, optional
            Batches of training examples, by which batch norm gets statistics of what is left:
            `linreg_mirror.networks.pruning.recalibrate`. Default: it keeps those of the network before it was pruned,
            which can cost most of the accuracy. Without batch norm it makes no difference.

        Returns
        -------
        dict of str to torch.Tensor
            bool, by names of the weights: those kept; by default those that are not zero.

        Raises
        ------
        ValueError
            If keep is not in [0, 1], a weight is NaN, or there is no batch to recalibrate by. Then nothing has been
            changed, nor where the model does not take the first of the batches.
        RuntimeError
            If no model is attached.

        Warns
        -----
        UserWarning
            If weights were trained and no step had the penalty, or alpha moves and `after_epoch` was never called.

        Notes
        -----
        To train on behind batch norm after a penalty on the weights, start at about 1/100 of the training rate. The
        penalty has made the weights in front of batch norm small, so that the same rate is a far larger relative step.
        On scikit-learn's digits, with three convolutions, trained at 0.05 by PILoT with A = 1.9 and pruned to 5 %,
        these weights have a norm of 0.1, against 2 in dense training. An epoch more at 0.05 loses 9 to 14 points of
        accuracy (three seeds), at 0.0005 at most 0.3. Dense training has no such penalty, and wants its own rate.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return what changes during training, but for the model: numbers and None, fit for JSON."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned.

        Parameters
        ----------
        state : mapping
            Of the same method.

        Raises
        ------
        ValueError
            If the state has other entries, as that of another method.
        """
        ...
