"""Object solution times of macaque IT and monkeys' performance, image by image (Kar et al. 2019).

Kar, Kubilius, Schmidt, Issa and DiCarlo (2019) Nat Neurosci 22:974. The authors' file ``dataset.h5`` (about 2 GB),
to which https://github.com/kohitij-kar/image_metrics links, is read as it is from ``kar2019/dataset.h5``. It holds, in
MATLAB's order of dimensions: ``images`` 256 × 256 × 3 × image, ``obj`` (1 to 10), ``i1`` (d') and ``ost`` (ms; NaN
where IT never does as well as the monkeys), image × 1.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.object_solution_time import SolvedImages
from benchmarks.solution_time import SolutionTimes
from neurocnnf.datastore import DataMissing
from neurocnnf.stimuli import Stimuli

FILE = "kar2019/dataset.h5"
SOURCE = "https://github.com/kohitij-kar/image_metrics"
CATEGORIES = ("bear", "elephant", "person", "car", "dog", "apple", "chair", "plane", "bird", "zebra")  # obj 1 ... 10
DEGREES = 8.0
FIELDS = ("images", "obj", "i1", "ost")


class MatlabImages:
    """Images of an HDF5 file that MATLAB wrote, read as they are needed: uint8 (image, y, x, channel)."""

    def __init__(self, path: Path, scale: float):
        self.path, self.scale = path, scale

    def __len__(self) -> int:
        """Return the number of images."""
        with h5py.File(self.path) as file:
            return len(file["images"])

    def __getitem__(self, index) -> NDArray[np.uint8]:
        """Return the images at a slice or at integers."""
        with h5py.File(self.path) as file:
            if isinstance(index, slice):
                stored = file["images"][index]
            else:
                stored = np.stack([file["images"][int(k)] for k in np.asarray(index)])
        return np.clip(np.rint(stored * self.scale), 0, 255).astype(np.uint8).transpose(0, 3, 2, 1)


def load(store, **_) -> SolvedImages:
    """Read the user's copy of the study.

    Raises
    ------
    DataMissing
        If it is not there, saying how to supply it.
    ValueError
        If the file does not have the published form.
    """
    path = store.locate(FILE)
    if path is None:
        raise DataMissing(FILE, "the authors' file of 2 GB is not shipped; their page links to dataset.h5", SOURCE)
    with h5py.File(path) as file:
        absent = [name for name in FIELDS if name not in file]
        if absent:
            raise ValueError(
                f"{FILE}: expected {', '.join(FIELDS)}, got none named {absent[0]}. Use the authors' file."
            )
        shape = file["images"].shape
        number, threshold, time = (np.asarray(file[name], np.float64).ravel() for name in FIELDS[1:])
        n = shape[0]
        if len(shape) != 4 or shape[1] != 3 or not len(number) == len(threshold) == len(time) == n:
            raise ValueError(
                f"{FILE}: expected images (image, 3, x, y) as MATLAB stores them, and one obj, i1 and ost each, got "
                f"{shape}, {len(number)}, {len(threshold)}, {len(time)}. Use the authors' file."
            )
        brightest = max(float(np.max(file["images"][k])) for k in range(0, n, max(1, n // 20)))
    if not np.isin(number, np.arange(1, len(CATEGORIES) + 1)).all():
        row = int(np.argmin(np.isin(number, np.arange(1, len(CATEGORIES) + 1))))
        raise ValueError(f"{FILE}: expected obj 1 to 10, got {number[row]} in row {row}. Use the authors' file.")
    labels = number.astype(np.int64) - 1
    known = np.isfinite(threshold)
    solved = np.isfinite(time) & known
    table = pd.DataFrame(
        {"stimulus_id": [f"kar2019-{k:04d}" for k in range(n)], "label": labels, "object": np.array(CATEGORIES)[labels]}
    )
    images = MatlabImages(path, 255.0 if brightest <= 1 else 1.0)
    notes = (
        f"IT solves {int(solved.sum())} of {n} images; {int((known & ~solved).sum())} are censored, "
        f"{int((~known).sum())} have no i1 and are left out",
    )
    observers = SolutionTimes(np.where(solved, time, np.nan), solved, known)
    return SolvedImages(Stimuli(images, table, "kar2019", DEGREES), labels, CATEGORIES, threshold, observers, notes)
