"""Bootstrap samples of a score, kept so that two scores of the same data can be compared resample by resample.

A table of samples has a column for each (quantity, layer, step): quantity is "raw" or "value" (normalised), and the
layer `ONE_NUMBER` stands for the benchmark's one number, whatever layers it rests on. Row 0 is the estimate, from the
data as they are; row k is the same quantity in resample k. Resamples are drawn from the benchmark's seed alone, so row
k of two models' scores is the same draw of images, neurons or observers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurocnnf.stages import provenance_path, write_atomically

COLUMNS = ("quantity", "layer", "step")
ONE_NUMBER = ""
NOTE = "samples"

Key = tuple[str, str, int]


def tabulate(parts: Mapping[Key, tuple[float, NDArray]]) -> pd.DataFrame:
    """Make a table of samples.

    Parameters
    ----------
    parts
        (quantity, layer, step) to (estimate, samples (resample,)), all of one length.

    Returns
    -------
    pandas.DataFrame
        float32, (resample + 1) × (quantity, layer, step); empty where there are no parts.
    """
    if not parts:
        return pd.DataFrame()
    columns = pd.MultiIndex.from_tuples(list(parts), names=COLUMNS)
    values = np.stack([np.r_[estimate, samples] for estimate, samples in parts.values()], axis=1)
    return pd.DataFrame(values.astype(np.float32), columns=columns)


def one_number(
    step: int, raw: tuple[float, NDArray], value: tuple[float, NDArray] | None = None
) -> dict[Key, tuple[float, NDArray]]:
    """Give the parts of `tabulate` that belong to a benchmark's one number at a step; without a ceiling, raw alone."""
    parts = {("raw", ONE_NUMBER, step): raw}
    return parts if value is None else parts | {("value", ONE_NUMBER, step): value}


def of_steps(steps: Mapping[int, tuple[float, NDArray]], layer: str, ceiling: float) -> pd.DataFrame:
    """Make a table of samples of one layer, whose last step is the one number.

    Parameters
    ----------
    steps
        Step to (raw estimate, samples (resample,)).
    layer
        Its name.
    ceiling
        That the one number is divided by; without one (NaN, or 0 and below) there is raw alone.
    """
    last = max(steps)
    raw, drawn = steps[last]
    value = (raw / ceiling, drawn / ceiling) if ceiling > 0 else None
    by_step: dict[Key, tuple[float, NDArray]] = {("raw", layer, step): one for step, one in steps.items()}
    return tabulate(one_number(last, (raw, drawn), value) | by_step)


def to_file(samples: pd.DataFrame, stem: Path) -> list[Path]:
    """Write ``<stem>.samples.npy``, float32 (resample + 1, column); nothing where the table is empty."""
    if samples.empty:
        return []
    path = Path(stem).with_name(f"{Path(stem).name}.{NOTE}.npy")

    def write(part: Path) -> None:
        np.save(part, samples.to_numpy(np.float32))

    return [write_atomically(path, write)]


def columns_as_lists(samples: pd.DataFrame) -> list[list]:
    """Name the columns as JSON holds them, beside the file."""
    return [] if samples.empty else [[quantity, layer, int(step)] for quantity, layer, step in samples.columns]


def from_file(stem: str | Path) -> pd.DataFrame:
    """Read what `benchmarks.Score.to_files` kept of a score's samples.

    Parameters
    ----------
    stem
        As it was written.

    Returns
    -------
    pandas.DataFrame
        As in `tabulate`; empty where the benchmark keeps none.

    Raises
    ------
    ValueError
        If the file and its note do not fit each other.
    """
    stem = Path(stem)
    columns = json.loads(provenance_path(stem).read_text()).get(NOTE, [])
    if not columns:
        return pd.DataFrame()
    values = np.load(stem.with_name(f"{stem.name}.{NOTE}.npy"))
    if values.ndim != 2 or values.shape[1] != len(columns):
        raise ValueError(
            f"{stem.name}.{NOTE}.npy: expected (resample, {len(columns)} columns) as its note says, got shape "
            f"{values.shape}. Write the score again with Score.to_files."
        )
    index = pd.MultiIndex.from_tuples([(str(q), str(layer), int(step)) for q, layer, step in columns], names=COLUMNS)
    return pd.DataFrame(values, columns=index)
