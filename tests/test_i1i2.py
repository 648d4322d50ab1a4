"""Behavioural patterns i1 and i2n agree with Brain-Score's on the same halves, at every step at once."""

import numpy as np
import pytest

from benchmarks.i1i2 import (
    Trials,
    distractor_rates,
    halves_ceiling,
    i1,
    image_dprimes,
    normalise,
    pattern_agreement,
    response_rates,
    trial_halves,
)

N_OBJECTS, PER_OBJECT = 4, 6
N_IMAGES = N_OBJECTS * PER_OBJECT
TRUTH = np.repeat(np.arange(N_OBJECTS), PER_OBJECT)


def softmax_of(rng, n_steps=None, lift=1.5):
    shape = (N_IMAGES, N_OBJECTS) if n_steps is None else (n_steps, N_IMAGES, N_OBJECTS)
    logits = rng.standard_normal(shape) + lift * (np.arange(N_OBJECTS) == TRUTH[:, None])
    odds = np.exp(logits)
    return odds / odds.sum(axis=-1, keepdims=True)


def simulate_trials(rng, probabilities, per_pair=12):
    """Simulate observers who choose between the object shown and a distractor by a model's odds."""
    image, distractor = (
        np.array(x)
        for x in zip(
            *[(i, d) for i in range(N_IMAGES) for d in range(N_OBJECTS) if d != TRUTH[i]] * per_pair, strict=True
        )
    )
    rates = distractor_rates(probabilities, TRUTH)[image, distractor]
    errs = rng.random(len(image)) < rates
    return Trials(image, distractor, np.where(errs, distractor, TRUTH[image]))


@pytest.fixture(scope="module")
def oracle():
    """Give Brain-Score's metric, its probabilities and its trials as assemblies."""
    pytest.importorskip("brainscore_vision")
    from brainscore_core.supported_data_standards.brainio.assemblies import BehavioralAssembly
    from brainscore_vision.metrics.i1i2 import metric

    names = np.array([f"object{k}" for k in range(N_OBJECTS)])
    ids = np.array([f"image{k:02d}" for k in range(N_IMAGES)])

    def probabilities(values):
        coords = {"stimulus_id": ("presentation", ids), "presentation_number": ("presentation", np.arange(N_IMAGES))}
        return BehavioralAssembly(values, coords={**coords, "choice": names}, dims=["presentation", "choice"])

    def trials(t):
        shown = names[TRUTH[t.image]]
        coords = {
            "stimulus_id": ("presentation", ids[t.image]),
            "truth": ("presentation", shown),
            "sample_obj": ("presentation", shown),
            "dist_obj": ("presentation", names[t.distractor]),
        }
        return BehavioralAssembly(names[t.chosen], coords=coords, dims=["presentation"])

    return metric, probabilities, trials


def patterns(rates, collapse, normalised):
    dprimes = image_dprimes(rates, TRUTH)
    dprimes = normalise(dprimes, TRUTH) if normalised else dprimes
    return i1(dprimes) if collapse else dprimes


def brainscore_halves(n_trials, repetitions=2):
    random_state = np.random.RandomState(seed=0)  # the halves that Brain-Score draws
    for _ in range(repetitions):
        indices = list(range(n_trials))
        random_state.shuffle(indices)
        yield np.array(indices[: n_trials // 2]), np.array(indices[n_trials // 2 :])


@pytest.mark.parametrize(
    ("name", "collapse", "normalised"), [("I1", True, False), ("I1n", True, True), ("I2n", False, True)]
)
def test_score_and_ceiling_equal_brainscores_on_its_own_halves(oracle, name, collapse, normalised):
    metric, to_probabilities, to_trials = oracle
    rng = np.random.default_rng(0)
    model, trials = softmax_of(rng), simulate_trials(rng, softmax_of(rng))
    theirs = getattr(metric, name)()
    expected = float(theirs(to_probabilities(model), to_trials(trials)))
    expected_ceiling = float(theirs.ceiling(to_trials(trials), skipna=True))
    n_dims = 1 if collapse else 2
    ours = patterns(distractor_rates(model, TRUTH), collapse, normalised)
    halves = list(brainscore_halves(len(trials)))
    first = [patterns(response_rates(trials.subset(h), TRUTH, N_OBJECTS), collapse, normalised) for h, _ in halves]
    assert np.mean([pattern_agreement(ours, half, n_dims)[0] for half in first]) == pytest.approx(expected, abs=1e-9)
    ceiling = halves_ceiling(trials, TRUTH, N_OBJECTS, halves, lambda rates: patterns(rates, collapse, normalised))
    assert ceiling == pytest.approx(expected_ceiling, abs=1e-9)


def test_all_steps_at_once_equal_each_step_alone():
    rng = np.random.default_rng(1)
    model, observers = softmax_of(rng, n_steps=3), softmax_of(rng)
    target = patterns(distractor_rates(observers, TRUTH), False, True)
    together, n_used = pattern_agreement(patterns(distractor_rates(model, TRUTH), False, True), target, 2)
    alone = [pattern_agreement(patterns(distractor_rates(m, TRUTH), False, True), target, 2)[0] for m in model]
    assert together == pytest.approx(np.array(alone), abs=1e-12)
    assert (n_used == N_IMAGES * (N_OBJECTS - 1)).all()


def test_simulated_observers_of_one_step_agree_best_with_that_step():
    rng = np.random.default_rng(2)
    model = softmax_of(rng, n_steps=4)
    trials = simulate_trials(rng, model[2], per_pair=20)
    observers = patterns(response_rates(trials, TRUTH, N_OBJECTS), False, True)
    r, _ = pattern_agreement(patterns(distractor_rates(model, TRUTH), False, True), observers, 2)
    assert r.argmax() == 2
    assert np.abs(np.delete(r, 2)).max() < 0.4 < r[2]


def test_dprime_is_what_signal_detection_theory_says():
    rates = np.array([[np.nan, 0.2], [0.4, np.nan]])
    from scipy.stats import norm

    expected = norm.ppf(0.8) - norm.ppf(0.4)
    assert image_dprimes(rates, np.array([0, 1]))[0, 1] == pytest.approx(expected)


def test_a_flawless_observer_is_capped_and_unknown_rates_stay_unknown():
    rates = np.where(np.arange(N_OBJECTS) == TRUTH[:, None], np.nan, 0.0)
    assert np.nanmin(image_dprimes(rates, TRUTH)) == 5
    rates[0, 1] = np.nan
    dprimes = image_dprimes(rates, TRUTH)
    assert np.isnan(dprimes[0, 1])
    assert np.isfinite(i1(dprimes)).all()


def test_a_distractor_never_offered_has_no_rate():
    trials = Trials(np.array([0, 0]), np.array([1, 1]), np.array([1, 0]))
    rates = response_rates(trials, np.array([0]), 3)
    assert rates[0, 1] == 0.5
    assert np.isnan(rates[0, [0, 2]]).all()


def test_answers_that_were_not_offered_are_refused():
    with pytest.raises(ValueError, match="got 1 answers that were not offered and 0 distractors"):
        response_rates(Trials(np.array([0]), np.array([1]), np.array([2])), np.array([0]), 3)


def test_truth_must_fit_the_images_and_objects():
    with pytest.raises(ValueError, match=r"expected \(\.\.\., image=2, object\)"):
        distractor_rates(np.ones((2, 3)), [0, 3])
    with pytest.raises(ValueError, match="expected a pattern of 1 dims"):
        pattern_agreement(np.ones((2, 3)), np.ones(4), 1)


def test_a_pattern_that_does_not_vary_has_no_correlation():
    assert np.isnan(pattern_agreement(np.ones(5), np.arange(5.0), 1)[0])
    assert np.isnan(pattern_agreement(np.full(5, np.nan), np.arange(5.0), 1)[0])


def test_halves_of_the_trials_hold_each_trial_once():
    for first, second in trial_halves(11, np.random.default_rng(0)):
        assert len(first) == 5
        assert sorted([*first, *second]) == list(range(11))
