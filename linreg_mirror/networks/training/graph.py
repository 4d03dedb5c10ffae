"""Steps that are captured once as a graph, and replayed: forward, backward, penalty and optimiser in one launch."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from linreg_mirror.networks._tools.capturing import capturing
from linreg_mirror.networks.methods import Method
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training.checks import check_graph
from linreg_mirror.networks.training.distributed import Team
from linreg_mirror.networks.training.recording import Recording
from linreg_mirror.networks.training.step import Step

_WARM_UP = 3  # steps, in which libraries choose their kernels and optimisers make their states

Take = Callable[[torch.Tensor, torch.Tensor, int], None]


def prepared(
    recipe: Recipe, method: Method, model: torch.nn.Module, processes: Team, device: torch.device
) -> tuple[Step, Take]:
    """Return the step of a run, with an optimiser that is bound to the method, and what takes it.

    Raises
    ------
    ValueError
        If the recipe asks for a graph that cannot be.
    """
    lr: Any = recipe.lr
    captures = recipe.compile == "graph"
    if captures:
        check_graph(method, recipe)
        # CUDA's fused kernels read learning rates in single precision.
        dtype = torch.float32 if device.type == "cuda" else torch.float64
        lr = torch.full((), lr, dtype=dtype, device=device)
    optimizer = method.bind(method.optimizer(model, lr=lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay))
    forward: Any = model if captures else processes.wrapped(model)
    if recipe.compile is True:
        forward = torch.compile(forward)
    step = Step(forward, optimizer, recipe, device, processes.size)
    if captures:
        step.share = lambda: processes.averaged(model)
    return step, Replayed(step, method, recipe.batch) if captures else step


class Replayed:
    """Takes steps as `Step` does, those on full batches as replays of a graph.

    A graph is that of one phase of the method, and of one shape. So steps outside of it are the first of a phase, those
    that the method takes by itself, and the last of an epoch if its batch is smaller: padded examples would change the
    statistics of batch norm.

    Parameters
    ----------
    step : Step
        Whose optimiser and method have a learning rate that is a tensor.
    method : Method
        Bound to the optimiser.
    full : int
        Examples in a full batch.
    """

    def __init__(self, step: Step, method: Method, full: int) -> None:
        self.step, self.method, self.full = step, method, full
        self._batch: tuple[torch.Tensor, torch.Tensor] | None = None
        self._graphs: dict[Hashable, Callable[[], None]] = {}
        self._taken: Counter[Hashable] = Counter()

    def __call__(self, inputs: torch.Tensor, labels: torch.Tensor, joint: int) -> None:
        """Take a step; arguments as of `Step`."""
        phase = self.method.phase()
        if phase is None or joint < self.full:
            self.step(inputs, labels, joint)
            return
        static = self._put(inputs, labels)
        if phase in self._graphs:
            self._graphs[phase]()
            self.method.replayed()
        elif self._taken[phase] < _WARM_UP:
            self._taken[phase] += 1
            with _aside(inputs.device):
                self.step(*static, joint)
        else:
            self._graphs[phase] = captured(lambda: self.step(*static, joint), inputs.device)

    def _put(self, inputs: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Copy the batch to where graphs read it."""
        if self._batch is None:
            self._batch = torch.empty_like(inputs), torch.empty_like(labels)
        for static, new in zip(self._batch, (inputs, labels), strict=True):
            static.copy_(new)
        return self._batch


def captured(step: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Take a step once, and return what takes it again: what has the same tensors changed in the same way.

    On CUDA this is a graph. Elsewhere, where nothing is gained by it, the operations are recorded and replayed, so that
    the same can be tested.

    Parameters
    ----------
    step : callable
        Takes a step, on tensors that stay where they are: copy every batch into them.
    device : torch.device
        Of the model.

    Returns
    -------
    callable
        The replay.

    Raises
    ------
    RuntimeError
        If the step cannot be captured, as one in which the host reads a number of the device.
    ValueError
        If it would go wrong when replayed: an optimiser makes its state in it, or a method's learning rate is a number.

    Notes
    -----
    In a loop of your own: the learning rate is a tensor, the first three steps warm up, and the method is told of every
    replay.

    Examples
    --------
    >>> import torch
    >>> from linreg_mirror.networks.methods import PILoT
    >>> from linreg_mirror.networks.training.graph import captured
    >>> model, method = torch.nn.Linear(4, 2), PILoT(epochs=2, alpha=0.1, K=0.0)
    >>> method.attach(model)
    >>> lr, inputs = torch.tensor(0.1), torch.ones(3, 4)
    >>> optimizer = method.bind(method.optimizer(model, lr=lr, momentum=0.9, weight_decay=0.0))
    >>> def step():
    ...     optimizer.zero_grad()
    ...     model(inputs).square().sum().backward()
    ...     optimizer.step()
    >>> for _ in range(3):
    ...     step()
    >>> replay = captured(step, inputs.device)  # which takes the fourth step
    >>> for epoch in range(2):
    ...     _ = lr.fill_(0.1 / (1 + epoch))
    ...     for _ in range(5):
    ...         _ = inputs.copy_(torch.randn(3, 4))
    ...         replay()
    ...         method.replayed()
    ...     method.after_epoch(accuracy=0.5)
    """
    try:
        if device.type != "cuda":
            with capturing(), Recording() as recording:
                step()
            return recording.replay
        graph = torch.cuda.CUDAGraph()
        # Threads that read images ahead may go on meanwhile.
        with capturing(), torch.cuda.graph(graph, capture_error_mode="thread_local"):
            step()  # which does nothing yet
    except RuntimeError as error:
        raise RuntimeError(
            f"the step cannot be captured as a graph ({error}): write compile = true, or false for steps as they are"
        ) from error
    graph.replay()
    return graph.replay


@contextmanager
def _aside(device: torch.device) -> Iterator[None]:
    """Work on a stream of its own, as CUDA wants it before it captures."""
    if device.type != "cuda":
        yield
        return
    side, main = torch.cuda.Stream(device), torch.cuda.current_stream(device)
    side.wait_stream(main)
    with torch.cuda.stream(side):
        yield
    main.wait_stream(side)
