"""Macaque V4 responses to colour images (Cowley, Stan, Pillow, Smith 2023)."""

from __future__ import annotations

import io
import logging
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from PIL import Image

from neurocnnf.stimuli import Stimuli

FOLDER = "cowley2023_v4"
REGION = "V4"
TIME_BIN_MS = 100  # the study's readme: "Spike count bins are in 100ms"
CITATION = (
    "Cowley, Stan, Pillow, Smith (2023) Compact deep neural network models of visual cortex. bioRxiv 2023.11.22.568315"
)
_TABLE_ROW = re.compile(r"^\s*(\d{6})\s+([A-Z]{2})\s", re.MULTILINE)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Session:
    """One recording session.

    Parameters
    ----------
    stimuli
        Images uint8 (presentation, y, x, 3), sorted by name; table columns stimulus_id, session.
    responses
        (presentation, neuroid), float64, spikes per 100 ms, averaged over repeats.
    repeats
        (presentation, neuroid, repetition), float64, spikes per 100 ms; NaN where an image was shown fewer
        times than the most-shown one. None where the study's single repeats are not at hand.
    animal
        The study's two letters for the monkey.
    """

    stimuli: Stimuli
    responses: xr.DataArray
    repeats: xr.DataArray | None
    animal: str


def sessions(store) -> list[str]:
    """List the sessions at hand: those with both an image file and a response file, in order of date.

    Parameters
    ----------
    store
        Data store; only what is already here is listed.
    """
    images = _names(store, "images_")
    responses = _names(store, "responses_")
    for alone in sorted(images ^ responses):
        _log.warning("%s: session %s left out, half of its pair of files is not here", FOLDER, alone)
    return sorted(images & responses)


def load_session(store, session: str) -> Session:
    """Read one session.

    Parameters
    ----------
    store
        Data store that holds ``cowley2023_v4/``.
    session
        Six digits, such as ``"210325"``; see `sessions`.

    Raises
    ------
    ValueError
        If images, responses and repeats do not fit each other, or the readme does not name the animal.
    """
    animal = animals(store.fetch(f"{FOLDER}/readme_original.txt").read_text(encoding="utf-8")).get(session)
    if animal is None:
        raise ValueError(
            f"Session {session}: expected a row in the table of {FOLDER}/readme_original.txt that names the "
            f"animal, got none. Use the study's own readme."
        )
    names, images = read_images(store.fetch(f"{FOLDER}/images_{session}.zip"))
    spikes = np.load(store.fetch(f"{FOLDER}/responses_{session}.npy"))
    if spikes.ndim != 2 or spikes.shape[1] != len(images):
        raise ValueError(
            f"Session {session}: expected responses (neuron, image) to {len(images)} images, got shape "
            f"{spikes.shape}. Images and responses of one session belong together: fetch both again."
        )
    table = pd.DataFrame({"stimulus_id": [f"{session}/{name}" for name in names], "session": session})
    stimuli = Stimuli(images, table, f"cowley2023.{session}")
    coords = _coords(table, session, animal, len(spikes))
    dims = ("presentation", "neuroid")
    attrs = _attrs(session, "mean of repeats")
    responses = xr.DataArray(spikes.T, coords, dims, name="responses", attrs=attrs)
    return Session(stimuli, responses, _repeats(store, session, responses), animal)


def animals(readme: str) -> dict[str, str]:
    """Read from the study's readme which animal each session recorded.

    Parameters
    ----------
    readme
        Text with rows "session ID | animal ID | ...", as in the study's ``readme.txt``.
    """
    return dict(_TABLE_ROW.findall(readme))


def read_images(path: Path) -> tuple[list[str], NDArray[np.uint8]]:
    """Read a zip of JPEG images, sorted by name.

    The zip's own order is not the responses' order (session 190925 is stored scrambled); the names' is.

    Returns
    -------
    names
        File names without folder and suffix, such as ``"image0001"``.
    images
        uint8 (presentation, y, x, 3).

    Raises
    ------
    ValueError
        If there is no image, or two of them differ in size.
    """
    with zipfile.ZipFile(path) as archive:
        members = {PurePosixPath(name): name for name in archive.namelist()}
        members = {key.stem: name for key, name in members.items() if key.suffix.lower() in (".jpg", ".jpeg")}
        names = sorted(members)
        pictures = [np.asarray(Image.open(io.BytesIO(archive.read(members[name]))).convert("RGB")) for name in names]
    shapes = {picture.shape for picture in pictures}
    if len(shapes) != 1:
        raise ValueError(
            f"{path.name}: expected JPEG images of one size, got {len(pictures)} of sizes {sorted(shapes)}. "
            f"Fetch the file again."
        )
    return names, np.stack(pictures)


def _names(store, kind):
    """Give the sessions that have a file of this kind (six digits after it: single repeats are not one)."""
    pattern = re.compile(rf"{kind}(\d{{6}})\.(?:zip|npy)$")
    found = (pattern.search(name) for name in store.glob(f"{FOLDER}/{kind}*"))
    return {match.group(1) for match in found if match}


def _coords(table, session, animal, n_neurons):
    return {
        "stimulus_id": ("presentation", table["stimulus_id"].to_numpy(dtype=str)),
        "session": ("presentation", table["session"].to_numpy(dtype=str)),
        "neuroid_id": ("neuroid", np.array([f"{session}/n{i:02d}" for i in range(n_neurons)])),
        "animal": ("neuroid", np.full(n_neurons, animal)),
        "region": ("neuroid", np.full(n_neurons, REGION)),
    }


def _attrs(session, what):
    return {
        "units": f"spikes per {TIME_BIN_MS} ms",
        "time_bin_ms": TIME_BIN_MS,
        "averaging": what,
        "session": session,
        "citation": CITATION,
    }


def _repeats(store, session, responses):
    """Read single repeats where they are here, and check that their mean is `responses`."""
    name = f"{FOLDER}/responses_raw_{session}.npy"
    if not store.available(name):
        return None
    raw = np.load(store.fetch(name))
    expected = responses.shape[::-1]
    if raw.ndim != 3 or raw.shape[:2] != expected:
        raise ValueError(
            f"{name}: expected repeats (neuron {expected[0]}, image {expected[1]}, repetition), got shape "
            f"{raw.shape}. Fetch the file again."
        )
    n_shown = np.isfinite(raw).sum(axis=2)
    mean = np.divide(np.nansum(raw, axis=2), n_shown, out=np.full(expected, np.nan), where=n_shown > 0)
    if not np.allclose(mean.T, responses, atol=1e-9, equal_nan=True):
        raise ValueError(
            f"{name}: expected repeats whose mean is the session's responses, got a difference of up to "
            f"{np.nanmax(np.abs(mean.T - responses.values)):.3g}. The two files are not of one session."
        )
    coords = {**responses.coords, "repetition": np.arange(raw.shape[2])}
    dims = ("presentation", "neuroid", "repetition")
    attrs = _attrs(session, "none; NaN where an image was not shown again")
    return xr.DataArray(raw.transpose(1, 0, 2), coords, dims, name="repeats", attrs=attrs)
