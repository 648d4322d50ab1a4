"""Human recognition of occluded objects, trial by trial (Tang, Schrimpf, Lotter et al. 2018).

Subjects named the category (animals, chairs, faces, fruits, vehicles) of a briefly shown object, in some
trials cut short by a backward mask. Tang et al. (2018) Recurrent computations for visual pattern completion,
PNAS 115:8835, doi 10.1073/pnas.1719397115.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.io import loadmat

from benchmarks.recordings.matlab_dataset import read_dataset
from benchmarks.recordings.tang2018_stimuli import FRAME, occluded_stimuli, rendering_coverage, resize
from neurocnnf.stimuli import Stimuli

__all__ = [
    "TrialCounts",
    "load_objects",
    "load_trials",
    "montage_objects",
    "object_category",
    "occluded_stimuli",
    "rendering_coverage",
    "trial_counts",
]

FOLDER = "tang2018_occlusion"
EXPERIMENTS = ("v2", "v3")
CATEGORIES = ("animals", "chairs", "faces", "fruits", "vehicles")  # the files' 1 … 5
N_OBJECTS = 325
MAX_BUBBLES = 10
THUMB = 39  # pixels a side of a picture cut from the montage
CITATION = "Tang, Schrimpf, Lotter et al. (2018) PNAS 115:8835, doi 10.1073/pnas.1719397115"
# The authors' montage shows 15 rows of 21 pictures; a 22nd of each full row is cut off at its edge.
MONTAGE_CELLS = (15, 21)
FULL_ROW = 22
PAPER_GRAY = 245  # mean gray above which a line of the montage is paper, not picture
_CENTERS = [f"bubble_centers{i}" for i in range(MAX_BUBBLES)]
_COLUMNS = ["pres", "occluded", "soa", *_CENTERS, "nbubbles", "reaction_times", "responses"]
_COLUMNS += ["response_category", "correct", "truth", "VBLsoa", "masked", "subject"]


@dataclass(frozen=True)
class TrialCounts:
    """How many trials there are, and how many lack something.

    Parameters
    ----------
    n_total, n_missing_response, n_missing_rt
        Trials in all; without an answer; without a reaction time.
    n_slow, slow_s
        Trials whose reaction time is above `slow_s` seconds. The study's tables mark no time-outs.
    """

    n_total: int
    n_missing_response: int
    n_missing_rt: int
    n_slow: int
    slow_s: float


def load_trials(store, experiment: str = "v2") -> pd.DataFrame:
    """Read every trial of one experiment; none is left out.

    Parameters
    ----------
    store
        Data store that holds ``tang2018_occlusion/``.
    experiment
        ``"v2"`` (21 subjects, all trials occluded) or ``"v3"`` (14 other subjects; whole objects, gaps, and
        objects behind an explicit occluder).

    Returns
    -------
    One row per trial, in the file's order: experiment, subject (str), stimulus_id (the exact image: object,
    display, bubble centres), object_id (1 … 325), category, response_category (None without an answer),
    correct (False without an answer), rt_s, soa_s (nominal), soa_measured_s, masked, display ("whole", "gaps"
    on gray, "occluder"), occluded_percent (of the object's own pixels; 0 for whole objects, NaN where the
    file does not give it), n_bubbles, bubble_centers (tuple of 1-based column-major indices in 256 × 256),
    repetition (0 for the first showing of a stimulus to a subject, 1 for the next …).

    Raises
    ------
    ValueError
        If the experiment is unknown, a column is missing, or the table contradicts itself.
    """
    if experiment not in EXPERIMENTS:
        raise ValueError(f"Tang 2018: expected experiment in {EXPERIMENTS}, got {experiment!r}. Pick one.")
    name = f"{FOLDER}/data_occlusion_klab325{experiment}.mat"
    raw = read_dataset(store.fetch(name))
    missing = [column for column in _COLUMNS if column not in raw]
    if missing:
        raise ValueError(f"{name}: expected columns {_COLUMNS}, {missing} missing. Use the study's table.")
    _check(raw, name)
    centers = [
        tuple(row[:n].tolist())
        for row, n in zip(raw[_CENTERS].to_numpy(np.int64), raw["nbubbles"].astype(int), strict=True)
    ]
    gaps = raw.get("partial", pd.Series(1.0, raw.index)) == 1
    display = np.select([raw["occluded"] == 0, gaps], ["whole", "gaps"], "occluder")
    percent = raw.get("black", pd.Series(np.nan, raw.index)).where(raw["occluded"] != 0, 0.0)
    trials = pd.DataFrame(
        {
            "experiment": experiment,
            "subject": raw["subject"].astype(int).astype(str),
            "stimulus_id": [stimulus_id(*each) for each in zip(raw["pres"].astype(int), display, centers, strict=True)],
            "object_id": raw["pres"].astype(int),
            "category": _names(raw["truth"]),
            "response_category": _names(raw["response_category"]),
            "correct": raw["correct"] == 1,
            "rt_s": raw["reaction_times"],
            "soa_s": raw["soa"],
            "soa_measured_s": raw["VBLsoa"] / 1000,
            "masked": raw["masked"] == 1,
            "display": display,
            "occluded_percent": percent,
            "n_bubbles": raw["nbubbles"].astype(int),
            "bubble_centers": centers,
        }
    )
    trials["repetition"] = trials.groupby(["subject", "stimulus_id"]).cumcount()
    return trials


def trial_counts(trials: pd.DataFrame, slow_s: float = 2.5) -> TrialCounts:
    """Count trials, those without an answer or a reaction time, and those slower than `slow_s` seconds."""
    return TrialCounts(
        n_total=len(trials),
        n_missing_response=int(trials["response_category"].isna().sum()),
        n_missing_rt=int(trials["rt_s"].isna().sum()),
        n_slow=int((trials["rt_s"] > slow_s).sum()),
        slow_s=slow_s,
    )


def stimulus_id(object_id: int, display: str, centers: tuple[int, ...]) -> str:
    """Name an exact image; two trials have the same name if and only if they showed the same image."""
    if display == "whole":
        return f"object{object_id:03d}"
    return f"object{object_id:03d}/{display}/" + "-".join(str(center) for center in centers)


def object_category(object_id: ArrayLike) -> NDArray[np.str_]:
    """Give the category of objects 1 … 325: sixty of each category in turn, then five of each in turn."""
    index = np.asarray(object_id) - 1
    return np.array(CATEGORIES)[np.where(index < 300, index // 60, (index - 300) // 5)]


def load_objects(store) -> Stimuli:
    """Give the whole objects: the originals where they are here, otherwise cut from the authors' montage.

    Parameters
    ----------
    store
        Data store that holds ``tang2018_occlusion/``.

    Returns
    -------
    Images uint8 (object, y, x, 1), 256 pixels a side for all 325 originals, 39 for the 315 in the montage;
    table columns stimulus_id, object_id, category, source ("original" or "montage").

    Raises
    ------
    ValueError
        If the originals or the montage do not have the study's layout.
    """
    originals = f"{FOLDER}/KLAB325.mat"
    if store.available(originals):
        source, ids = "original", np.arange(1, N_OBJECTS + 1)
        images = _originals(loadmat(store.fetch(originals))["img_mat"].ravel(), originals)
    else:
        montage = Image.open(store.fetch(f"{FOLDER}/display_all_images.jpg")).convert("L")
        source, (ids, images) = "montage", montage_objects(np.asarray(montage))
    table = pd.DataFrame(
        {
            "stimulus_id": [stimulus_id(each, "whole", ()) for each in ids],
            "object_id": ids,
            "category": object_category(ids),
            "source": source,
        }
    )
    return Stimuli(images[..., None], table, f"tang2018.objects-{source}")


def montage_objects(montage: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Cut the objects out of the authors' montage.

    Parameters
    ----------
    montage
        uint8 (y, x): 15 × 21 pictures on white paper. From the bottom up, each category takes three rows, of
        22 pictures (the last not in view), 22 (same) and 21.

    Returns
    -------
    ids
        (315,), ascending, of 1 … 325.
    pictures
        uint8 (315, 39, 39).

    Raises
    ------
    ValueError
        If the montage has another number of rows or columns.
    """
    rows, columns = (_spans(montage.mean(axis) < PAPER_GRAY) for axis in (1, 0))
    if (len(rows), len(columns)) != MONTAGE_CELLS:
        raise ValueError(
            f"Montage of the objects: expected {MONTAGE_CELLS[0]} rows of {MONTAGE_CELLS[1]} pictures, got "
            f"{len(rows)} of {len(columns)}. Use the authors' display_all_images.jpg, not resized."
        )
    found = {}
    for up, (top, bottom) in enumerate(rows[::-1]):
        category, row = divmod(up, 3)
        for column, (left, right) in enumerate(columns):
            place = row * FULL_ROW + column
            number = 60 * category + place if place < 60 else 300 + 5 * category + place - 60
            found[number + 1] = resize(montage[top:bottom, left:right], THUMB)
    ids = sorted(found)
    return np.array(ids), np.stack([found[each] for each in ids])


def _spans(inside):
    """Give (start, stop) of each run of True."""
    edges = np.diff(np.concatenate([[0], inside.astype(int), [0]]))
    return list(zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True))


def _originals(cells, name):
    shapes = {cell.shape for cell in cells}
    if len(cells) != N_OBJECTS or shapes != {(FRAME, FRAME)}:
        raise ValueError(
            f"{name}: expected {N_OBJECTS} gray pictures of {FRAME} × {FRAME}, got {len(cells)} of "
            f"{sorted(shapes)}. Use the study's KLAB325.mat."
        )
    return np.stack(cells).astype(np.uint8)


def _names(numbers):
    """Turn the files' 1 … 5 into names, NaN into None."""
    return [None if np.isnan(number) else CATEGORIES[int(number) - 1] for number in numbers]


def _check(raw, name):
    """Refuse a table that contradicts itself: it is then not the study's, or not read as it was meant."""
    known = range(1, len(CATEGORIES) + 1)
    answered = raw["response_category"].notna()
    right = (raw["response_category"] == raw["truth"]) == (raw["correct"] == 1)
    checks = {
        "objects 1 … 325": raw["pres"].between(1, N_OBJECTS),
        "categories 1 … 5": raw["truth"].isin(known) & (~answered | raw["response_category"].isin(known)),
        f"0 … {MAX_BUBBLES} bubbles": raw["nbubbles"].between(0, MAX_BUBBLES),
        "bubbles exactly where occluded": (raw["nbubbles"] > 0) == (raw["occluded"] == 1),
        "correct where answer and truth agree": right,
    }
    if all(good.all() for good in checks.values()):
        own = object_category(raw["pres"].astype(int)) == np.array(_names(raw["truth"]))
        checks["each object in its own category"] = own
    for expected, good in checks.items():
        good = np.asarray(good)
        if not good.all():
            raise ValueError(
                f"{name}: expected {expected}, got {(~good).sum()} of {len(raw)} trials otherwise "
                f"(first: row {good.argmin()}). Use the study's table, unchanged."
            )
