"""People's labels beside probabilities: known answers are found, shuffled ones are not, ceilings hold."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.stats import entropy, spearmanr

from benchmarks.soft_labels import (
    calibrate,
    centre_within,
    compare_entropy,
    compare_soft_labels,
    deal_halves,
    fit_temperature,
    information,
    information_ceiling,
    jensen_shannon,
    label_entropy,
    reliability_ceiling,
    second_best,
)

N_IMAGES, N_CLASSES, N_PEOPLE = 400, 10, 51
LABELS = np.arange(N_IMAGES) % N_CLASSES


def answers(rng, n_steps=4):
    """Simulate answers of a model, unlike each other at every step: (step, image, category), log probabilities."""
    lift = 4 * rng.random((n_steps, N_IMAGES, 1)) * np.eye(N_CLASSES)[LABELS]
    return log_softmax(lift + 1.5 * rng.standard_normal((n_steps, N_IMAGES, N_CLASSES)), axis=-1)


def people(rng, log_p, n=N_PEOPLE):
    return rng.multinomial(n, np.exp(log_p) / np.exp(log_p).sum(axis=-1, keepdims=True))


def table(rows, metric):
    return [row for row in rows if row["metric"] == metric]


@pytest.fixture(scope="module")
def observed():
    """Give answers at four steps, and people simulated from the third of them."""
    rng = np.random.default_rng(0)
    log_p = answers(rng)
    return log_p, SimpleNamespace(counts=people(rng, log_p[2]), labels=LABELS)


@pytest.mark.parametrize(
    ("compare", "metrics"),
    [
        (compare_soft_labels, ("information", "off-truth")),
        (compare_entropy, ("entropy", "entropy-within-class")),
    ],
)
def test_people_simulated_from_one_step_are_found_there(observed, compare, metrics):
    log_p, data = observed
    rows = compare(log_p, data, 0, 100)
    assert rows[0]["metric"] == metrics[0]
    for metric in metrics:
        raw = [row["raw"] for row in table(rows, metric)]
        assert np.argmax(raw) == 2
        best = table(rows, metric)[2]
        assert 0.92 < best["normalised"] < 1.16  # the answers are the truth
        assert best["raw_low"] < best["raw"] < best["raw_high"]
        assert max(np.delete(raw, 2)) < best["raw_low"]


def test_shuffled_people_agree_with_no_step(observed):
    log_p, data = observed
    shuffled = SimpleNamespace(counts=np.random.default_rng(1).permutation(data.counts), labels=LABELS)
    for row in table(compare_soft_labels(log_p, shuffled, 0, 200), "information"):
        assert row["raw"] < 0.02
    rows = table(compare_entropy(log_p, shuffled, 0, 200), "entropy")
    assert all(row["raw_low"] < 0 < row["raw_high"] for row in rows)


def test_entropy_and_divergence_are_scipys():
    rng = np.random.default_rng(2)
    counts, p = (
        rng.integers(0, 9, (20, 5)) + np.eye(5, dtype=int)[rng.integers(5, size=20)],
        rng.dirichlet(np.ones(5), 20),
    )
    assert label_entropy(counts) == pytest.approx(entropy(counts, axis=1))
    from scipy.spatial.distance import jensenshannon

    expected = jensenshannon(counts / counts.sum(axis=1, keepdims=True), p, base=2, axis=1) ** 2
    assert jensen_shannon(p, counts) == pytest.approx(expected)


def test_information_is_one_minus_cross_entropy_in_units_of_chance():
    rng = np.random.default_rng(3)
    p, counts = rng.dirichlet(np.ones(4), 30), rng.multinomial(7, np.ones(4) / 4, 30)
    cross_entropy = -(counts / 7 * np.log(p)).sum(axis=1)
    assert information(np.log(p), counts) == pytest.approx(1 - cross_entropy / np.log(4))
    assert information(np.log(np.full((30, 4), 0.25)), counts) == pytest.approx(np.zeros(30))


def test_a_class_that_nobody_named_may_be_impossible():
    with np.errstate(divide="ignore"):
        assert information(np.log([[1.0, 0.0]]), [[5, 0]]) == pytest.approx([1])


def test_the_temperature_that_made_the_labels_is_found():
    rng = np.random.default_rng(4)
    logits = 3 * rng.standard_normal((4000, N_CLASSES))
    counts = people(rng, log_softmax(logits / 2.5, axis=-1))
    assert fit_temperature(logits, counts) == pytest.approx(2.5, rel=0.03)


def test_an_image_is_brought_to_a_temperature_that_its_labels_did_not_fit(observed):
    log_p, data = observed
    folds = np.arange(N_IMAGES) % 5
    before, _ = calibrate(log_p, data.counts, folds)
    changed = data.counts.copy()
    changed[folds == 3] = changed[folds == 3][:, ::-1]
    after, temperatures = calibrate(log_p, changed, folds)
    assert after[:, folds == 3] == pytest.approx(before[:, folds == 3])
    assert temperatures.shape == (4, 5)


def test_halves_are_dealt_without_putting_back():
    rng = np.random.default_rng(5)
    counts = rng.multinomial(51, np.ones(3) / 3, 40)
    first, second = deal_halves(counts, rng, 200)
    assert (first + second == counts).all()
    assert (first.sum(axis=-1) == 25).all()
    expected = counts * 25 / 51
    assert first.mean(axis=0) == pytest.approx(expected, abs=0.8)
    variance = 25 * (counts / 51) * (1 - counts / 51) * (51 - 25) / (51 - 1)  # hypergeometric
    assert first.var(axis=0).mean() == pytest.approx(variance.mean(), rel=0.05)


def test_the_true_distribution_lies_between_the_two_bounds():
    rng = np.random.default_rng(6)
    truth = rng.dirichlet(np.full(N_CLASSES, 0.2), 1500)
    counts = rng.multinomial(N_PEOPLE, truth)
    ceiling, upper = information_ceiling(counts)
    of_truth = information(np.log(np.maximum(truth, 1e-300)), counts).mean()
    assert ceiling.value < of_truth < upper
    assert upper - ceiling.value < 0.08


def test_the_ceiling_is_each_label_predicted_from_the_others_one_by_one():
    counts = np.array([[3, 1, 0], [2, 2, 2]])
    values = []
    for row in counts:
        labels = np.repeat(np.arange(3), row)
        rest = [np.bincount(np.delete(labels, k), minlength=3) + 1 / 3 for k in range(len(labels))]
        gained = [np.log(r[label] / r.sum()) for r, label in zip(rest, labels, strict=True)]
        values.append(1 + np.mean(gained) / np.log(3))
    assert information_ceiling(counts)[0].value == pytest.approx(np.mean(values))


def test_the_rank_ceiling_is_what_the_true_entropies_reach():
    rng = np.random.default_rng(7)
    truth = rng.dirichlet(np.full(N_CLASSES, 0.2), 1500)
    counts = rng.multinomial(N_PEOPLE, truth)
    halves = tuple(label_entropy(h) for h in deal_halves(counts, rng))
    reached = spearmanr(label_entropy(truth), label_entropy(counts))[0]
    assert reliability_ceiling(halves).value == pytest.approx(reached, abs=0.03)


def test_without_agreement_between_halves_there_is_no_ceiling():
    a = np.arange(10.0)
    assert np.isnan(reliability_ceiling((a[None], -a[None])).value)


def test_second_choices_that_tie_or_are_missing_are_not_counted():
    counts = np.array([[5, 3, 0], [8, 0, 0], [4, 2, 2], [3, 3, 2], [1, 6, 2]])
    model = np.log(np.array([[0.6, 0.3, 0.1]] * 5))
    assert second_best(model, counts) == (0.5, 2)
    share, n = second_best(model[:1], counts[1:2])
    assert np.isnan(share)
    assert n == 0


def test_classes_are_centred():
    centred = centre_within(np.array([[1.0, 3.0, 10.0]]), np.array([0, 0, 1]))
    assert centred.tolist() == [[-1, 1, 0]]


def test_an_answer_that_is_the_same_for_all_images_has_no_rank_correlation(observed):
    _, data = observed
    same = np.full((1, N_IMAGES, N_CLASSES), -np.log(10))
    row = compare_entropy(same, data, 0, 20)[0]
    assert np.isnan(row["raw"])
    assert (row["n_used"], row["n_total"]) == (0, N_IMAGES)
