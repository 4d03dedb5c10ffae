"""Sketches of the linearised network: how large their error is, and how far the network is from linear.

A network f with weights theta, all else held, is linearised at theta: f(theta) + J((m - 1) theta) stands for
f(m theta), m being a mask or factors. J theta takes the place of Xw in the linear model. Batch norm is frozen at the
statistics of the given inputs on the unpruned network, and the other layers are in eval mode; the module is left as it
is.
"""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from sketching._arguments import check_count
from sketching._functional import Functional, Tensors, fitting, masked_weights, modes
from sketching.network_scores import jacobian_norm
from sketching.weights import prunable


@dataclass(frozen=True)
class LinearisedError:
    """Expected error of a sketch with replacement of the linearised network, next to what it is an error of.

    All are squared norms over all outputs of all examples.

    Attributes
    ----------
    error : float
        E |J((m - 1) theta)|^2.
    least : float
        The same for the best probabilities, those in proportion to `jacobian_norm`.
    signal : float
        |J theta|^2, the error of keeping nothing.
    output : float
        |f(theta)|^2.

    Examples
    --------
    >>> import torch
    >>> import sketching
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> error = sketching.ntk.expected_error(model, torch.eye(2), {"weight": torch.tensor([[0.5, 0.5]])}, k=1)
    >>> error.least <= error.error
    True
    """

    error: float
    least: float
    signal: float
    output: float

    @property
    def vacuous(self) -> bool:
        """Whether the error is larger than the signal: then to keep nothing is better on average."""
        return self.error > self.signal

    def __str__(self) -> str:
        return (
            f"expected error {self.error:.3g} (at best {self.least:.3g}), signal {self.signal:.3g}, "
            f"output {self.output:.3g}" + (": vacuous, to keep nothing would be better" if self.vacuous else "")
        )


@dataclass(frozen=True)
class LinearisationGap:
    """What a mask does to the network and to its linearisation.

    All are squared norms over all outputs of all examples.

    Attributes
    ----------
    signal : float
        |f(theta)|^2.
    linearised : float
        |J((m - 1) theta)|^2, the error that the linearised network predicts.
    true : float
        |f(m theta) - f(theta)|^2.
    gap : float
        |f(m theta) - f(theta) - J((m - 1) theta)|^2.

    Examples
    --------
    >>> import torch
    >>> import sketching
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> gap = sketching.ntk.linearisation_gap(model, torch.eye(2), {"weight": torch.tensor([[True, False]])})
    >>> gap.gap < 1e-12 * gap.signal  # a linear network is its own linearisation
    True
    """

    signal: float
    linearised: float
    true: float
    gap: float

    def __str__(self) -> str:
        far = 0 < self.true <= self.gap
        return (
            f"true error {self.true:.3g}, linearised {self.linearised:.3g}, gap {self.gap:.3g}, "
            f"signal {self.signal:.3g}" + (": not linear, the gap is as large as the error" if far else "")
        )


def expected_error(
    model: torch.nn.Module, inputs: torch.Tensor, probabilities: Mapping[str, Any], k: int
) -> LinearisedError:
    """Return the expected squared error of k draws with replacement, in the linearised network: exactly.

    E |J((m - 1) theta)|^2 = (1/k) [sum_i |J_i|^2 theta_i^2 / p_i - |J theta|^2] with m_i = (times i was drawn)/(k p_i),
    the factors of `selection.with_replacement`: the variance of importance sampling (Drineas, Kannan, Mahoney, SIAM J.
    Comput. 2006) with the Jacobian as the matrix.

    Parameters
    ----------
    model : torch.nn.Module
        The network; see `jacobian_norm` for what layers it may have.
    inputs : torch.Tensor, shape (n, ...)
        The examples.
    probabilities : mapping of str to array
        p: by name and shape of the weights, with sum 1 over all of them, positive wherever theta_i J_i is not 0.
    k : int
        How many draws, at least 1.

    Returns
    -------
    LinearisedError
        The error, and what it is relative to.

    Raises
    ------
    ValueError, TypeError
        As in `jacobian_norm`; or if probabilities have other names or shapes than the weights, are negative or not
        finite, do not add up to 1, or vanish where a weight matters, which would make the sketch biased.

    Examples
    --------
    >>> import torch
    >>> import sketching
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> model.weight.data = torch.ones(1, 2)
    >>> error = sketching.ntk.expected_error(model, torch.eye(2), {"weight": torch.tensor([[0.5, 0.5]])}, k=1)
    >>> round(error.error, 6), round(error.signal, 6)
    (2.0, 2.0)
    """
    check_count("k", k, least=1)
    p = _probabilities(model, probabilities)
    scores = {name: score.cpu().double() for name, score in jacobian_norm(model, inputs).items()}
    never = [name for name, score in scores.items() if ((p[name] == 0) & (score > 0)).any()]
    if never:
        raise ValueError(
            f"probabilities in {', '.join(never)} are 0 where a weight matters: the sketch would be biased; mix in a "
            "small share of uniform ones"
        )
    network = Functional(model)
    inputs = network.examples(inputs)
    network.freeze_batch_norm(inputs)
    outputs, linear = _jvp(network, inputs, network.weights)
    signal = _square(linear)
    second = sum(float((a**2 / p[name].where(a > 0, 1.0)).sum()) for name, a in scores.items())
    best = sum(float(a.sum()) for a in scores.values()) ** 2
    # Where one draw says all, rounding would leave less than nothing.
    error, least = (max(0.0, moment - signal) / k for moment in (second, best))
    return LinearisedError(error=error, least=least, signal=signal, output=_square(outputs))


def linearisation_gap(model: torch.nn.Module, inputs: torch.Tensor, masks: Mapping[str, Any]) -> LinearisationGap:
    """Return what the linearised network says of a mask and what the network does, side by side.

    One forward derivative; no Jacobian is stored.

    Parameters
    ----------
    model : torch.nn.Module
        The network; layers must have forward derivatives in torch.
    inputs : torch.Tensor, shape (n, ...)
        The examples.
    masks : mapping of str to array
        Masks or factors for all weights.

    Returns
    -------
    LinearisationGap
        Both changes of the outputs.

    Raises
    ------
    ValueError, TypeError
        As in `jacobian_norm`.

    Examples
    --------
    >>> import torch
    >>> import sketching
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> model.weight.data = torch.tensor([[1.0, 3.0]])
    >>> gap = sketching.ntk.linearisation_gap(model, torch.eye(2), {"weight": torch.tensor([[True, False]])})
    >>> round(gap.signal, 6), round(gap.true, 6), round(gap.linearised, 6)
    (10.0, 9.0, 9.0)
    """
    network = Functional(model)
    masked = masked_weights(model, masks)
    inputs = network.examples(inputs)
    network.freeze_batch_norm(inputs)
    outputs, linear = _jvp(network, inputs, {name: masked[name] - w for name, w in network.weights.items()})
    with modes(model):
        change = network(masked, inputs) - outputs
    return LinearisationGap(
        signal=_square(outputs), linearised=_square(linear), true=_square(change), gap=_square(change - linear)
    )


def _jvp(network: Functional, inputs: torch.Tensor, direction: Tensors) -> tuple[torch.Tensor, torch.Tensor]:
    """Return f and J times the direction."""
    with warnings.catch_warnings(), modes(network.model):
        # torch calls what it has deprecated itself when forward derivatives are used for the first time.
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
        outputs, change, *_ = torch.func.jvp(lambda weights: network(weights, inputs), (network.weights,), (direction,))
    return outputs, change


def _square(tensor: torch.Tensor) -> float:
    return float(tensor.detach().cpu().double().square().sum())


def _probabilities(model: torch.nn.Module, probabilities: Mapping[str, Any]) -> Tensors:
    wide = {name: weight.detach().cpu().double() for name, weight in prunable(model).items()}
    p = fitting("probabilities", probabilities, wide)
    total = sum(float(array.sum()) for array in p.values())
    if any((array < 0).any() for array in p.values()) or not math.isclose(total, 1, rel_tol=1e-5):
        raise ValueError(f"probabilities must not be negative and add up to 1 over all weights, got a sum of {total}")
    return p
