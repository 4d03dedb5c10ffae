"""Schedules against rational arithmetic and numerical integration."""

import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given, settings
from hypothesis import strategies as st

from linreg_mirror import schedules
from linreg_mirror.schedules import (
    Constant,
    Geometric,
    Harmonic,
    Piecewise,
    Quadratic,
    Schedule,
    SwitchedOff,
    as_schedule,
    require_clock,
)

SCHEDULES = [
    Constant(0.0),
    Constant(0.7),
    Harmonic(0.5),
    Harmonic(0.0),
    Harmonic(2, period=0.3, clock="step"),
    Quadratic(0.5),
    Quadratic(3, period=40.0, clock="epoch"),
    Geometric(0.5, 0.95),
    Geometric(2.0, ratio=1e-3, period=7.0, clock="step"),
    Piecewise((0, 1, 2.5), (0.3, 0, 2)),
    Piecewise([0, 4], [1, 0], clock="epoch"),
    SwitchedOff(0.4, at=2),
    SwitchedOff(Geometric(0.5, 0.8, clock="step"), at=3),
    SwitchedOff(Piecewise((0, 1, 5), (1, 2, 3)), 2),
]
INTEGRABLE = [s for s in SCHEDULES if s.integrable]
TINY = 1e-300  # below it, floats have fewer digits
each = pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)


def exact(schedule, t):
    """alpha at rational t, by rational arithmetic, where alpha is rational."""
    match schedule:
        case Constant(value=value):
            return Fraction(value)
        case Harmonic(value=value, period=period):
            return Fraction(value) / (1 + t / Fraction(period))
        case Quadratic(value=value, period=period):
            return Fraction(value) / (1 + t / Fraction(period)) ** 2
        case Piecewise(times=times, values=values):
            return Fraction(next(v for a, v in zip(times[::-1], values[::-1], strict=True) if t >= a))
        case SwitchedOff(schedule=inner, at=at):
            return exact(inner, t) if t < at else Fraction(0)
    raise AssertionError(schedule)


def test_values_by_hand():
    assert Constant(3)(5) == 3
    assert Harmonic(6)(2) == 2
    assert Harmonic(6, period=4)(4) == 3
    assert Quadratic(9)(2) == 1
    assert Geometric(8, 0.5)(3) == 1
    assert Geometric(8, 0.5, period=2)(6) == 1
    assert [Piecewise((0, 1, 2), (3, 4, 5))(t) for t in (0, 0.5, 1, 1.5, 2, 9)] == [3, 3, 4, 4, 5, 5]
    assert [SwitchedOff(Harmonic(6), at=2)(t) for t in (0, 1, 2, 3)] == [6, 3, 0, 0]


def test_integrals_by_hand():
    assert Constant(3).integral(2, 4) == 6
    assert Harmonic(2, period=3).integral(0, 3) == pytest.approx(6 * np.log(2), rel=1e-15)
    assert Quadratic(6).integral(0, 2) == pytest.approx(4, rel=1e-15)
    assert Quadratic(6, period=2).integral(0, np.inf) == 12
    assert Geometric(1, 0.5).integral(0, np.inf) == pytest.approx(1 / np.log(2), rel=1e-15)
    assert Geometric(1, 0.5).integral(1, 2) == pytest.approx(0.25 / np.log(2), rel=1e-15)
    assert Piecewise((0, 1, 2), (3, 4, 0)).integral(0.5, 7) == 5.5
    assert SwitchedOff(3, at=2).integral(1, np.inf) == 3


@each
def test_integral_is_the_integral(schedule):
    for t0, t1 in [(0, 1), (0.3, 0.7), (0.5, 6.0), (2.0, 2.0)]:
        cuts = [t for t in schedule.breakpoints if t0 < t < t1] or None
        numerical, error = scipy.integrate.quad(schedule, t0, t1, points=cuts, epsabs=1e-13, epsrel=1e-13)
        assert schedule.integral(t0, t1) == pytest.approx(numerical, rel=1e-11, abs=max(1e-13, error))


@pytest.mark.parametrize("schedule", INTEGRABLE, ids=repr)
def test_integral_to_infinity_is_what_integrals_tend_to(schedule):
    to_infinity = schedule.integral(0.5, np.inf)
    assert np.isfinite(to_infinity)
    assert schedule.integral(0.5, 1e20) == pytest.approx(to_infinity, rel=1e-14)


@each
def test_integrable_means_a_finite_integral(schedule):
    assert schedule.integrable == np.isfinite(schedule.integral(0, np.inf))
    assert schedule.integrable == np.isfinite(schedule.integral(123.0, np.inf))


@each
def test_limit_is_what_alpha_tends_to(schedule):
    assert schedule(np.inf) == schedule.limit
    assert schedule(1e25) == pytest.approx(schedule.limit, abs=1e-20)


@each
def test_breakpoints_are_the_jumps(schedule):
    for at in schedule.breakpoints:
        assert abs(schedule(at) - schedule(np.nextafter(at, 0))) > 1e-3
    t = np.linspace(0, 10, 100_001)
    jumps = np.flatnonzero(np.abs(np.diff(schedule(t))) > 0.01)
    assert len(jumps) == len(schedule.breakpoints)
    assert list(t[jumps + 1]) == pytest.approx(list(schedule.breakpoints), abs=2e-4)


def test_breakpoints_leave_out_what_is_no_jump():
    assert Piecewise((0, 1, 2, 3), (1, 1, 2, 2)).breakpoints == (2,)
    assert SwitchedOff(0.0, at=1).breakpoints == ()
    assert SwitchedOff(Piecewise((0, 1), (1, 0)), at=2).breakpoints == (1,)
    assert SwitchedOff(Piecewise((0, 2), (1, 3)), at=2).breakpoints == (2,)
    assert SwitchedOff(Piecewise((0, 2), (0, 3)), at=2).breakpoints == ()


@each
@pytest.mark.parametrize("t0", [0.0, 0.1, 1.7, 1e3, 1e9])
def test_short_intervals_lose_no_digits(schedule, t0):
    t1 = t0 + 3 * np.spacing(max(t0, 1e-200))
    length = Fraction(t1) - Fraction(t0)
    assert schedule.integral(t0, t1) == pytest.approx(schedule(t0) * float(length), rel=1e-13, abs=0)


@pytest.mark.parametrize("schedule", [s for s in SCHEDULES if "Geometric" not in repr(s)], ids=repr)
@settings(max_examples=30)
@given(t=st.fractions(0, 10**6, max_denominator=1000))
def test_alpha_agrees_with_rational_arithmetic(schedule, t):
    t = Fraction(float(t))
    assert schedule(float(t)) == pytest.approx(float(exact(schedule, t)), rel=1e-15, abs=0)


@given(st.floats(0, 1e12), st.floats(0, 1e12), st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.integers(0, 60))
def test_quadratic_integral_agrees_with_rational_arithmetic(t0, length, value, period, halvings):
    t1 = t0 + length * 0.5**halvings
    a, b, p = Fraction(t0), Fraction(t1), Fraction(period)
    integral = Fraction(value) * p**2 * (b - a) / ((p + a) * (p + b))
    assert Quadratic(value, period=period).integral(t0, t1) == pytest.approx(float(integral), rel=1e-14, abs=TINY)


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=2), st.integers(1, 8), st.randoms(use_true_random=False))
def test_piecewise_integral_agrees_with_rational_arithmetic(ends, pieces, random):
    times = [0.0, *sorted(random.sample(range(1, 10**6), pieces - 1))]
    values = [random.choice([0.0, random.random()]) for _ in times]
    t0, t1 = sorted(ends)
    a, b = Fraction(t0), Fraction(t1)
    integral = sum(
        Fraction(value) * max(min(b, Fraction(end)) - max(a, Fraction(start)), Fraction(0))
        for start, end, value in zip(times, [*times[1:], 10**7], values, strict=True)
    )
    assert Piecewise(times, values).integral(t0, t1) == pytest.approx(float(integral), rel=1e-14, abs=TINY)


@pytest.mark.parametrize("rate", [1e-12, 1e-3, 1.0, 30.0])
def test_geometric_integral_agrees_with_its_series(rate):
    # (1 - exp(-h))/h = 1 - h/2 + h^2/6 - ... in rational arithmetic.
    schedule = Geometric(2.0, ratio=0.5, period=np.log(2) / rate)
    for t1 in (1e-9, 1e-3, 0.1):
        h = Fraction(rate) * Fraction(t1)
        terms, term = Fraction(0), Fraction(1)
        for k in range(1, 40):
            terms, term = terms + term, -term * h / (k + 1)
        assert schedule.integral(0, t1) == pytest.approx(float(2 * Fraction(t1) * terms), rel=1e-14)


@pytest.mark.parametrize("period", [1e-9, 1.0, 1e9])
def test_harmonic_integral_agrees_with_its_series(period):
    # log(1 + h) = 2 artanh(h/(2 + h)), in rational arithmetic.
    for t0, length in [(0.0, 1e-12), (1.0, 1e-9), (5.0, 0.25), (1e9, 1e-3)]:
        t1 = t0 + length
        a, b, p = Fraction(t0), Fraction(t1), Fraction(period)
        z = ((b - a) / (2 * p + a + b)).limit_denominator(10**30)
        logarithm = 2 * sum(z ** (2 * k + 1) / (2 * k + 1) for k in range(30))
        expected = float(3 * p * logarithm)
        assert Harmonic(3.0, period=period).integral(t0, t1) == pytest.approx(expected, rel=1e-14)


@each
@settings(max_examples=30)
@given(t=st.lists(st.floats(0, 1e8) | st.floats(0, 1) | st.just(np.inf), min_size=3, max_size=3))
def test_integrals_add_up(schedule, t):
    a, b, c = sorted(t)
    if b == np.inf:
        return
    assert schedule.integral(a, b) + schedule.integral(b, c) == pytest.approx(
        schedule.integral(a, c), rel=1e-12, abs=TINY
    )


@each
@settings(max_examples=30)
@given(t=st.lists(st.floats(0, 1e300), min_size=2, max_size=2))
def test_integrals_are_nonnegative_and_bounded_by_the_largest_alpha(schedule, t):
    t0, t1 = sorted(t)
    assert 0 <= schedule.integral(t0, t1) <= 3.0 * (t1 - t0) * (1 + 1e-15) + TINY


@each
def test_arrays_give_arrays_and_numbers_give_floats(schedule):
    t0, t1 = np.array([[0.0], [0.5], [1.0]]), np.array([1.0, 2.0, 3.5, np.inf])
    together = schedule.integral(t0, t1)
    assert together.shape == (3, 4)
    apart = [[schedule.integral(float(a), float(b)) for b in t1] for a in t0[:, 0]]
    np.testing.assert_allclose(together, apart, rtol=1e-15)
    np.testing.assert_allclose(schedule.integral(0, t1), together[0], rtol=1e-15)
    np.testing.assert_allclose(schedule(t1), [schedule(t) for t in t1], rtol=1e-15)
    assert schedule([[0, 1]]).shape == (1, 2)
    assert type(schedule(1)) is type(schedule(np.float64(1))) is type(schedule.integral(0, np.float64(1))) is float
    assert schedule(np.empty(0)).shape == schedule.integral(0, np.empty(0)).shape == (0,)


@each
@pytest.mark.parametrize("t", [-1.0, -1e-300, np.nan, -np.inf, [0.0, np.nan]])
def test_times_before_the_beginning_are_refused(schedule, t):
    with pytest.raises(ValueError, match=r"begins at t = 0, got t = (-|nan)"):
        schedule(t)


@each
@pytest.mark.parametrize(
    ("t0", "t1"), [(-1, 1), (2, 1), (np.nan, 1), (0, np.nan), (np.inf, np.inf), ([0, 1, 3], 2), (0, [1, -1])]
)
def test_intervals_that_are_none_are_refused(schedule, t0, t1):
    with pytest.raises(ValueError, match=r"0 <= t0 <= t1 with t0 finite is expected, got t0 = .* and t1 = "):
        schedule.integral(t0, t1)


@each
def test_on_time_stretches_what_is_on_another_clock(schedule):
    unit, t = 1e-4, np.array([0, 0.5, 2.2, 9])
    timed = schedule.on_time(unit)
    assert timed.clock == "time"
    assert type(timed) is type(schedule)
    if schedule.clock == "time":
        assert timed == schedule
        return
    np.testing.assert_allclose(timed(t * unit), schedule(t), rtol=1e-14)
    ends = np.append(t[1:], np.inf)
    np.testing.assert_allclose(timed.integral(t * unit, ends * unit), unit * schedule.integral(t, ends), rtol=1e-13)
    np.testing.assert_allclose(timed.breakpoints, unit * np.array(schedule.breakpoints))
    assert timed.on_time(unit) == timed


def test_a_constant_is_the_same_on_any_clock():
    assert Constant(0.3, clock="step").on_time(1e-4) == Constant(0.3)


def test_on_time_survives_short_and_long_units():
    # As a factor per unit of time, 0.9 per step is 0.9^10000 = 0 here, and 1 there.
    steep = Geometric(0.5, 0.9, clock="step").on_time(1e-4)
    assert steep.integral(0, np.inf) == pytest.approx(0.5e-4 / -np.log(0.9), rel=1e-15)
    flat = Geometric(0.5, 0.9, clock="epoch").on_time(1e20)
    assert flat(1e20) == pytest.approx(0.45, rel=1e-15)


@pytest.mark.parametrize("unit", [0, -1, np.nan, np.inf])
@each
def test_a_unit_of_time_is_positive(schedule, unit):
    with pytest.raises(ValueError, match=r"unit must be a finite number > 0, got .*: write the time that one step"):
        schedule.on_time(unit)


@pytest.mark.parametrize("schedule", [Quadratic(1.0, period=1e-200), Geometric(1.0, 0.5, period=1e-200)])
def test_short_periods_do_not_overflow(schedule):
    assert schedule(1e200) == 0
    assert schedule.integral(0, 1e200) == schedule.integral(0, np.inf) == pytest.approx(1e-200, rel=0.5, abs=0)


@each
def test_repr_makes_the_schedule_again(schedule):
    assert eval(repr(schedule), vars(schedules)) == schedule


@each
def test_schedules_are_values(schedule):
    assert isinstance(schedule, Schedule)
    assert hash(schedule) == hash(replace(schedule))
    assert replace(schedule) == copy.deepcopy(schedule) == pickle.loads(pickle.dumps(schedule)) == schedule
    with pytest.raises(FrozenInstanceError):
        schedule.value = 1


def test_numbers_become_floats():
    assert repr(Harmonic(np.int64(2), period=np.float32(0.5))) == "Harmonic(value=2.0, period=0.5, clock='time')"
    assert Piecewise(np.array([0, 1]), np.array([2, 3])) == Piecewise((0.0, 1.0), (2.0, 3.0))


@pytest.mark.parametrize("bad", [-0.1, np.nan, np.inf])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("value", Constant),
        ("value", Harmonic),
        ("value", Quadratic),
        ("value", lambda v: Geometric(v, 0.5)),
        ("value", lambda v: SwitchedOff(v, at=1)),
        ("value", as_schedule),
        ("values", lambda v: Piecewise((0, 1), (1, v))),
        ("times", lambda v: Piecewise((0, v), (1, 2))),
        ("at", lambda v: SwitchedOff(1, at=v)),
        ("period", lambda v: Harmonic(1, period=v)),
        ("period", lambda v: Geometric(1, 0.5, period=v)),
        ("ratio", lambda v: Geometric(1, v)),
    ],
)
def test_numbers_out_of_range_are_refused(name, make, bad):
    with pytest.raises(ValueError, match=rf"^{name} must be a finite number >=? 0, got {bad}: "):
        make(bad)


@pytest.mark.parametrize("ratio", [1, 1.5])
def test_a_ratio_that_does_not_decay_points_to_constant(ratio):
    with pytest.raises(ValueError, match=rf"between 0 and 1, got {float(ratio)}: write Constant\(0\.1\)"):
        Geometric(0.1, ratio)


@pytest.mark.parametrize(
    "make", [lambda: Geometric(1, 0), lambda: SwitchedOff(1, at=0), lambda: Quadratic(1, period=0)]
)
def test_zero_is_refused_where_it_makes_no_sense(make):
    with pytest.raises(ValueError, match="must be a finite number > 0, got 0: write"):
        make()


@pytest.mark.parametrize(
    ("times", "values"),
    [((), ()), ((1,), (1,)), ((0, 2, 1), (1, 1, 1)), ((0, 1, 1), (1, 1, 1)), ((0, 1), (1,)), ((0,), (1, 2))],
)
def test_pieces_that_do_not_fit_are_refused(times, values):
    with pytest.raises(ValueError, match=r"times must ascend from 0 and come with as many values, got times \("):
        Piecewise(times, values)


@pytest.mark.parametrize("clock", ["steps", None, 1])
@pytest.mark.parametrize(
    "make",
    [
        lambda clock: Constant(1, clock=clock),
        lambda clock: Geometric(1, 0.5, clock=clock),
        lambda clock: Piecewise((0,), (1,), clock=clock),
        lambda clock: as_schedule(1.0, clock=clock),
    ],
)
def test_clocks_that_are_none_are_refused(make, clock):
    with pytest.raises(ValueError, match="clock must be 'time', 'step', 'epoch', got"):
        make(clock)


@pytest.mark.parametrize("bad", ["0.1", None, True, [0.1], np.array([0.1])])
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(TypeError, match="value must be a number, got"):
        Constant(bad)


def test_as_schedule():
    assert as_schedule(None) == Constant(0)
    assert as_schedule(0.5) == as_schedule(np.float32(0.5)) == Constant(0.5)
    assert as_schedule(1, clock="step") == Constant(1, clock="step")
    assert as_schedule(SCHEDULES[4], clock="time") is SCHEDULES[4]


@pytest.mark.parametrize(
    ("bad", "got"),
    [("0.1", "str"), (True, "bool"), ([1.0], "list"), (Harmonic, "the class Harmonic"), (abs, "builtin_function")],
)
def test_as_schedule_says_what_it_wants(bad, got):
    with pytest.raises(TypeError, match=rf"expected, got {got}.*: write schedules\.Constant\(0\.1\)"):
        as_schedule(bad)


def test_as_schedule_takes_schedules_of_others():
    class Linear:
        clock, limit, integrable, breakpoints = "time", 0.0, True, ()

        def __call__(self, t):
            return np.maximum(1 - np.asarray(t), 0)

        def integral(self, t0, t1):
            return ((1 - np.minimum(t0, 1)) ** 2 - (1 - np.minimum(t1, 1)) ** 2) / 2

        def on_time(self, unit):
            return self

    linear = Linear()
    assert as_schedule(linear) is linear
    assert SwitchedOff(linear, at=0.5).integral(0, np.inf) == 0.375


def test_require_clock():
    require_clock(Geometric(1, 0.5, clock="step"), "step")
    with pytest.raises(
        ValueError, match=r'clock "epoch", "time" is needed here: write schedule\.on_time\(unit=.*steps of an epoch'
    ):
        require_clock(Geometric(1, 0.5, clock="epoch"), "time")
    with pytest.raises(ValueError, match=r'clock "time", "step" is needed .* per step and clock="step"'):
        require_clock(Constant(1), "step")


def test_switched_off_takes_the_clock_of_what_it_switches_off():
    assert SwitchedOff(Harmonic(1, clock="epoch"), at=3).clock == "epoch"
    assert SwitchedOff(0.1, at=3).clock == "time"
    assert SwitchedOff(0.1, at=3, clock="step") == SwitchedOff(Constant(0.1, clock="step"), at=3)
    with pytest.raises(ValueError, match='clock "time", "step" is needed'):
        SwitchedOff(Harmonic(1), at=3, clock="step")
    with pytest.raises(ValueError, match="clock must be"):
        SwitchedOff(Harmonic(1), at=3, clock="steps")
    with pytest.raises(TypeError, match="a schedule, a number or None is expected"):
        SwitchedOff("0.1", at=3)


def test_integrals_over_the_shortest_periods():
    tiny = np.finfo(float).tiny
    harmonic = Harmonic(1e-3, period=tiny)
    assert harmonic.integral(0, 1e300) == pytest.approx(1e-3 * tiny * (np.log(1e300) - np.log(tiny)), rel=1e-6, abs=0)
    assert Harmonic(5e-324, period=5e-324).integral(0, np.inf) == np.inf
    assert Geometric(0.5, 1e-3, period=5e-324).integral(1.0, [1.0, 2.0]).tolist() == [0.0, 0.0]


def test_times_that_are_no_numbers_or_do_not_fit():
    with pytest.raises(TypeError, match="t must hold real numbers, got dtype complex128"):
        Constant(1.0)(1j)
    with pytest.raises(
        ValueError, match=r"t0 and t1 must be numbers or arrays of one shape, got shapes \(2,\) and \(3,\)"
    ):
        Constant(1.0).integral([0.0, 1.0], [1.0, 2.0, 3.0])
