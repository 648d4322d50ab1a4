"""Object solution times equal Brain-Score's; unsolved images are censored, not dropped."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from benchmarks.i1i2 import distractor_rates, i1, image_dprimes
from benchmarks.solution_time import SolutionTimes, bootstrap_spearman, solution_times, times_agreement

N_OBJECTS, PER_OBJECT = 3, 8
N_IMAGES = N_OBJECTS * PER_OBJECT
TRUTH = np.repeat(np.arange(N_OBJECTS), PER_OBJECT)
TIMES = np.arange(70.0, 130.0, 10.0)


def growing_probabilities(rng):
    """Simulate answers that get better over time, at a pace of each image's own."""
    pace = rng.uniform(0, 0.05, N_IMAGES)[:, None]
    shown = np.arange(N_OBJECTS) == TRUTH[:, None]
    logits = np.stack([(t - 70) * pace * shown for t in TIMES]) + 0.6 * rng.standard_normal(
        (len(TIMES), N_IMAGES, N_OBJECTS)
    )
    odds = np.exp(logits)
    return odds / odds.sum(axis=-1, keepdims=True)


def known(values):
    values = np.asarray(values, float)
    return SolutionTimes(values, np.isfinite(values), np.ones(len(values), bool))


def test_times_equal_brainscores_with_the_decoder_s_answers_given(monkeypatch):
    pytest.importorskip("brainscore_vision")
    from brainscore_core.supported_data_standards.brainio.assemblies import BehavioralAssembly, NeuroidAssembly
    from brainscore_vision.metrics.ost import metric

    rng = np.random.default_rng(0)
    probabilities, threshold = growing_probabilities(rng), rng.uniform(-0.5, 5, N_IMAGES)
    names = [f"object{k}" for k in range(N_OBJECTS)]
    images = {
        "stimulus_id": ("presentation", [f"image{k:02d}" for k in range(N_IMAGES)]),
        "image_label": ("presentation", np.array(names)[TRUTH]),
        "truth": ("presentation", np.array(names)[TRUTH]),
    }

    class Given:
        """Stands in for the TensorFlow decoder: the features are the answers."""

        def fit(self, features, labels):
            pass

        def predict_proba(self, features):
            return BehavioralAssembly(
                features.values, coords={**images, "choice": names}, dims=["presentation", "choice"]
            )

        def close(self):
            pass

    monkeypatch.setattr(metric, "TFProbabilitiesClassifier", Given)
    source = NeuroidAssembly(
        probabilities.transpose(1, 2, 0),
        coords={
            **images,
            "neuroid_id": ("neuroid", names),
            "region": ("neuroid", ["IT"] * N_OBJECTS),
            "time_bin_start": ("time_bin", TIMES.astype(int)),
            "time_bin_end": ("time_bin", TIMES.astype(int) + 10),
        },
        dims=["presentation", "neuroid", "time_bin"],
    )
    target = BehavioralAssembly(
        np.zeros(N_IMAGES), coords={**images, "i1": ("presentation", threshold)}, dims=["presentation"]
    )
    theirs = metric.OSTCorrelation().compute_osts(source, source, target)
    performance = i1(image_dprimes(distractor_rates(probabilities, TRUTH), TRUTH))
    ours = solution_times(performance, threshold, TIMES)
    assert 3 < np.isnan(theirs).sum() < N_IMAGES - 8
    assert len(np.unique(theirs)) > 5
    np.testing.assert_allclose(ours.time, theirs, atol=1e-6)


def test_a_time_is_interpolated_from_the_nearest_step_below():
    performance = np.array([[0.5], [0.2], [1.5]])
    assert solution_times(performance, [1.0], [0, 1, 2]).time[0] == pytest.approx(1.0)  # from step 0, not step 1
    assert solution_times(performance, [0.5], [0, 1, 2]).time[0] == 0


def test_unsolved_and_unknown_are_told_apart():
    performance = np.array([[0.0, 0.0, np.nan], [1.0, 1.0, np.nan]])
    found = solution_times(performance, [2.0, np.nan, 0.5], [0, 1])
    assert not found.solved.any()
    assert found.known.tolist() == [True, False, False]
    assert found.rankable[0] == np.inf
    assert np.isnan(found.rankable[1:]).all()


def test_dropping_the_unsolved_is_the_plain_spearman_of_the_rest():
    rng = np.random.default_rng(1)
    a, b = rng.random(30), rng.random(30)
    a[::5] = np.nan
    dropped = times_agreement(known(a), known(b), drop_unsolved=True)
    kept = np.isfinite(a)
    assert dropped.rho == pytest.approx(spearmanr(a[kept], b[kept])[0])
    assert (dropped.n_used, dropped.n_total) == (24, 30)


def test_censoring_is_the_spearman_with_unsolved_last_and_tied():
    a, b = np.array([3, 1, np.nan, 2, np.nan]), np.array([2, 1, 5, np.nan, 4])
    censored = times_agreement(known(a), known(b))
    assert censored.rho == pytest.approx(spearmanr([3, 1, 9, 2, 9], [2, 1, 5, 7, 4])[0])
    assert censored.n_used == 5


def test_dropping_inflates_what_censoring_does_not():
    """Easy images are simulated to follow the observers, hard ones, never solved, to be at random."""
    rng = np.random.default_rng(2)
    observers = rng.random(400)
    model = np.where(np.arange(400) < 80, observers, np.nan)
    censored = times_agreement(known(model), known(observers)).rho
    assert times_agreement(known(model), known(observers), drop_unsolved=True).rho == pytest.approx(1)
    assert abs(censored) < 0.25


def test_resamples_are_ranked_anew():
    rng = np.random.default_rng(3)
    a, b = rng.integers(6, size=25).astype(float), rng.random(25)
    drawn = rng.integers(25, size=(6, 25))
    counts = np.stack([np.bincount(row, minlength=25) for row in drawn]).astype(float)
    expected = [spearmanr(a[row], b[row])[0] for row in drawn]
    assert bootstrap_spearman(a, b, counts) == pytest.approx(np.array(expected), abs=1e-12)
    whole = times_agreement(known(a), known(b), counts)
    assert whole.samples == pytest.approx(np.array(expected), abs=1e-12)


def test_times_that_do_not_vary_have_no_correlation():
    found = times_agreement(known(np.zeros(9)), known(np.arange(9.0)), np.ones((2, 9)))
    assert np.isnan(found.rho)
    assert np.isnan(found.samples).all()
    assert np.isnan(bootstrap_spearman(np.zeros(2), np.zeros(2), np.ones((3, 2)))).all()


def test_shapes_and_times_are_checked():
    with pytest.raises(ValueError, match=r"expected performance \(step=2, image=3\) and increasing times"):
        solution_times(np.zeros((2, 2)), np.zeros(3), [0, 1])
    with pytest.raises(ValueError, match="increasing times"):
        solution_times(np.zeros((2, 3)), np.zeros(3), [1, 1])
