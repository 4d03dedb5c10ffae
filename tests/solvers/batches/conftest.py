"""Parts of batches are called as solvers call them."""

import numpy as np
import pytest


@pytest.fixture
def quiet():
    """What overflows has no bar, and no warning."""
    with np.errstate(all="ignore"):
        yield
