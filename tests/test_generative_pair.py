"""The classical pair equals textbook formulas, and shows what Ng & Jordan (2002) found where their assumption holds."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf
from sklearn.preprocessing import StandardScaler

from analysis.generative_pair import CLASSIFIERS, GENERATIVE, accuracy_on_test, fit_classifier

N_FEATURES = 40


def gaussian(n_per_class, seed, n_classes=3, apart=0.45):
    """Draw classes of independent Gaussian features, each with a variance of its own: naive Bayes' assumption."""
    known = np.random.default_rng(0)
    means, scale = apart * known.normal(size=(n_classes, N_FEATURES)), 4 ** known.uniform(-1, 1, N_FEATURES)
    labels = np.repeat(np.arange(n_classes), n_per_class)
    return scale * (means[labels] + np.random.default_rng(seed + 1).normal(size=(len(labels), N_FEATURES))), labels


def test_naive_bayes_is_bayes_rule_feature_by_feature():
    (x, y), (seen, _) = gaussian(20, 0), gaussian(10, 1)
    model = fit_classifier("naive-bayes", x, y)
    extra = model.best_params_["var_smoothing"] * x.var(axis=0).max()
    for image, answer in zip(seen, model.predict(seen), strict=True):
        likely = []
        for c in range(3):
            total = 0.0
            for j in range(N_FEATURES):
                mean, variance = x[y == c, j].mean(), x[y == c, j].var() + extra
                total -= 0.5 * np.log(variance) + 0.5 * (image[j] - mean) ** 2 / variance
            likely.append(total)
        assert answer == int(np.argmax(likely))


def test_lda_is_the_nearest_mean_under_a_shrunk_covariance():
    (x, y), (seen, _) = gaussian(8, 0), gaussian(30, 1)
    covariance = np.zeros((N_FEATURES, N_FEATURES))
    for c in range(3):  # Ledoit and Wolf's rule on standardised features of each class, as scikit-learn's LDA has it
        scaler = StandardScaler().fit(x[y == c])
        shrunk, _ = ledoit_wolf(scaler.transform(x[y == c]))
        covariance += scaler.scale_[:, None] * shrunk * scaler.scale_[None, :] / 3
    means = np.stack([x[y == c].mean(axis=0) for c in range(3)])
    off = seen[:, None, :] - means
    distance = np.einsum("icj,jk,ick->ic", off, np.linalg.inv(covariance), off)
    np.testing.assert_array_equal(fit_classifier("lda", x, y).predict(seen), distance.argmin(axis=1))


def test_generative_classifiers_are_ahead_while_labels_are_few_and_not_with_many():
    test = gaussian(300, 99)
    lead = {}
    for n in (10, 200):
        found = {name: [accuracy_on_test(name, gaussian(n, seed), test) for seed in range(3)] for name in CLASSIFIERS}
        lead[n] = {name: np.mean(found[name]) - np.mean(found["logistic"]) for name in CLASSIFIERS}
    for name in GENERATIVE:
        assert lead[10][name] > 0.02
        assert abs(lead[200][name]) < lead[10][name] / 2


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_shuffled_labels_leave_chance(name):
    # A class's images lie together and mostly get one answer: a single shuffle can be far from chance by luck.
    (x, y), rng = gaussian(40, 0), np.random.default_rng(1)
    found = [accuracy_on_test(name, (x, rng.permutation(y)), gaussian(100, 99)) for _ in range(20)]
    assert np.mean(found) == pytest.approx(1 / 3, abs=3 * np.std(found) / np.sqrt(20))
    assert np.mean(found) < 0.5


def test_what_cannot_be_fitted_is_refused():
    x, y = gaussian(1, 0)
    with pytest.raises(ValueError, match="labels: expected at least 2 images of each class, got 1"):
        fit_classifier("lda", x, y)
    with pytest.raises(ValueError, match=r"classifier: expected one of naive-bayes, .*, got 'svm'"):
        fit_classifier("svm", x, y)
