"""Dissimilarities of 92 object images in macaque IT, human IT and human judgement.

Kriegeskorte et al. (2008), macaque recordings of Kiani et al. (2007), judgements of Mur et al. (2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.spatial.distance import squareform

from neurocnnf.stimuli import Stimuli

FOLDER = "kriegeskorte2008_92"
N_IMAGES = 92
FLAGS = ("human", "face", "animal", "natural")
CITATIONS = {
    "macaque": "Kiani, Esteky, Mirpour, Tanaka (2007) J Neurophysiol 97:4296; "
    "Kriegeskorte et al. (2008) Neuron 60:1126",
    "human": "Kriegeskorte et al. (2008) Neuron 60:1126",
    "judgements": "Mur et al. (2013) Front Psychol 4:128",
}
CORRELATION_DISTANCE = "1 - Pearson r between response patterns"
# The published human vector is the plain mean over subjects and sessions, in single precision.
ORDER_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Kriegeskorte:
    """The study: images, and how different they are to a brain or an observer.

    Parameters
    ----------
    stimuli
        92 images, uint8 (presentation, y, x, 3); table columns stimulus_id, category, the study's four flags
        (bool), and its twelve category vectors as ``label_<name>`` (bool).
    macaque_it
        (presentation, presentation_2), 1 - Pearson r over 674 neurons of two monkeys.
    human_it
        (subject, session, presentation, presentation_2), 1 - Pearson r over voxels.
    judgements
        (subject, presentation, presentation_2), distances of images arranged by similarity; their scale is
        arbitrary, so only their order within a subject means something.
    """

    stimuli: Stimuli
    macaque_it: xr.DataArray
    human_it: xr.DataArray
    judgements: xr.DataArray


def load(store) -> Kriegeskorte:
    """Read the study's three files and check that they list the images in one order.

    Macaque vector and human mean are of the file that holds the images; the human matrices of single subjects
    must average to that human mean. The judgements carry nothing to check their order with.

    Parameters
    ----------
    store
        Data store that holds ``kriegeskorte2008_92/``.

    Raises
    ------
    ValueError
        If a dissimilarity matrix is not one of the 92 images, or the files' orders differ.
    """
    published = loadmat(store.fetch(f"{FOLDER}/Kriegeskorte_Neuron2008_supplementalData.mat"))
    stimuli = _stimuli(published)
    vectors = {str(item["name"].item()): item["RDM"] for item in published["RDMs_mIT_hIT_fig1"].ravel()}
    macaque = square(_pick(vectors, "mIT"), "macaque IT")
    human = _human(loadmat(store.fetch(f"{FOLDER}/92_brainRDMs.mat"))["RDMs"], stimuli)
    difference = np.abs(human.values.mean((0, 1)) - square(_pick(vectors, "hIT"), "human IT")).max()
    if not difference <= ORDER_TOLERANCE:
        raise ValueError(
            f"{FOLDER}: expected subjects' matrices that average to the published human IT dissimilarities "
            f"(within {ORDER_TOLERANCE:g}), got a difference of {difference:.3g}: the files list the images "
            f"in different orders. Use the study's original files."
        )
    return Kriegeskorte(
        stimuli,
        _array(macaque, stimuli, {}, "macaque_it", CORRELATION_DISTANCE, CITATIONS["macaque"], region="IT"),
        human,
        _judgements(loadmat(store.fetch(f"{FOLDER}/92_behavRDMs.mat"))["rdms_behav_92"], stimuli),
    )


def square(dissimilarities: NDArray, what: str) -> NDArray[np.float64]:
    """Give a dissimilarity matrix of the 92 images as a square, whichever way it was stored.

    Parameters
    ----------
    dissimilarities
        Square matrix, or the 4186 entries above its diagonal, row by row.
    what
        What it is of, for the error.

    Returns
    -------
    (image, image_2), symmetric, zero on the diagonal.

    Raises
    ------
    ValueError
        If it is neither, or not symmetric with a zero diagonal.
    """
    values = np.asarray(dissimilarities, dtype=np.float64)
    n_pairs = N_IMAGES * (N_IMAGES - 1) // 2
    if values.size == n_pairs:
        return squareform(values.ravel())
    if values.shape != (N_IMAGES, N_IMAGES):
        raise ValueError(
            f"{what}: expected dissimilarities of {N_IMAGES} images ({N_IMAGES} × {N_IMAGES}, or {n_pairs} "
            f"pairs), got shape {values.shape}. Use the study's original files."
        )
    if np.any(np.diag(values) != 0) or not np.array_equal(values, values.T, equal_nan=True):
        raise ValueError(
            f"{what}: expected a symmetric matrix with a zero diagonal, got an asymmetry of "
            f"{np.nanmax(np.abs(values - values.T)):.3g} and a diagonal up to "
            f"{np.nanmax(np.abs(np.diag(values))):.3g}. Use the study's original files."
        )
    return values


def _pick(vectors, prefix):
    """Give the one published vector whose name starts with `prefix`."""
    found = [vector for name, vector in vectors.items() if name.startswith(prefix)]
    if len(found) != 1:
        raise ValueError(
            f"{FOLDER}: expected one published dissimilarity vector {prefix}…, got {sorted(vectors)}. "
            f"Use the study's original files."
        )
    return found[0]


def _stimuli(published):
    objects = published["stimuli_92objs"].ravel()
    if len(objects) != N_IMAGES:
        raise ValueError(f"{FOLDER}: expected {N_IMAGES} images, got {len(objects)}. Use the study's original files.")
    table = pd.DataFrame(
        {
            "stimulus_id": [f"image{i + 1:02d}" for i in range(N_IMAGES)],
            "category": [str(item["category"].item()) for item in objects],
            **{flag: [bool(item[flag].item()) for item in objects] for flag in FLAGS},
        }
    )
    labels = [str(label.item()) for label in published["categoryLabels"].ravel()]
    vectors = published["categoryVectors"].astype(bool)
    for label, vector in zip(labels, vectors.T, strict=True):
        table[f"label_{label}"] = vector
    # No degrees: the two species saw the images at different sizes, and the files state neither.
    return Stimuli(np.stack([item["image"] for item in objects]), table, "kriegeskorte2008.92")


def _human(matrices, stimuli):
    """Read struct (1, subject, session) with names "hIT | BE | Session: 1"."""
    matrices = matrices.reshape(matrices.shape[-2:])
    subjects = [str(row[0]["name"].item()).split("|")[1].strip() for row in matrices]
    sessions = [int(str(item["name"].item()).split("Session:")[1]) for item in matrices[0]]
    values = np.stack([[square(item["RDM"], str(item["name"].item())) for item in row] for row in matrices])
    coords = {"subject": subjects, "session": sessions}
    return _array(values, stimuli, coords, "human_it", CORRELATION_DISTANCE, CITATIONS["human"], region="IT")


def _judgements(matrices, stimuli):
    """Read struct (1, subject) with names "simJudge | subject1"."""
    names = [str(item["name"].item()) for item in matrices.ravel()]
    values = np.stack([square(item["RDM"], name) for item, name in zip(matrices.ravel(), names, strict=True)])
    coords = {"subject": [name.split("|")[-1].strip() for name in names]}
    units = "distance in arrangements by similarity, arbitrary scale per subject"
    return _array(values, stimuli, coords, "judgements", units, CITATIONS["judgements"])


def _array(values, stimuli, coords, name, units, citation, **attrs):
    ids = stimuli.table["stimulus_id"].to_numpy(dtype=str)
    images = {"stimulus_id": ("presentation", ids), "stimulus_id_2": ("presentation_2", ids)}
    dims = (*coords, "presentation", "presentation_2")
    attrs = {"units": units, "citation": citation, **attrs}
    return xr.DataArray(values, {**coords, **images}, dims, name=name, attrs=attrs)
