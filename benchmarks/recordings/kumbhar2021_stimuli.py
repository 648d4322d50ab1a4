"""CIFAR-10 pictures perturbed as in the study's own code, in gray, at 32 × 32 pixels.

Source: ``scan/custom_transforms.py`` and ``scan/test_*.py`` of github.com/omkar-kumbhar/anytime-prediction @ e91bf2a,
values in [0, 1]. Noise: the picture's mean is moved to 0.5 and its contrast reduced to a tenth, also at SD 0; the
noise is normal, drawn again beyond 2 SD. Blur: Gaussian, 7 taps a side, the border mirrored; contrast is whole. That
code made the pictures that networks saw; the one that made those for people is not published, but has the same levels.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from benchmarks.recordings.kumbhar2021 import CONDITIONS
from neurocnnf.images import CIFAR10_CLASSES
from neurocnnf.stimuli import Stimuli

CONTRAST, CUT_OFF_SD, TAPS = 0.1, 2.0, 7
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as PIL's and torchvision's gray


def to_gray(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Turn uint8 (image, y, x, channel) into luma in [0, 1], (image, y, x), in 256 levels."""
    luma = images @ np.array(LUMA) if images.shape[-1] == 3 else images[..., 0].astype(float)
    return np.round(luma) / 255


def add_noise(gray: NDArray, sd: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Reduce contrast and add noise.

    Parameters
    ----------
    gray
        (image, y, x), in [0, 1].
    sd
        Of the noise before it is cut off, in units of [0, 1].
    rng
        Source of the noise.
    """
    centred = gray - gray.mean(axis=(1, 2), keepdims=True)
    noise = rng.standard_normal(gray.shape)
    while (beyond := np.abs(noise) > CUT_OFF_SD).any():
        noise[beyond] = rng.standard_normal(int(beyond.sum()))
    return np.clip(0.5 + CONTRAST * centred, 0, 1) + sd * noise


def blur(gray: NDArray, sd: float) -> NDArray[np.float64]:
    """Blur (image, y, x) with a Gaussian of standard deviation `sd`, pixels, cut off after 3; 0 leaves all as is."""
    if sd == 0:
        return gray.copy()
    kernel = np.exp(-0.5 * ((np.arange(TAPS) - TAPS // 2) / sd) ** 2)
    kernel /= kernel.sum()
    return correlate1d(correlate1d(gray, kernel, axis=1, mode="mirror"), kernel, axis=2, mode="mirror")


def perturb(gray: NDArray, condition: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Perturb pictures as in a condition of `CONDITIONS`; colour is lost in both of colour/gray."""
    study, sd = CONDITIONS.loc[condition, "study"], float(CONDITIONS.loc[condition, "perturbation"])
    if study == "noise":
        return add_noise(gray, sd, rng)
    return blur(gray, sd) if study == "blur" else gray.copy()


def condition_stimuli(images: NDArray[np.uint8], labels: NDArray, n_per_class: int, seed: int) -> list[Stimuli]:
    """Make the stimuli of every condition: the first pictures of every class, the same in each.

    Parameters
    ----------
    images, labels
        uint8 (image, y, x, channel), (image,).
    n_per_class
        Pictures of each class.
    seed
        Of the noise.

    Returns
    -------
    list of Stimuli
        One for each row of `CONDITIONS`; table columns ``stimulus_id``, ``label``.

    Raises
    ------
    ValueError
        If a class has fewer pictures.
    """
    members = [np.flatnonzero(labels == c)[:n_per_class] for c in range(len(CIFAR10_CLASSES))]
    if min(map(len, members)) < n_per_class:
        raise ValueError(
            f"condition_stimuli: expected {n_per_class} pictures of each of {len(members)} classes, got "
            f"{[len(m) for m in members]}. Pass the whole test set."
        )
    chosen = np.concatenate(members)
    gray = to_gray(images[chosen])
    table = pd.DataFrame({"stimulus_id": [f"{k:05d}" for k in chosen], "label": labels[chosen]})
    streams = np.random.default_rng(seed).spawn(len(CONDITIONS))
    made = []
    for condition, (rng, name) in enumerate(zip(streams, CONDITIONS["condition"], strict=True)):
        pixels = np.round(255 * perturb(gray, condition, rng).clip(0, 1)).astype(np.uint8)
        made.append(Stimuli(pixels[..., None], table, f"test set, {name}"))
    return made
