"""Mirror descent on the weights themselves: the bias of x = m*w without m and w."""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._compile import _disable_dynamo as _uncompiled  # torch.compiler.disable takes two seconds to import

from linreg_mirror._tools.arguments import check_momentum, check_nonnegative
from linreg_mirror.networks._tools.lists import add_scaled, lists, together
from linreg_mirror.networks.optimizers import _fused


class MirrorDescent(torch.optim.Optimizer):
    """Stochastic mirror descent on x = b sinh(2z), entry by entry, with a scale b that the penalty shrinks.

    In each step velocity <- momentum velocity + gradient, z <- z - lr velocity and
    log b <- log b - 4 alpha lr/(1 - momentum); then x is written into the parameter. As lr -> 0 this is the path of
    gradient descent on the factors of x = m*w, m0^2 - w0^2 = beta, with the penalty alpha (|m|^2 + |w|^2).

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        Parameters or parameter groups, as for any torch optimiser. All that follows can be set for each group, and
        changed in `param_groups` at any time.
    lr : float or Tensor
        Learning rate, >= 0. A tensor of no dimension is read on its device, as alpha can be: then log b is one too, in
        double precision, no step waits for numbers, and it can be captured in a graph.
    momentum : float
        Heavy ball, in [0, 1), as in torch.optim.SGD; it acts on z.
    alpha : float or Tensor
        Penalty, >= 0. torch's `weight_decay` of kappa on m and w is alpha = kappa/2.
    beta : float or None
        Twice the scale at which a parameter starts, > 0: later changes do not matter. With 1, PILoT's, a weight at 0
        starts as fast as in plain training. None is plain training, torch.optim.SGD, for biases and norms: there is no
        scale, and alpha does not matter.
    weight_decay : float
        kappa >= 0 of the penalty kappa/2 |x|^2, the one of torch.optim.SGD, for x itself and any beta.

    Raises
    ------
    ValueError
        If one of these numbers is out of range; in `step`, if it has become so since. Tensors are not looked at.
    TypeError
        If a parameter does not hold real floats; in `step`, if a gradient is sparse. Then no parameter has changed.

    Notes
    -----
    Mask in the Mirror (arXiv 2408.09966), Theorem 2.1 in the corrected form and Algorithm 1: with A the sum of
    alpha lr/(1 - momentum), log b is log(beta/2) - 4A. In linear regression a run that reaches Xx = y ends in
    `linreg_mirror.limit` exactly, however long its steps and whatever its momentum and batches, which m*w does only as
    lr -> 0.

    The state of a parameter is `z` and, with momentum, `momentum_buffer`, both in float32 or, if that is more, in the
    dtype of the parameter, and `log_scale`, one number. The error of x relative to x is |log b| times the rounding of
    z: 6e-6 at log b = -100 in float32, and 1e-11 at log b = -1e5 in float64.

    On a CPU with at most four threads, plain parameters of 512 and more entries in single precision take their steps in
    compiled code, by one pass over memory; all others in torch. The two are the same to rounding. Where lr is a tensor,
    `torch.compile(optimizer.step)` compiles the arithmetic of a step, too.

    Weights that others change between steps (pruning, loading) continue from their new values, at the current scale
    and with their velocity; all others keep their z to the bit. Changes in place through `.data` are hidden from
    torch too, and undone in the next step: write `with torch.no_grad(): parameter[...] = 0`. A parameter without
    gradient is left as it is, its scale too.

    Examples
    --------
    >>> import torch
    >>> from linreg_mirror.networks.optimizers.mirror_descent import MirrorDescent
    >>> model = torch.nn.Linear(3, 2)
    >>> weights = {"params": [model.weight], "alpha": 1e-3}
    >>> optimizer = MirrorDescent([weights, {"params": [model.bias], "beta": None}], lr=0.1, momentum=0.9)
    >>> model(torch.ones(1, 3)).square().sum().backward()
    >>> optimizer.step()
    """

    cites = ("jacobs2025mask",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor,
        momentum: float = 0.0,
        *,
        alpha: float | Tensor = 0.0,
        beta: float | None = 1.0,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "alpha": alpha, "beta": beta, "weight_decay": weight_decay}
        super().__init__(params, defaults)
        # Stamps of the parameters when x was last written: where one differs, somebody else has written.
        self._written: dict[Tensor, tuple[int, int]] = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._written = {}

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, or raise as the constructor does."""
        super().add_param_group(param_group)
        try:
            _check(self.param_groups[-1])
            _check_dtypes(self.param_groups[-1]["params"])
        except (TypeError, ValueError):
            self.param_groups.pop()
            raise

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what `state_dict` returned, bit for bit."""
        super().load_state_dict(state_dict)
        keys = chain.from_iterable(group["params"] for group in state_dict["param_groups"])
        parameters = chain.from_iterable(group["params"] for group in self.param_groups)
        for key, parameter in zip(keys, parameters, strict=True):
            for name, value in state_dict["state"].get(key, {}).items():
                if isinstance(value, Tensor):
                    # torch has cast it to the parameter's dtype, and shares it where there was nothing to cast.
                    self.state[parameter][name] = value.to(parameter.device, copy=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step; return what the closure returns, or None.

        Parameters
        ----------
        closure : callable, optional
            Computes loss and gradients again, and returns the loss.

        Raises
        ------
        TypeError
            If a gradient is sparse.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            _check(group)
            if any(p.grad is not None and p.grad.layout != torch.strided for p in group["params"]):
                raise TypeError("gradients must be dense, got a sparse one: make the embedding with sparse=False")
        for group in self.param_groups:
            for parameters in together(self._advance_at_once(group)):
                self._advance(parameters, group)
        return loss

    def _advance_at_once(self, group: dict[str, Any]) -> list[Tensor]:
        """Take the step of all parameters that the compiled kernel is made for; return the others."""
        moving = [p for p in group["params"] if p.grad is not None]
        lr, momentum, alpha = group["lr"], group["momentum"], group["alpha"]
        there = isinstance(lr, Tensor) or isinstance(alpha, Tensor)
        if group["beta"] is None or group["weight_decay"] or there or not _fused.pays():
            return moving
        rest, rows, scales = [], [], []
        for p in moving:
            if _fused.fits(p, p.grad):
                state = self._mirror_state(p, group["beta"], False)
                row = p, state["z"], self._momentum_buffer(p) if momentum else p.grad, p.grad
                log_b = state["log_scale"] - 4 * alpha * lr / (1 - momentum)
                if _fused.takes(log_b) and _fused.fits(*row[1:]):
                    state["log_scale"] = log_b
                    scales.append(log_b)
                    rows.append(row)
                    continue
            rest.append(p)
        if rows:
            _fused.advance(rows, scales, float(lr), momentum)
            self._note(row[0] for row in rows)
        return rest

    def _advance(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        # Compilers would take numbers that change for constants, and compile every step anew.
        move = _move if isinstance(group["lr"], Tensor) else _move_by_numbers
        move(parameters, *self._states(parameters, group), group)
        if group["beta"] is not None:
            self._note(parameters)

    @_uncompiled  # otherwise torch.compile has all parameters share one state
    def _states(self, parameters: list[Tensor], group: dict[str, Any]) -> tuple[list[Tensor], list[Tensor], list[Any]]:
        """Return velocities, z for what the parameters are now, and log b: as a number that after the step."""
        lr, momentum, alpha, beta = (group[name] for name in ("lr", "momentum", "alpha", "beta"))
        buffers = [self._momentum_buffer(p) for p in parameters] if momentum else []
        if beta is None:
            return buffers, [], []
        there = isinstance(lr, Tensor) or isinstance(alpha, Tensor)
        states = [self._mirror_state(p, beta, there) for p in parameters]
        if not there:
            for state in states:
                state["log_scale"] -= 4 * alpha * lr / (1 - momentum)
        return buffers, [state["z"] for state in states], [state["log_scale"] for state in states]

    @_uncompiled
    def _note(self, parameters: Iterable[Tensor]) -> None:
        self._written |= {p: _stamp(p) for p in parameters}

    def _momentum_buffer(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter, dtype=_wide(parameter))
        return state["momentum_buffer"]

    def _mirror_state(self, parameter: Tensor, beta: float, there: bool) -> dict[str, Any]:
        """Return log b, there on the device or as a number, and a z that stands for what the parameter is now."""
        state = self.state[parameter]
        if "z" not in state:
            state["log_scale"] = math.log(beta / 2)
            state["z"] = _dual(parameter, state["log_scale"])
        elif self._written.get(parameter) != _stamp(parameter):
            # Entries that are as they were keep every bit of z, so that a run that is loaded goes on as if it had not
            # been interrupted. To compare all costs as much as a step: hence the stamps.
            z, log_b = state["z"], state["log_scale"]
            (x,) = _primal([z], [log_b])
            changed = parameter != x.to(parameter.dtype)
            if _fused.takes(log_b) and _fused.fits(parameter, z):
                changed &= parameter != _fused.primal(z, log_b)  # whose last digits may be others
            # In place, where a graph that has captured a step finds it.
            z.copy_(torch.where(changed, _dual(parameter, log_b), z))
        if there != isinstance(state["log_scale"], Tensor):
            log_b = float(state["log_scale"])
            state["log_scale"] = parameter.new_full((), log_b, dtype=torch.float64) if there else log_b
        return state


def _move(
    parameters: list[Tensor], buffers: list[Tensor], z: list[Tensor], log_b: list[Any], group: dict[str, Any]
) -> None:
    """Take the step of parameters whose states are there."""
    lr, momentum = group["lr"], group["momentum"]
    velocity = [p.grad for p in parameters if p.grad is not None]
    if group["weight_decay"]:
        velocity = lists._foreach_add(velocity, parameters, alpha=group["weight_decay"])
    if momentum:
        lists._foreach_mul_(buffers, momentum)
        lists._foreach_add_(buffers, velocity)
        velocity = buffers
    if group["beta"] is None:
        add_scaled(parameters, velocity, -lr)
        return
    add_scaled(z, velocity, -lr)
    if isinstance(log_b[0], Tensor):
        lost = 4 * group["alpha"] * (lr.double() if isinstance(lr, Tensor) else lr) / (1 - momentum)
        lists._foreach_add_(log_b, lost, alpha=-1)
    lists._foreach_copy_(parameters, _primal(z, log_b))


_move_by_numbers = _uncompiled(_move)


def _primal(z: Sequence[Tensor], log_b: Sequence[Any]) -> Sequence[Tensor]:
    """Return b sinh(2z)."""
    there = isinstance(log_b[0], Tensor)  # where the host does not know it
    # Down to here sinh overflows only where x is beyond the square root of the largest number.
    if not there and min(log_b) > -0.5 * math.log(torch.finfo(z[0].dtype).max):
        x = lists._foreach_mul(z, 2.0)
        lists._foreach_sinh_(x)
        lists._foreach_mul_(x, [math.exp(each) for each in log_b])
        return x
    # sign(z) exp(2|z| + log b - log 2) (1 - exp(-4|z|)), at twice the price.
    x = lists._foreach_abs(z)
    lists._foreach_mul_(x, 2.0)
    rest = lists._foreach_mul(x, -2.0)
    lists._foreach_expm1_(rest)
    lists._foreach_mul_(rest, lists._foreach_sign(z))
    lists._foreach_add_(x, lists._foreach_add(log_b, -math.log(2)) if there else [b - math.log(2) for b in log_b])
    lists._foreach_exp_(x)
    lists._foreach_mul_(x, rest)
    lists._foreach_neg_(x)
    return x


def _dual(x: Tensor, log_b: float | Tensor) -> Tensor:
    """Return arcsinh(x/b) / 2."""
    x = x.to(_wide(x))
    size, tiny = x.abs(), torch.finfo(x.dtype).tiny
    if isinstance(log_b, Tensor):
        b: Any = log_b.exp()
        least, wide = b.clamp_min(tiny), b.to(x.dtype)
    else:
        b = math.exp(log_b)
        least, wide = max(b, tiny), torch.full_like(size, b)
    # Of what is below the smallest normal number, as b may be, only zero matters.
    small = torch.asinh(size / least)
    large = torch.log(size + torch.hypot(size, wide)) - log_b
    return 0.5 * x.sign() * torch.where(size <= b, small, large)


def _wide(parameter: Tensor) -> torch.dtype:
    return torch.promote_types(parameter.dtype, torch.float32)


def _stamp(parameter: Tensor) -> tuple[int, int]:
    """Return what differs after the parameter has been written to."""
    return parameter._version, parameter.data_ptr()


def _check(group: dict[str, Any]) -> None:
    check_momentum(group["momentum"])
    for name in ("lr", "alpha", "weight_decay"):
        if name == "weight_decay" or not isinstance(group[name], Tensor):
            check_nonnegative(name, group[name])
    beta = group["beta"]
    if beta is not None and not (isinstance(beta, int | float | np.number) and 0 < beta < math.inf):
        raise ValueError(
            f"beta must be a finite number > 0, or None for plain SGD, got {beta!r}: write beta=1.0; a start with "
            "|m| = |w|, beta = 0, has no mirror"
        )


def _check_dtypes(parameters: list[Tensor]) -> None:
    for parameter in parameters:
        if not parameter.is_floating_point():
            raise TypeError(
                f"parameters must hold real floats, got {parameter.dtype}: for a complex weight, make its real and "
                "imaginary parts parameters"
            )
