"""Each step is found in the time bin that was made from it."""

import numpy as np
import pytest

from benchmarks.cka import linear_cka
from benchmarks.gram import gram
from benchmarks.neural_predictivity import make_design, score_products
from benchmarks.rsa import compare, correlation_rdm
from benchmarks.time_resolved import time_resolved_cka, time_resolved_predictivity, time_resolved_rsa

N, UNITS, NEUROIDS, N_STEPS = 100, 40, 8, 4
TRUE_STEPS = [0, 2, 3, 1]  # of each time bin


def make_steps():
    rng = np.random.default_rng(0)
    return [rng.standard_normal((N, UNITS)) * np.arange(1, UNITS + 1) ** -0.5 for _ in range(N_STEPS)]


def make_repeats(noise=0.5, n_repetitions=4):
    """Simulate responses (presentation, neuroid, time_bin, repetition)."""
    rng = np.random.default_rng(1)
    steps, weights = make_steps(), rng.standard_normal((UNITS, NEUROIDS))
    signal = np.stack([steps[step] @ weights for step in TRUE_STEPS], axis=2)
    return signal[..., None] + noise * signal.std() * rng.standard_normal((*signal.shape, n_repetitions))


@pytest.mark.parametrize("metric", ["ridge", "pls"])
def test_the_step_that_made_a_time_bin_predicts_it_best(metric):
    repeats = make_repeats()
    products = [gram(step) for step in make_steps()]
    table = time_resolved_predictivity(products, repeats.mean(-1), repeats, metric=metric, n_resamples=100)
    scores = table.pivot(index="step", columns="time_bin", values="raw")
    np.testing.assert_array_equal(scores.to_numpy().argmax(axis=0), TRUE_STEPS)
    for _, rows in table.groupby("time_bin"):
        rows = rows.sort_values("raw")
        assert rows["raw_low"].iloc[-1] > rows["raw_high"].iloc[:-1].max()
    best = table.loc[table.groupby("time_bin")["raw"].idxmax()]
    assert best["normalised"].between(0.6, 1.05).all()
    assert (table["n_used"] == NEUROIDS).all()


@pytest.mark.parametrize("metric", ["ridge", "pls"])
def test_a_time_bin_scores_as_it_would_alone(metric):
    responses = make_repeats().mean(-1)
    products = [gram(step) for step in make_steps()]
    table = time_resolved_predictivity(products[:2], responses, metric=metric, n_resamples=20)
    alone = score_products(products[1], make_design(responses[:, :, 3], None, 0, n_resamples=20), metric)
    found = table[(table["step"] == 1) & (table["time_bin"] == 3)].iloc[0]
    for column in ("raw", "raw_low", "raw_high"):
        assert found[column] == pytest.approx(alone.row[column], abs=1e-9)
    assert found["ceiling_rule"] == "none: no repeats"


def test_shuffled_responses_are_predicted_by_no_step():
    responses = make_repeats().mean(-1)[np.random.default_rng(2).permutation(N)]
    table = time_resolved_predictivity([gram(step) for step in make_steps()], responses, n_resamples=200)
    assert ((table["raw_low"] < 0) & (table["raw_high"] > 0)).mean() > 0.7
    assert abs(table["raw"]).max() < 0.3


def test_steps_that_are_one_object_are_fitted_once(monkeypatch):
    from benchmarks import time_resolved

    calls, original = [], time_resolved.predict
    monkeypatch.setattr(time_resolved, "predict", lambda *args: calls.append(1) or original(*args))
    one = gram(make_steps()[0])
    table = time_resolved_predictivity([one, one, one], make_repeats().mean(-1), n_resamples=10)
    assert len(calls) == 1
    assert table.groupby("time_bin")["raw"].nunique().eq(1).all()


@pytest.mark.parametrize("metric", ["pearson", "spearman", "kendall", "cosine"])
def test_dissimilarities_of_a_time_bin_are_most_like_those_of_its_step(metric):
    responses = make_repeats(noise=0.1).mean(-1)
    distances = [correlation_rdm(step) for step in make_steps()]
    found = time_resolved_rsa(distances, responses, metric)
    np.testing.assert_array_equal(found.argmax(axis=0), TRUE_STEPS)
    assert found[2, 3] == pytest.approx(compare(distances[2], correlation_rdm(responses[:, :, 3]), metric))


def test_a_time_bin_is_most_aligned_with_its_step():
    responses = make_repeats(noise=0.1).mean(-1)
    products = [gram(step) for step in make_steps()]
    found = time_resolved_cka(products, responses)
    np.testing.assert_array_equal(found.argmax(axis=0), TRUE_STEPS)
    assert found[1, 0] == pytest.approx(linear_cka(products[1], gram(responses[:, :, 0])))


def test_recordings_without_time_bins_are_refused():
    for function in (time_resolved_predictivity, time_resolved_rsa, time_resolved_cka):
        with pytest.raises(ValueError, match=r"responses: expected \(presentation, neuroid, time_bin\)"):
            function([np.eye(5)], np.zeros((5, 2)))
