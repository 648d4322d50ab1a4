"""Steps become milliseconds, and milliseconds steps."""

import dataclasses

import numpy as np
import pytest

from neurocnnf import StepClock


def test_each_step_begins_where_the_one_before_ends():
    bins = StepClock(onset_ms=70, ms_per_step=20).time_bins(3)
    assert bins.tolist() == [[70, 90], [90, 110], [110, 130], [130, 150]]
    assert bins.dtype == np.float64


def test_without_feedback_there_is_one_bin():
    assert StepClock(0, 12.5).time_bins(0).tolist() == [[0, 12.5]]


@pytest.mark.parametrize(("time_ms", "step"), [(70, 0), (89.999, 0), (90, 1), (130, 3), (1069, 49), (1070, 50)])
def test_a_time_belongs_to_the_step_that_is_under_way(time_ms, step):
    assert StepClock(onset_ms=70, ms_per_step=20).step_at(time_ms) == step


@pytest.mark.parametrize("ms_per_step", [0.1, 1 / 3, 0.7, 1e-3, 33.3])
@pytest.mark.parametrize("onset_ms", [0.0, 0.1, 70.3])
def test_rounding_never_puts_a_bins_edge_into_another_bin(onset_ms, ms_per_step):
    clock = StepClock(onset_ms, ms_per_step)
    starts = clock.time_bins(200)[:, 0]
    assert [clock.step_at(start) for start in starts] == list(range(201))
    assert [clock.step_at(np.nextafter(start, 0)) for start in starts[1:]] == list(range(200))


def test_no_step_has_begun_before_the_onset():
    with pytest.raises(ValueError, match=r"time: expected at least onset_ms = 70 ms, got 69.9 ms. No step has begun"):
        StepClock(70, 20).step_at(69.9)


@pytest.mark.parametrize(
    ("onset_ms", "ms_per_step"), [(-1, 20), (70, 0), (70, -20), (float("nan"), 20), (70, float("nan"))]
)
def test_times_that_cannot_be_are_refused(onset_ms, ms_per_step):
    with pytest.raises(ValueError, match=r"StepClock: expected onset_ms >= 0 and ms_per_step > 0, got .* milliseconds"):
        StepClock(onset_ms, ms_per_step)


def test_a_clock_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        StepClock(70, 20).onset_ms = 0
