"""A study of one's own, in a folder: ``stimuli.csv``, ``images/`` and ``responses.nc``.

``stimuli.csv`` has a row per stimulus: ``stimulus_id``, ``filename`` (in ``images/``), and any other columns.
``responses.nc`` holds one array, (presentation, neuroid), with the dims ``time_bin`` and ``repetition`` where there are
such; coordinates: ``stimulus_id`` of each presentation; ``time_bin_start`` and ``time_bin_end`` (ms) of each bin;
and, where they are known, ``animal`` and ``neuroid_id`` of each neuroid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from neurocnnf.stimuli import Stimuli

STIMULI, IMAGES, RESPONSES = "stimuli.csv", "images", "responses.nc"
DIMS, MORE_DIMS = ("presentation", "neuroid"), ("time_bin", "repetition")
HALVES = ("half 1 of the neuroids", "half 2 of the neuroids")


@dataclass(frozen=True)
class FolderSession:
    """Responses of one group of neuroids in one time bin; the fields of a recorded session.

    Parameters
    ----------
    stimuli
        Images uint8 (presentation, y, x, 3), in the order of ``stimuli.csv``.
    responses
        (presentation, neuroid), averaged over repetitions.
    repeats
        (presentation, neuroid, repetition), NaN where a stimulus was shown fewer times; None without repetitions.
    animal
        The group that the neuroids belong to; another group chooses the layer.
    """

    stimuli: Stimuli
    responses: xr.DataArray
    repeats: xr.DataArray | None
    animal: str


@dataclass(frozen=True)
class Study:
    """A study as its folder holds it, checked.

    Parameters
    ----------
    stimuli
        Images uint8 (presentation, y, x, 3), in the order of ``stimuli.csv``.
    responses
        (presentation, neuroid[, time_bin][, repetition]), float64, in the order of `stimuli`.
    """

    stimuli: Stimuli
    responses: xr.DataArray

    def sessions(self) -> Iterator[tuple[str, FolderSession]]:
        """Yield (name, session) of each animal and time bin.

        Neuroids of a single animal, or of none named, are dealt to two halves in turn, which choose each other's layer:
        no neuroid then takes part in choosing the layer that it is scored with.
        """
        for animal, neuroids in self._groups():
            group = self.responses.isel(neuroid=neuroids)
            for label, chosen in _bins(group):
                repeats = chosen if "repetition" in chosen.dims else None
                responses = chosen if repeats is None else chosen.mean("repetition", keep_attrs=True)
                yield animal + label, FolderSession(self.stimuli, responses, repeats, animal)

    def _groups(self) -> list[tuple[str, NDArray[np.int64]]]:
        animals = self.responses.coords.get("animal")
        names = np.full(self.responses.sizes["neuroid"], "") if animals is None else animals.values.astype(str)
        found = list(dict.fromkeys(names))
        if len(found) > 1:
            return [(name, np.flatnonzero(names == name)) for name in found]
        return [(name, np.arange(start, len(names), 2)) for start, name in enumerate(HALVES)]


def load_study(path: str | Path) -> Study:
    """Read a study from a folder, and check it.

    Parameters
    ----------
    path
        The folder.

    Returns
    -------
    Study
        Presentations in the order of ``stimuli.csv``, whatever order the responses come in.

    Raises
    ------
    ValueError
        If a file, column, dim or coordinate is missing, an id comes twice, an image is missing, unreadable or of
        another size, the counts or ids differ, a response is NaN (or, with repetitions, a showing is NaN in part, or a
        stimulus has no showing), or time bins overlap; it names the row and the column.
    """
    path = Path(path)
    for name in (STIMULI, RESPONSES):
        if not (path / name).is_file():
            raise ValueError(f"{path}: expected {STIMULI}, {IMAGES}/ and {RESPONSES}, got no {name}. Add it.")
    table = _table(path / STIMULI)
    images = read_images(table, path)
    responses = _responses(path / RESPONSES, table)
    check_time_bins(responses, path / RESPONSES)
    check_values(responses, path / RESPONSES)
    return Study(Stimuli(images, table, path.name), responses)


def read_images(table: pd.DataFrame, path: Path) -> NDArray[np.uint8]:
    """Read the images that a table names: (presentation, y, x, 3).

    Raises
    ------
    ValueError
        If one is missing, no image, or of another size than the first.
    """
    pictures: list[NDArray[np.uint8]] = []
    for row, name in enumerate(table["filename"]):
        where = f"{path / STIMULI}, row {row + 1}, column filename"
        try:
            picture = np.asarray(Image.open(path / IMAGES / str(name)).convert("RGB"))
        except (OSError, UnidentifiedImageError) as error:
            why = "no such file" if isinstance(error, FileNotFoundError) else "a file that is no image"
            raise ValueError(f"{where}: expected an image in {IMAGES}/, got {why}: {name!r}. Mend it.") from error
        if pictures and picture.shape != pictures[0].shape:
            raise ValueError(
                f"{where}: expected {pictures[0].shape[1]} × {pictures[0].shape[0]} pixels as in row 1, got "
                f"{picture.shape[1]} × {picture.shape[0]} in {name!r}. Bring all images to one size."
            )
        pictures.append(picture)
    return np.stack(pictures)


def _table(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, dtype={"stimulus_id": str, "filename": str})
    missing = [name for name in ("stimulus_id", "filename") if name not in table]
    if missing or table.empty:
        raise ValueError(
            f"{path}: expected rows with the columns stimulus_id and filename, got {len(table)} rows without "
            f"{', '.join(missing) or 'any stimulus'}. Add them."
        )
    for name in ("stimulus_id", "filename"):
        empty = np.flatnonzero(table[name].isna())
        if len(empty):
            raise ValueError(f"{path}, row {empty[0] + 1}, column {name}: expected a name, got nothing. Fill it in.")
    check_unique(table["stimulus_id"].to_numpy(), f"{path}, column stimulus_id")
    return table


def check_unique(ids: NDArray, where: str) -> None:
    """Raise ValueError, naming the first repeat and both its rows, unless all are different."""
    repeated = np.flatnonzero(pd.Series(ids).duplicated())
    if len(repeated):
        row = int(repeated[0])
        first = list(ids).index(ids[row])
        raise ValueError(
            f"{where}: expected each id once, got {str(ids[row])!r} in rows {first + 1} and {row + 1}. Rename one."
        )


def _responses(path: Path, table: pd.DataFrame) -> xr.DataArray:
    """Read responses, and bring them into the order of the stimuli."""
    with xr.open_dataset(path) as file:
        arrays = list(file.data_vars)
        if len(arrays) != 1:
            names = ", ".join(map(str, arrays))
            raise ValueError(f"{path}: expected one array, got {len(arrays)}: {names}. Write responses alone.")
        responses = file[arrays[0]].load()
    allowed = [dim for dim in responses.dims if dim in DIMS + MORE_DIMS]
    if not set(DIMS) <= set(responses.dims) or len(allowed) < responses.ndim:
        raise ValueError(
            f"{path}: expected the dims presentation, neuroid and, where there are such, time_bin and repetition, got "
            f"{', '.join(map(str, responses.dims))}. Rename them."
        )
    responses = responses.transpose(*DIMS, *(dim for dim in MORE_DIMS if dim in responses.dims)).astype(np.float64)
    if "stimulus_id" not in responses.coords:
        raise ValueError(f"{path}: expected a coordinate stimulus_id on presentation, got none. Add it.")
    shown = responses["stimulus_id"].values.astype(str)
    if len(shown) != len(table):
        raise ValueError(
            f"{path}: expected a presentation for each of the {len(table)} rows of {STIMULI}, got {len(shown)} "
            "presentations. Average repeats, or give them a dim repetition."
        )
    check_unique(shown, f"{path}, coordinate stimulus_id")
    places = {one: place for place, one in enumerate(shown)}
    for row, one in enumerate(table["stimulus_id"]):
        if one not in places:
            raise ValueError(
                f"{path.parent / STIMULI}, row {row + 1}, column stimulus_id: expected a presentation of {one!r} in "
                f"{RESPONSES}, got none. Use the same ids in both."
            )
    return responses.isel(presentation=[places[one] for one in table["stimulus_id"]])


def check_time_bins(responses: xr.DataArray, path: Path) -> None:
    """Raise ValueError unless every time bin ends after it starts, and none starts before another has ended."""
    if "time_bin" not in responses.dims:
        return
    for name in ("time_bin_start", "time_bin_end"):
        if name not in responses.coords:
            raise ValueError(f"{path}: expected a coordinate {name} (ms) on time_bin, got none. Add it.")
    starts, ends = (responses[name].values.astype(np.float64) for name in ("time_bin_start", "time_bin_end"))
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if not start < end:
            raise ValueError(
                f"{path}, time_bin {place + 1}: expected a bin that ends after it starts, got {start:g} to {end:g} ms. "
                "Correct it."
            )
    order = np.argsort(starts, kind="stable")
    for one, later in pairwise(order):
        if starts[later] < ends[one]:
            raise ValueError(
                f"{path}: expected time bins that do not overlap, got time_bin {one + 1}, {starts[one]:g} to "
                f"{ends[one]:g} ms, and time_bin {later + 1}, {starts[later]:g} to {ends[later]:g} ms. Part them."
            )


def check_values(responses: xr.DataArray, path: Path) -> None:
    """Raise ValueError, naming presentation and neuroid, where a response is not finite.

    With repetitions a showing may be missing, in all neuroids and time bins alike; each stimulus needs one.
    """
    finite = np.isfinite(responses.values)
    if "repetition" in responses.dims:
        shown = finite.any(axis=tuple(range(1, finite.ndim - 1)))  # (presentation, repetition)
        never = np.flatnonzero(~shown.any(axis=1))
        if len(never):
            row = int(never[0])
            raise ValueError(
                f"{path}, presentation {row + 1} ({_id(responses, row)}): expected responses in at least one "
                "repetition, got none. Leave the stimulus out of both files."
            )
        finite = finite | ~shown.reshape(len(shown), *[1] * (finite.ndim - 2), shown.shape[1])
    if not finite.all():
        row, column = (int(place) for place in np.argwhere(~finite)[0][:2])
        found = responses.values[row, column][~finite[row, column]].flat[0]
        raise ValueError(
            f"{path}, presentation {row + 1} ({_id(responses, row)}), neuroid {column + 1}: expected a finite "
            f"response, got {found} ({int((~finite).sum())} such in all). "
            "Leave out the neuroid or the stimulus: nothing is filled in."
        )


def _id(responses: xr.DataArray, row: int) -> str:
    return str(responses["stimulus_id"].values[row])


def _bins(group: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield (label, responses of a time bin), in order of time; without bins, one with the label ""."""
    if "time_bin" not in group.dims:
        yield "", group
        return
    for place in np.argsort(group["time_bin_start"].values, kind="stable"):
        one = group.isel(time_bin=int(place))
        yield f", {float(one['time_bin_start']):g} to {float(one['time_bin_end']):g} ms", one
