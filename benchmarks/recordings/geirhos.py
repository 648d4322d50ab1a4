"""People naming degraded pictures of 16 categories, trial by trial, in 17 experiments (Geirhos et al. 2018 to 2021).

Geirhos et al. (2018) NeurIPS 31; Geirhos et al. (2019) ICLR; Wang et al. (2019) NeurIPS 32; Geirhos, Narayanappa et al.
(2021) NeurIPS 34. The trials are at hand. The pictures are not: unpack the archives that model-vs-human
(https://github.com/bethgelab/model-vs-human) downloads into ``geirhos_model_vs_human/stimuli/``, so that a picture
lies at ``<experiment>/dnn/<session>/<number>_<code>_<observer>_<condition>_<category>_<number>_<photograph>.png``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from benchmarks.conditions import Conditions
from benchmarks.reaction_times import Exclusion, standardised_times
from neurocnnf.datastore import DataMissing
from neurocnnf.stimuli import Stimuli

FOLDER = "geirhos_model_vs_human"
TRIALS, PICTURES = f"{FOLDER}/human_trials.csv.gz", f"{FOLDER}/stimuli/*/dnn/*/*.png"
SOURCE = "https://github.com/bethgelab/model-vs-human"
COLUMNS = ("subj", "rt", "object_response", "category", "condition", "experiment")
CATEGORIES = (
    *("airplane", "bear", "bicycle", "bird", "boat", "bottle", "car", "cat"),
    *("chair", "clock", "dog", "elephant", "keyboard", "knife", "oven", "truck"),
)
NO_ANSWER = "na"
RANGE_S = (0.2, 2.0)
UNDEGRADED = {
    "colour": "cr",
    "contrast": "c100",
    "false-colour": "true",
    "high-pass": "inf",
    "low-pass": "0",
    "phase-scrambling": "0",
    "power-equalisation": "0",
    "rotation": "0",
    "uniform-noise": "0",
}
"""Condition of each experiment that leaves the photograph as it is; on these a readout is fitted."""


class PngFiles:
    """Pictures read as they are needed: uint8 (image, y, x, 3)."""

    def __init__(self, paths: Sequence[Path]):
        self.paths = tuple(paths)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.paths)

    def __getitem__(self, index) -> NDArray[np.uint8]:
        """Return the pictures at a slice or at integers."""
        images = [np.asarray(Image.open(self.paths[k]).convert("RGB")) for k in np.arange(len(self))[index]]
        sizes = {image.shape for image in images}
        if len(sizes) > 1:
            raise ValueError(
                f"pictures: expected one size, got {sorted(sizes)}. Use the study's pictures, not resized."
            )
        return np.stack(images)


def condition_name(text: object) -> str:
    """Give a condition one spelling: the files have 0.6, 0.60 and "True", "true"."""
    try:
        return f"{float(str(text)):g}"
    except ValueError:
        return str(text).lower()


def load_trials(store) -> pd.DataFrame:
    """Read every trial; none is left out.

    Returns
    -------
    DataFrame
        experiment, subject (one name per experiment), condition (`condition_name`), category, answered (bool), correct
        (bool; without an answer False), rt_s (NaN without an answer).

    Raises
    ------
    ValueError
        If a column is missing or a category unknown.
    """
    raw = pd.read_csv(store.fetch(TRIALS), dtype={"condition": str, "rt": float}, keep_default_na=False, na_values=[""])
    missing = [column for column in COLUMNS if column not in raw]
    if missing:
        raise ValueError(f"{TRIALS}: expected columns {list(COLUMNS)}, {missing} missing. Use the study's table.")
    unknown = ~raw["category"].isin(CATEGORIES)
    if unknown.any():
        row = int(unknown.to_numpy().argmax())
        raise ValueError(
            f"{TRIALS}: expected the 16 categories, got {raw['category'].iloc[row]!r} in row {row}. "
            "Use the study's table."
        )
    return pd.DataFrame(
        {
            "experiment": raw["experiment"],
            "subject": raw["experiment"] + "/" + raw["subj"],
            "condition": raw["condition"].map(condition_name),
            "category": raw["category"],
            "answered": raw["object_response"] != NO_ANSWER,
            "correct": raw["object_response"] == raw["category"],
            "rt_s": raw["rt"],
        }
    )


def read_names(names: Sequence[str]) -> pd.DataFrame:
    """Read what pictures show from their names.

    Returns
    -------
    DataFrame
        experiment, condition, category, photograph (what is the same in two degradations of it), name.

    Raises
    ------
    ValueError
        If a name does not have the study's form.
    """
    rows = []
    for name in names:
        path = PurePosixPath(name)
        parts = path.stem.split("_")
        if len(parts) < 7 or parts[4] not in CATEGORIES:
            raise ValueError(
                f"{name}: expected <number>_<code>_<observer>_<condition>_<category>_<number>_<photograph>.png, got "
                "another form. Keep the study's names."
            )
        photograph = "_".join(parts[6:])
        rows.append((path.parts[-4], condition_name(parts[3]), parts[4], photograph, name))
    return pd.DataFrame(rows, columns=["experiment", "condition", "category", "photograph", "name"])


def load(store, **_) -> Conditions:
    """Read the trials and the user's pictures, for the conditions that have both.

    Raises
    ------
    DataMissing
        If no picture is there, saying how to supply them.
    ValueError
        If files do not have the study's form, no condition has both trials and pictures, or all pictures are degraded.
    """
    names = store.glob(PICTURES)
    if not names:
        raise DataMissing(PICTURES, "the pictures are not shipped; unpack model-vs-human's archives there", SOURCE)
    pictures, trials = read_names(names), load_trials(store)
    key = ["experiment", "condition"]
    table = trials[key].drop_duplicates().merge(pictures[key].drop_duplicates()).sort_values(key, ignore_index=True)
    if table.empty:
        raise ValueError(
            f"{PICTURES}: expected pictures of the trials' experiments and conditions, got "
            f"{pictures['experiment'].iloc[0]!r}, {pictures['condition'].iloc[0]!r}. Keep the study's names."
        )
    place = table.assign(place=np.arange(len(table)))
    shown, counted = pictures.merge(place, on=key), trials.merge(place, on=key)
    notes = (
        f"trials: {len(counted)} of {len(trials)} are of the {len(table)} conditions with pictures "
        f"({len(shown)} of {len(pictures)}); {int((~counted['answered']).sum())} have no answer and count as wrong",
    )
    timed, left_out = standardised_times(counted, _exclusions(counted), RANGE_S)
    counted["time_z"] = timed["time_z"].reindex(counted.index)
    notes += ("times left out, in turn: " + "; ".join(left_out),)
    trains = (shown["condition"] == shown["experiment"].map(UNDEGRADED)).to_numpy()
    if not trains.any():
        raise ValueError(
            f"{PICTURES}: expected pictures that are not degraded, to fit a readout on, got none of {UNDEGRADED}. "
            "Unpack one of these experiments too."
        )
    stimuli = Stimuli(
        PngFiles([store.locate(name) for name in shown["name"]]),
        shown.rename(columns={"name": "stimulus_id"}),
        "geirhos-model-vs-human",
    )
    return Conditions(
        stimuli,
        np.searchsorted(CATEGORIES, shown["category"]),
        CATEGORIES,
        shown["photograph"].to_numpy(),
        trains,
        shown["place"].to_numpy(),
        table,
        counted,
        notes,
    )


def _exclusions(trials: pd.DataFrame) -> tuple[Exclusion, ...]:
    return (
        Exclusion("no answer", ~trials["answered"].to_numpy()),
        Exclusion("wrong answer", ~trials["correct"].to_numpy()),
    )
