"""Allocations: densities by hand, and sums that are exact."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketching import erdos_renyi, erk, globally, uniform
from sketching import given as densities_given
from sketching.allocation import places

SHAPES = {"conv": (4, 2, 3, 3), "wide": (20, 30), "last": (10, 20)}
SEVERAL = st.dictionaries(
    st.text("abc", min_size=1, max_size=3),
    st.lists(st.integers(1, 12), min_size=2, max_size=4).map(tuple),
    min_size=1,
    max_size=6,
)


@settings(deadline=None)
@given(shapes=SEVERAL, keep=st.floats(0, 1))
def test_sums_are_exact_and_layers_hold_them(shapes, keep):
    total = places(shapes, keep)
    assert abs(total - keep * sum(map(math.prod, shapes.values()))) <= 0.5
    assert globally(shapes, keep) == {tuple(shapes): total}
    for allocate in (uniform, erdos_renyi, erk):
        counts = allocate(shapes, keep)
        assert list(counts) == [(name,) for name in shapes]
        assert sum(counts.values()) == total
        assert all(0 <= counts[(name,)] <= math.prod(shape) for name, shape in shapes.items())


def test_uniform_by_hand():
    assert uniform(SHAPES, 0.25) == {("conv",): 18, ("wide",): 150, ("last",): 50}


@settings(deadline=None)
@given(shapes=SEVERAL, keep=st.floats(0, 1), more=st.floats(0, 1))
def test_who_keeps_more_keeps_more_in_every_layer(shapes, keep, more):
    for allocate in (uniform, erdos_renyi, erk):
        less, most = (allocate(shapes, share) for share in sorted((keep, more)))
        assert all(less[group] <= most[group] for group in less)


def test_shares_are_rounded_to_the_nearest():
    # 0.1 of 15 and of 3: 1.5 and 0.3, two places in all.
    assert uniform({"a": (3, 5), "b": (1, 3)}, 0.1) == {("a",): 2, ("b",): 0}


def test_erdos_renyi_by_hand():
    # Wanted in proportion to outputs + inputs: 50 to 30 of 200 places.
    assert erdos_renyi({"wide": (20, 30), "last": (10, 20)}, 0.25) == {("wide",): 125, ("last",): 75}


def test_erk_counts_kernels():
    # conv wants in proportion to 4+2+3+3 = 12, wide to 50, last to 30; at keep 0.1 there are 87 places.
    wanted = {"conv": 12, "wide": 50, "last": 30}
    for (name,), count in erk(SHAPES, 0.1).items():
        assert abs(count - 87 * wanted[name] / 92) < 1
    # For erdos_renyi conv is 4 outputs and 2 inputs at each of 9 places of the kernel.
    wanted = {"conv": 54, "wide": 50, "last": 30}
    for (name,), count in erdos_renyi(SHAPES, 0.1).items():
        assert abs(count - 87 * wanted[name] / 134) < 1


def test_full_layers_leave_their_places_to_others():
    counts = erk({"small": (2, 2), "large": (40, 40)}, 0.5)
    assert counts[("small",)] == 4
    assert counts[("large",)] == 802 - 4


def test_densities_that_are_given():
    allocate = densities_given({"conv": 1.0, "wide": 0.1, "last": 0.0})
    assert allocate(SHAPES, 0.5) == {("conv",): 72, ("wide",): 60, ("last",): 0}
    with pytest.raises(ValueError, match="they differ in conv, last"):
        densities_given({"wide": 1.0})(SHAPES, 0.5)
    with pytest.raises(ValueError, match=r"densities\['wide'\] must be in \[0, 1\], got 2"):
        densities_given({"wide": 2})


@pytest.mark.parametrize("allocate", [globally, uniform, erdos_renyi, erk])
@pytest.mark.parametrize("keep", [-0.1, 1.1, float("nan"), None, True, "0.5"])
def test_keep_outside_of_0_1_is_refused(allocate, keep):
    with pytest.raises(ValueError, match=r"keep must be in \[0, 1\], got"):
        allocate(SHAPES, keep)
