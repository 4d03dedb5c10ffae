"""What tests of any part may ask for."""

import pytest

pytest.register_assert_rewrite("training")  # whose helpers assert, as tests do


@pytest.fixture(scope="module")
def one_thread():
    """Threads of tests that run side by side are in each other's way."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
