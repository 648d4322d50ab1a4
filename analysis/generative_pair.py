"""Generative classifiers against a discriminative one on the same few labels: the pair behind the claim.

Ng & Jordan (2002), *On Discriminative vs. Generative Classifiers*, NIPS 14: naive Bayes approaches its (higher)
asymptotic error with a number of labels logarithmic in the number of features, logistic regression with a linear one:
the generative classifier is ahead while labels are few.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

GENERATIVE, DISCRIMINATIVE = ("naive-bayes", "lda"), "logistic"
CLASSIFIERS = (*GENERATIVE, DISCRIMINATIVE)
SMOOTHING = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
N_FOLDS = 5


def fit_classifier(name: str, features: NDArray, labels: NDArray[np.int64]):
    """Fit a classifier on labelled vectors; what it has to choose is chosen on these alone.

    Parameters
    ----------
    name
        "naive-bayes": Gaussian, a mean and a variance per class and feature; the share of the largest variance that is
        added to all (`SMOOTHING`) is chosen by stratified cross-validation. "lda": one covariance for all classes,
        shrunk by Ledoit and Wolf's rule. "logistic": multinomial, ridge penalty 1 / C with C of `PENALTIES` chosen by
        the same cross-validation.
    features, labels
        (image, feature) and (image,).

    Returns
    -------
    object
        Fitted, with scikit-learn's ``predict``.

    Raises
    ------
    ValueError
        For another name, or fewer than two images of a class.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.naive_bayes import GaussianNB

    if name not in CLASSIFIERS:
        raise ValueError(f"classifier: expected one of {', '.join(CLASSIFIERS)}, got {name!r}. Choose one.")
    fewest = int(np.unique(labels, return_counts=True)[1].min())
    if fewest < 2:
        raise ValueError(f"labels: expected at least 2 images of each class, got {fewest}. Give more labels.")
    if name == "lda":
        return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(features, labels)
    folds = StratifiedKFold(min(N_FOLDS, fewest), shuffle=True, random_state=0)
    if name == "naive-bayes":
        choice = GridSearchCV(GaussianNB(), {"var_smoothing": SMOOTHING}, cv=folds)
    else:
        choice = GridSearchCV(LogisticRegression(max_iter=300), {"C": PENALTIES}, cv=folds)
    with warnings.catch_warnings():
        # The weakest penalties of separable classes converge slowly; where they stop, the ranking is long settled.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return choice.fit(features, labels)


def accuracy_on_test(name: str, train: tuple[NDArray, NDArray], test: tuple[NDArray, NDArray]) -> float:
    """Return the share of test images (image, feature), (image,) that a classifier fitted on `train` gets right."""
    return float((fit_classifier(name, *train).predict(test[0]) == test[1]).mean())
