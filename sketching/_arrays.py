"""NumPy arrays and torch tensors alike."""

from collections.abc import Callable
from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray


def real(name: str, array: Any) -> Any:
    """Return a torch tensor as it is, and all else as a NumPy array.

    Raises
    ------
    TypeError
        If the entries are no real numbers.
    """
    if is_torch_array(array):
        if array.is_complex():
            raise TypeError(f"{name} must hold real numbers, got a tensor of {array.dtype}")
        return array
    values = np.asarray(array)
    if values.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got {type(array).__name__} of {values.dtype}")
    return values


def tensor(name: str, array: Any) -> Any:
    """Return real numbers as a torch tensor, those of NumPy in any byte order and with any strides.

    Raises
    ------
    TypeError
        If the entries are no real numbers.
    """
    import torch

    array = real(name, array)
    if is_torch_array(array):
        return array
    known = array.dtype.newbyteorder("=") if array.dtype.itemsize <= 8 else np.dtype(float)
    # torch.tensor copies: as_tensor would complain of what is read-only.
    return torch.tensor(np.array(array, known, order="C"), device="cpu")


def flattened(array: Any, name: str = "scores") -> tuple[NDArray[np.floating], Callable[[NDArray], Any]]:
    """Return the entries as NumPy floats in one dimension, and how to make such an array like the one given.

    Answers of floats get the type of the array if that is one of floats, and float64 otherwise.

    Raises
    ------
    TypeError
        If the entries are no real numbers.
    ValueError
        From the function that makes such an array: if an answer is too large for its type.
    """
    array = real(name, array)
    if is_torch_array(array):
        import torch

        host = array.detach().cpu()
        host = host.double() if not host.is_floating_point() else host.float() if host.itemsize < 4 else host
        dtype = array.dtype if array.is_floating_point() else torch.float64

        def like_tensor(answer: NDArray) -> Any:
            tensor = torch.from_numpy(answer).reshape(array.shape)
            if answer.dtype == bool:
                return tensor.to(array.device)
            _check_range(answer, torch.finfo(dtype))
            return tensor.to(array.device, dtype)

        return host.reshape(-1).numpy(), like_tensor

    values: NDArray = array
    native = values.dtype.newbyteorder("=")
    exact = np.float32 if native.kind == "f" and native.itemsize <= 4 else np.float64
    answers: Any = native if native.kind == "f" else np.dtype(float)

    def like_array(answer: NDArray) -> NDArray:
        if answer.dtype != bool:
            _check_range(answer, np.finfo(answers))
            answer = answer.astype(answers, copy=False)
        return answer.reshape(values.shape)

    return values.astype(exact, copy=False).reshape(-1), like_array


def _check_range(answer: NDArray, limits: Any) -> None:
    largest = answer.max(initial=0.0)
    if largest > limits.max:
        raise ValueError(
            f"{largest:.3g} is more than {limits.dtype} holds: give scores of a wider type, such as "
            "scores.astype(float), or scores.float() of a tensor"
        )
