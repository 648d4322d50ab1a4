"""Does feedback sharpen obfuscated images? Likeness of reconstructions to the clean image, by step, beside other ways.

Run ``python -m analysis.sharpening cnnf-mnist --control cnn-mnist --out build/sharpening/mnist``.

Every image is noisy, blurred or occluded. Compared with the clean image are: the degraded input itself; a Gaussian
filter of it, whose width was chosen on training images; a 3 × 3 median filter; CNN-F's reconstruction at each step,
carried to the pixels; and the best inversion of the feedforward control: pixels, found by gradient descent from noise,
to which a layer of it responds as to the degraded image, smooth by a penalty on total variation; layer and penalty were
chosen on training images (Mahendran & Vedaldi 2015, CVPR), as degraded as those tested. The scale of reconstructions is
arbitrary, so every image of every way is first given the gain and offset that fit the clean one best: only structure is
compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, median_filter

from analysis.tables import as_csv
from benchmarks.bootstrap import interval
from neurocnnf.degradations import DEGRADATION_LEVELS
from neurocnnf.progress import Progress
from neurocnnf.stages import run_stage, write_atomically

KINDS = ("noise", "blur", "occlusion")
INPUT, GAUSSIAN, MEDIAN, INVERSION, STEP = "degraded input", "gaussian filter", "median filter", "inversion", "step"
WIDTHS = (0.0, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Of the Gaussian filter, pixels; 0 leaves the image as it is."""
SMOOTHNESS = (0.01, 0.1, 0.5, 2.0, 10.0)
"""Weights of total variation, per pixel and over the pixels' standard deviation (responses hardly change with contrast,
so that the penalty could be had for less contrast instead), against the mean squared difference of responses over their
mean square."""
N_IMAGES, N_RESAMPLES, QUICK_IMAGES = 200, 2000, 20
INVERSION_RATE, START_SD = 0.05, 0.5
PEAK = 2.0  # images span -1 … 1

Way = Callable[[NDArray], NDArray]


class Effort(NamedTuple):
    """Images that the inversion is chosen on, images inverted of each condition, and steps of gradient descent."""

    n_choosing: int = 5
    n_inverted: int = 20
    n_descents: int = 150


FULL, QUICK = Effort(), Effort(n_choosing=2, n_inverted=4, n_descents=20)


def matched(images: NDArray, clean: NDArray) -> NDArray[np.float64]:
    """Give each image the gain and offset that fit its clean one best in the least squares; (image, y, x)."""
    x, y = (np.asarray(a, np.float64).reshape(len(a), -1) for a in (images, clean))
    dx, dy = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    power = (dx * dx).sum(axis=1, keepdims=True)
    gain = np.divide((dx * dy).sum(axis=1, keepdims=True), power, out=np.zeros_like(power), where=power > 0)
    return (gain * dx + y.mean(axis=1, keepdims=True)).reshape(np.shape(clean))


def psnr(images: NDArray, clean: NDArray) -> NDArray[np.float64]:
    """Peak signal-to-noise ratio, dB, (image,): 10 log10(2² / mean squared error); images span -1 … 1."""
    error = np.square(np.asarray(images, np.float64) - clean).mean(axis=(1, 2))
    return 10 * np.log10(PEAK**2 / np.maximum(error, np.finfo(float).tiny))


def ssim(images: NDArray, clean: NDArray) -> NDArray[np.float64]:
    """Structural similarity, mean over pixels, (image,).

    Wang et al. (2004, IEEE Trans. Image Process. 13:600): Gaussian window of 1.5 pixels, cut at 11 × 11,
    K₁ = .01, K₂ = .03; windows that reach over the border are left out.
    """

    def window(values: NDArray) -> NDArray:
        # An 11 × 11 window: radius 5 of sigma 1.5.
        return gaussian_filter(values, (0, 1.5, 1.5), truncate=5 / 1.5)[:, 5:-5, 5:-5]

    x, y = np.asarray(images, np.float64), np.asarray(clean, np.float64)
    mean_x, mean_y = window(x), window(y)
    xx, yy, xy = window(x * x) - mean_x**2, window(y * y) - mean_y**2, window(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    likeness = (2 * mean_x * mean_y + c1) * (2 * xy + c2) / ((mean_x**2 + mean_y**2 + c1) * (xx + yy + c2))
    return likeness.mean(axis=(1, 2))


def invert(control, shown: NDArray, layer: str, smoothness: float, n_descents: int) -> NDArray[np.float32]:
    """Find pixels to which a layer of a model responds as to images, by gradient descent (Adam) from noise.

    From gray, where all pixels are alike, it would end early, far from the responses sought.

    Parameters
    ----------
    control
        The model.
    shown
        float32 (image, y, x).
    layer, smoothness
        Whose responses are matched; weight of total variation.
    n_descents
        Steps of gradient descent.
    """
    import torch

    target_images = torch.as_tensor(shown)[:, None]
    with torch.no_grad():
        target = next(control.steps(target_images, 0, layers=(layer,))).activations[layer]
    scale = target.square().flatten(1).mean(1).clamp(min=1e-12)
    noise = torch.randn(target_images.shape, generator=torch.Generator().manual_seed(0))
    x = (START_SD * noise).requires_grad_()
    optimiser = torch.optim.Adam([x], lr=INVERSION_RATE)
    for _ in range(n_descents):
        found = next(control.steps(x.tanh(), 0, layers=(layer,))).activations[layer]
        off = ((found - target).square().flatten(1).mean(1) / scale).sum()
        pixels = x.tanh()
        rough = sum((pixels.diff(dim=axis) ** 2 + 1e-6).sqrt().mean((1, 2, 3)) for axis in (2, 3))
        rough = (rough / (pixels.var((1, 2, 3)) + 1e-6).sqrt()).sum()
        optimiser.zero_grad()
        (off + smoothness * rough).backward()
        optimiser.step()
    return x.detach().tanh()[:, 0].numpy()


def choose(ways: dict, degraded: NDArray, clean: NDArray):
    """Return the key of the way that restores training images best, by mean PSNR."""
    return max(ways, key=lambda key: psnr(matched(ways[key](degraded), clean), clean).mean())


def inversions(control, n_descents: int) -> dict[str, Way]:
    """Name the inversions to choose from: layers (end of the first and of the last pair of blocks) by smoothness."""
    blocks = [layer for layer in control.layer_names if layer.startswith("block")]
    return {
        f"{layer}, smoothness {weight:g}": partial(
            invert, control, layer=layer, smoothness=weight, n_descents=n_descents
        )
        for layer in blocks[1::2]
        for weight in SMOOTHNESS
    }


def restorations(
    model, control, training: tuple[NDArray, NDArray], degraded: NDArray, n_steps: int, effort: Effort
) -> Iterator[tuple[str, int, str, NDArray]]:
    """Yield (way, step, how it was set, restored images) for one degradation.

    Parameters
    ----------
    model, control
        CNN-F, and its feedforward control, which is inverted.
    training
        Degraded and clean training images, to choose the filter and the inversion on.
    degraded
        float32 (image, y, x).
    n_steps
        Feedback passes.
    effort
        Spent on the inversion.
    """
    import torch

    yield INPUT, 0, "", degraded
    filters = {width: partial(gaussian_filter, sigma=(0, width, width)) for width in WIDTHS}
    width = choose(filters, *training)
    yield GAUSSIAN, 0, f"sigma {width:g}", filters[width](degraded)
    yield MEDIAN, 0, "3 × 3", median_filter(degraded, size=(1, 3, 3))
    ways = inversions(control, effort.n_descents)
    best = choose(ways, *(part[: effort.n_choosing] for part in training))
    yield INVERSION, 0, best, ways[best](degraded[: effort.n_inverted])
    with torch.no_grad():
        trajectory = model.unroll(torch.as_tensor(degraded)[:, None], n_steps)
        for step, pixels in enumerate(trajectory.pixel_reconstructions, start=1):
            yield STEP, step, "", pixels[:, 0].numpy()


def measure(
    model,
    control,
    test: NDArray,
    training: NDArray,
    n_steps: int,
    seed: int,
    effort: Effort = FULL,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Degrade images, restore them in every way, and compare with the clean ones.

    Parameters
    ----------
    model, control
        CNN-F and its feedforward control.
    test, training
        float32 (image, y, x) in [-1, 1]: those compared, and those that ways are chosen on.
    n_steps, seed
        Feedback passes; of degradations and resamples.
    effort
        Spent on the inversion.
    progress
        Called with (what, done, total).

    Returns
    -------
    pandas.DataFrame
        degradation, level, way, step, setting; psnr (dB) and ssim, each with _low, _high (95 %, images drawn anew) and
        _gain, _gain_low, _gain_high (over the degraded input, same images); n_images.
    """
    import torch

    from neurocnnf.degradations import degrade

    rows, conditions = [], [(kind, level) for kind in KINDS for level in DEGRADATION_LEVELS[kind]]
    for done, (kind, level) in enumerate(conditions, start=1):
        spoiled = [
            degrade(torch.as_tensor(part)[:, None], kind, level, torch.Generator().manual_seed(seed + offset))[:, 0]
            for offset, part in enumerate((test, training))
        ]
        degraded, for_choice = (part.numpy() for part in spoiled)
        first = {}
        chosen_on = for_choice, training
        for way, step, setting, restored in restorations(model, control, chosen_on, degraded, n_steps, effort):
            clean = test[: len(restored)]
            pixels = matched(restored, clean)
            row = {"degradation": kind, "level": level, "way": way, "step": step, "setting": setting}
            for name, value in (("psnr", psnr(pixels, clean)), ("ssim", ssim(pixels, clean))):
                first.setdefault(name, value)
                row |= _summary(name, value, value - first[name][: len(value)], seed)
            rows.append(row | {"n_images": len(restored)})
        if progress:
            progress(f"{model.name}: {kind} {level:g}", done, len(conditions))
    return pd.DataFrame(rows)


def _summary(name: str, values: NDArray, gains: NDArray, seed: int) -> dict[str, float]:
    drawn = np.random.default_rng(seed).integers(0, len(values), (N_RESAMPLES, len(values)))
    found = {}
    for column, one in ((name, values), (f"{name}_gain", gains)):
        low, high = interval(one[drawn].mean(axis=1))
        found |= {column: float(one.mean()), f"{column}_low": low, f"{column}_high": high}
    return found


def load_images(data: str, split: str, n: int, seed: int) -> NDArray[np.float32]:
    """Return n images of a gray set, drawn by the seed: float32 (image, y, x) in [-1, 1]."""
    from neurocnnf.images import load_training_set, to_model_range

    images, _ = load_training_set(data, split)
    index = np.random.default_rng(seed).permutation(len(images))[:n]
    return to_model_range(images[np.sort(index)])[:, 0].numpy()


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table of a model and its control, unless it is up to date; print its path last."""
    from neurocnnf import load_model
    from neurocnnf.display import progress_bar
    from neurocnnf.images import training_set_provenance
    from neurocnnf.stage_inputs import stage_inputs, steps_taken

    parser = argparse.ArgumentParser(description="Measure how far feedback restores degraded images.")
    parser.add_argument("model", help="name or path of a CNN-F of gray images, e.g. cnnf-mnist")
    parser.add_argument("--control", required=True, help="its feedforward control, which is inverted")
    parser.add_argument("--out", type=Path, required=True, metavar="CSV")
    parser.add_argument("--n-images", type=int, default=N_IMAGES, help="test images (default: %(default)s)")
    parser.add_argument("--n-steps", type=int, default=5, help="feedback passes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything drawn at random (default: 0)")
    parser.add_argument("--quick", action="store_true", help="a small subsample: a check, not a result")
    options = parser.parse_args(argv)
    model, control = load_model(options.model), load_model(options.control)
    if not (model.recurrent and model.predicted_layers) or model.channels != 1 or options.n_steps < 1:
        raise SystemExit(
            f"error: expected a model that reconstructs gray images, and a step, got {model.name}. Take cnnf-mnist."
        )
    n_steps = steps_taken(model, options.n_steps, options.quick)
    settings = {"n_images": options.n_images, "n_steps": n_steps, "seed": options.seed, "quick": options.quick}

    def write() -> list[Path]:
        data, n = model.card["data"], QUICK_IMAGES if options.quick else options.n_images
        sets = load_images(data, "test", n, options.seed), load_images(data, "train", 100, options.seed)
        with progress_bar() as progress:
            effort = QUICK if options.quick else FULL
            table = measure(model, control, *sets, n_steps, options.seed, effort, progress)
        return [write_atomically(options.out, as_csv(table.assign(model=model.name, control=control.name)))]

    sha256 = training_set_provenance(model.card["data"])["sha256"]
    run_stage(options.out, stage_inputs("sharpening", sha256, settings, [model, control], package="analysis"), write)
    print(options.out)


if __name__ == "__main__":
    main()
