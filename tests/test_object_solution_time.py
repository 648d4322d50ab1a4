"""Solution times of a model beside IT's: simulated ones are found, shuffled ones are not."""

import numpy as np
import pytest
from scipy.special import log_softmax

from benchmarks.object_solution_time import SolvedImages, compare_solution_times, model_solution_times
from benchmarks.solution_time import SolutionTimes

N_IMAGES, N_OBJECTS, N_STEPS = 120, 4, 5
LABELS = np.arange(N_IMAGES) % N_OBJECTS


def answers(rng):
    """Simulate answers that get better over steps, at a pace of each image's own."""
    pace = rng.uniform(0, 1, N_IMAGES)[:, None]
    shown = np.eye(N_OBJECTS)[LABELS]
    noise = 0.3 * rng.standard_normal((N_STEPS + 1, N_IMAGES, N_OBJECTS))
    return log_softmax(np.stack([step * pace * shown for step in range(N_STEPS + 1)]) + noise, axis=-1)


def observed(rng, log_p, threshold=2.0, noise=0.2):
    """Simulate IT that solves images in the model's order, with noise."""
    threshold = np.full(N_IMAGES, threshold)
    model = model_solution_times(log_p, LABELS, threshold)
    time = 70 + 20 * (model.time + noise * rng.standard_normal(N_IMAGES))
    return SolvedImages(
        None, LABELS, tuple("abcd"), threshold, SolutionTimes(time, model.solved, np.ones(N_IMAGES, bool))
    )


def of(rows, metric, column="raw"):
    return [row[column] for row in rows if row["metric"] == metric]


def test_it_that_follows_the_model_is_found_and_the_unsolved_are_counted():
    rng = np.random.default_rng(0)
    log_p = answers(rng)
    data = observed(rng, log_p)
    rows = compare_solution_times(log_p, data, 0, 200)
    raw = of(rows, "solution-time")
    assert raw[-1] > 0.9
    assert np.nanargmax(raw) == N_STEPS
    assert rows[0]["metric"] == "solution-time"
    n_solved = of(rows, "solution-time-drop-unsolved", "n_solved_model")
    assert of(rows, "solution-time-drop-unsolved", "n_used")[-1] == n_solved[-1] < N_IMAGES
    assert of(rows, "solution-time", "n_used")[-1] == N_IMAGES
    assert "Kar" in rows[0]["ceiling_rule"]


def test_shuffled_times_agree_with_nothing():
    rng = np.random.default_rng(1)
    log_p = answers(rng)
    data = observed(rng, log_p)
    order = rng.permutation(N_IMAGES)
    shuffled = SolutionTimes(data.observers.time[order], data.observers.solved[order], data.observers.known)
    data = SolvedImages(None, LABELS, data.categories, data.threshold, shuffled)
    last = [row for row in compare_solution_times(log_p, data, 0, 300) if row["step"] == N_STEPS]
    assert all(row["raw_low"] < 0 < row["raw_high"] for row in last)


def test_at_step_0_alone_nothing_but_solved_or_not_can_differ():
    rng = np.random.default_rng(2)
    log_p = answers(rng)
    found = model_solution_times(log_p[:1], LABELS, np.full(N_IMAGES, 1.0))
    assert set(found.time[found.solved]) <= {0.0}
    rows = compare_solution_times(log_p[:1], observed(rng, log_p), 0, 20)
    assert np.isnan(of(rows, "solution-time-drop-unsolved")[0])


def test_images_without_a_threshold_are_left_out_and_counted():
    rng = np.random.default_rng(3)
    log_p = answers(rng)
    data = observed(rng, log_p)
    data.threshold[:10] = np.nan
    row = compare_solution_times(log_p, data, 0, 20)[N_STEPS]
    assert (row["n_used"], row["n_total"]) == (N_IMAGES - 10, N_IMAGES)
    assert row["raw"] == pytest.approx(row["raw"])
