"""People naming CIFAR-10 pictures by a deadline, under noise, blur and loss of colour.

Subramanian, Kumbhar, Sizikova, Majaj, Pelli (2021), data at osf.io/zkvep and
github.com/omkar-kumbhar/anytime-prediction.
A beep sounds at the deadline, in blocks of 200 to 1000 ms; observers were to answer then. Which pictures were
shown is not known, only their categories: scores are by condition and category.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom

from neurocnnf.images import CIFAR10_CLASSES

FILE = "kumbhar2021_cifar10_sat/trials.csv.gz"
DEADLINES_MS = (200.0, 400.0, 600.0, 800.0, 1000.0)
CONDITIONS = pd.DataFrame(
    {
        "study": ["noise"] * 3 + ["blur"] * 3 + ["colour_gray"] * 2,
        "perturbation": [0.0, 0.04, 0.16, 0.0, 1.0, 3.0, 0.0, 1.0],
        "condition": [
            *("noise SD 0", "noise SD 0.04", "noise SD 0.16", "blur SD 0", "blur SD 1", "blur SD 3"),
            *("colour/gray 0", "colour/gray 1"),
        ],
    }
)
"""Of colour and gray, the files do not say which is 0 and which is 1."""
EASIEST = 0.0
CHANCE = 1 / len(CIFAR10_CLASSES)
ALPHA = 0.05
INCLUSION = (
    "answers at the longest deadline, least perturbed, above chance (one-sided binomial test, p < .05, of answered "
    "trials)"
)
CITATION = "Subramanian, Kumbhar, Sizikova, Majaj, Pelli (2021), osf.io/zkvep"
_COLUMNS = ("study", "subject", "deadline_ms", "tutorial", "perturbation", "category", "ended_on", "correct")


@dataclass(frozen=True)
class Observers:
    """Answers counted.

    Parameters
    ----------
    names
        (observer,), "<study> <number>".
    study
        (observer,).
    right, answered, shown
        (observer, condition, deadline, category), int64: trials answered rightly, answered at all (not timed
        out), and shown. Zero in conditions of other studies. Conditions in the order of `CONDITIONS`.
    """

    names: NDArray[np.str_]
    study: NDArray[np.str_]
    right: NDArray[np.int64]
    answered: NDArray[np.int64]
    shown: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of observers."""
        return len(self.names)

    def subset(self, kept: NDArray) -> Observers:
        """Return some observers (mask or indices)."""
        parts = (self.names, self.study, self.right, self.answered, self.shown)
        return Observers(*(part[kept] for part in parts))

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Share right of answered trials, (observer, condition, deadline); NaN where none was answered."""
        answered = self.answered.sum(axis=3)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(answered > 0, self.right.sum(axis=3) / answered, np.nan)


def load_trials(store) -> pd.DataFrame:
    """Read the trials, without each observer's 20 of practice.

    Returns
    -------
    DataFrame
        ``study``, ``subject``, ``deadline_ms``, ``perturbation``, ``category``, ``answered`` (bool: not timed out) and
        ``correct`` (bool, false where not answered), a row per trial.

    Raises
    ------
    ValueError
        If the file is of another form.
    """
    trials = pd.read_csv(store.fetch(FILE))
    missing = [name for name in _COLUMNS if name not in trials]
    if missing:
        raise ValueError(f"{FILE}: expected columns {_COLUMNS}, got none named {missing}. Fetch the file again.")
    trials = trials[~trials["tutorial"]]
    answered = trials["ended_on"] == "response"
    correct = trials["correct"].astype(str) == "True"
    if not (answered == trials["correct"].notna()).all():
        raise ValueError(f"{FILE}: expected `correct` to be empty in timed-out trials only. Fetch the file again.")
    kept = trials[["study", "subject", "deadline_ms", "perturbation", "category"]]
    kept = kept.replace({"study": {"color_gray": "colour_gray"}})
    return kept.assign(answered=answered, correct=correct).reset_index(drop=True)


def count_answers(trials: pd.DataFrame) -> Observers:
    """Count answers by observer, condition, deadline and category.

    Parameters
    ----------
    trials
        As `load_trials` gives them; a study may be named "simulated <study>".

    Raises
    ------
    ValueError
        If a trial's condition, deadline or category is not one of the study's.
    """
    study = trials["study"].str.removeprefix("simulated ")
    pairs = zip(CONDITIONS["study"], CONDITIONS["perturbation"], strict=True)
    conditions = {pair: k for k, pair in enumerate(pairs)}
    condition = pd.Series([conditions.get(key, -1) for key in zip(study, trials["perturbation"], strict=True)])
    deadline = pd.Index(DEADLINES_MS).get_indexer(trials["deadline_ms"])
    category = pd.Index(CIFAR10_CLASSES).get_indexer(trials["category"])
    unknown = (condition.to_numpy() < 0) | (deadline < 0) | (category < 0)
    if unknown.any():
        row = trials.iloc[int(np.flatnonzero(unknown)[0])]
        raise ValueError(
            f"count_answers: expected conditions, deadlines and categories of the study, got {row.to_dict()}. "
            "Leave out trials of other experiments."
        )
    names = trials["study"] + " " + trials["subject"].astype(str)
    observers, observer = np.unique(names.to_numpy(dtype=str), return_inverse=True)
    shape = (len(observers), len(CONDITIONS), len(DEADLINES_MS), len(CIFAR10_CLASSES))
    at = np.ravel_multi_index((observer, condition.to_numpy(), deadline, category), shape)

    def count(which):
        return np.bincount(at, weights=which, minlength=int(np.prod(shape))).astype(np.int64).reshape(shape)

    right = count((trials["correct"] & trials["answered"]).to_numpy(float))
    counted = (right, count(trials["answered"].to_numpy(float)), count(np.ones(len(trials))))
    return Observers(observers, np.array([name.rsplit(" ", 1)[0] for name in observers]), *counted)


def included(observers: Observers) -> NDArray[np.bool_]:
    """Say which observers `INCLUSION` keeps: (observer,).

    The rule was fixed before any model was scored. It looks at one cell of each observer's, which also enters the
    scores: there, kept observers are a little better than they are.
    """
    easiest = np.flatnonzero(CONDITIONS["perturbation"] == EASIEST)
    right = observers.right[:, easiest, -1].sum(axis=(1, 2))
    answered = observers.answered[:, easiest, -1].sum(axis=(1, 2))
    return binom.sf(right - 1, answered, CHANCE) < ALPHA
