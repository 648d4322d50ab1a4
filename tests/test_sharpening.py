"""Likeness of restored to clean images, against slow and closed forms; a model that restores is found, noise is not."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from analysis import sharpening as sharp
from figures import sharpening as figure
from neurocnnf import load_model


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, (3, 16, 16)), rng.uniform(-1, 1, (3, 16, 16))


def test_gain_and_offset_are_those_of_a_line_by_least_squares(images):
    restored, clean = images
    for one, x, y in zip(sharp.matched(restored, clean), restored, clean, strict=True):
        slope, offset = np.polyfit(x.ravel(), y.ravel(), 1)
        np.testing.assert_allclose(one, slope * x + offset, atol=1e-12)
    flat = sharp.matched(np.ones((1, 4, 4)), clean[:1, :4, :4])
    np.testing.assert_allclose(flat, clean[0, :4, :4].mean())


def test_the_ratio_of_peak_to_noise_is_that_of_its_definition(images):
    _, clean = images
    np.testing.assert_allclose(sharp.psnr(clean + 0.2, clean), 20.0)  # 10 log10(4 / .04)


def test_structural_similarity_is_that_of_its_equation_window_by_window(images):
    x, y = (one[0] for one in images)
    at = np.arange(-5, 6)
    kernel = np.exp(-(at**2) / (2 * 1.5**2))
    weights = np.outer(kernel, kernel) / kernel.sum() ** 2
    likeness = []
    for row in range(5, 11):
        for column in range(5, 11):
            a, b = (one[row - 5 : row + 6, column - 5 : column + 6] for one in (x, y))
            ma, mb = (weights * a).sum(), (weights * b).sum()
            va, vb = (weights * (a - ma) ** 2).sum(), (weights * (b - mb) ** 2).sum()
            ab = (weights * (a - ma) * (b - mb)).sum()
            c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
            likeness.append((2 * ma * mb + c1) * (2 * ab + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    assert sharp.ssim(x[None], y[None])[0] == pytest.approx(np.mean(likeness), abs=1e-12)
    assert sharp.ssim(x[None], x[None])[0] == pytest.approx(1.0)


def test_an_inversion_of_an_early_layer_gives_the_image_back_and_a_smooth_one_less_of_its_noise():
    control = load_model("cnn-digits")
    clean = sharp.load_images("digits", "test", 2, 0)
    shown = clean + np.random.default_rng(0).normal(0, 0.3, clean.shape).astype(np.float32)
    found, smooth = (sharp.invert(control, shown, "block1", weight, 150) for weight in (0.001, 0.5))
    assert (sharp.psnr(sharp.matched(found, shown), shown) > 25).all()

    def likeness(images):
        return sharp.psnr(sharp.matched(images, clean), clean)

    assert (likeness(smooth) > likeness(found) + 1).all()


def test_the_way_that_restores_training_images_best_is_chosen():
    clean = np.random.default_rng(0).uniform(-1, 1, (3, 8, 8))
    ways = {"flat": np.zeros_like, "back": lambda shown: -5 * shown + 1, "shuffled": lambda shown: shown[:, ::-1]}
    assert sharp.choose(ways, -clean, clean) == "back"


class Restores:
    """A stand-in that reconstructs the clean images at step 2, and nothing at step 1."""

    name = "restores"

    def __init__(self, clean):
        self.clean = torch.as_tensor(clean)[:, None]

    def unroll(self, images, n_steps):
        assert n_steps == 2
        noise = torch.rand(self.clean.shape, generator=torch.Generator().manual_seed(0))
        return SimpleNamespace(pixel_reconstructions=torch.stack([noise, 3 * self.clean + 1]))


def test_a_model_that_restores_is_found_and_noise_is_not(monkeypatch, tmp_path):
    test, training = (sharp.load_images("digits", split, 12, 0) for split in ("test", "train"))
    monkeypatch.setattr(sharp, "SMOOTHNESS", (0.01,))
    effort = sharp.Effort(n_choosing=2, n_inverted=3, n_descents=2)
    table = sharp.measure(Restores(test), load_model("cnn-digits"), test, training, 2, 0, effort)
    assert len(table) == 9 * 6
    steps = table[table["way"] == sharp.STEP]
    assert (steps[steps["step"] == 2]["ssim"] > 0.999).all()
    assert (steps[steps["step"] == 2]["ssim_gain_low"] > 0).all()
    assert (steps[steps["step"] == 1]["ssim"] < 0.2).all()
    assert (table["n_images"] == np.where(table["way"] == sharp.INVERSION, 3, 12)).all()
    inputs = table[table["way"] == sharp.INPUT]
    assert (inputs[["psnr_gain", "ssim_gain"]] == 0).all(axis=None)
    weakest = table[(table["degradation"] == "blur") & (table["way"] == sharp.GAUSSIAN)]
    assert (weakest["setting"] == "sigma 0").all()  # nothing blurred is restored by blurring it again
    table.assign(model="stand-in").to_csv(tmp_path / "t.csv", index=False)
    figure.main(["--in", str(tmp_path / "t.csv"), "--out", str(tmp_path / "drawn")])
    assert (tmp_path / "drawn.png").stat().st_size > 10_000


def test_several_trainings_are_shown_as_their_mean_and_range():
    row = {"degradation": "noise", "level": 0.2, "way": "step", "step": 1, "n_images": 9}
    both = pd.DataFrame(
        row | {"model": f"m{n}", "psnr": 10.0 + n, "ssim": 0.5 - n / 10, "psnr_low": 0.0, "psnr_high": 99.0}
        for n in range(2)
    ).assign(ssim_low=0.0, ssim_high=1.0)
    found = figure.over_models(both).iloc[0]
    assert found[["psnr", "psnr_low", "psnr_high"]].to_list() == [10.5, 10.0, 11.0]
    assert found[["ssim", "ssim_low", "ssim_high"]].to_list() == pytest.approx([0.45, 0.4, 0.5])
    same = figure.over_models(both.assign(way="degraded input", psnr=10.0)).iloc[0]
    assert same[["psnr_low", "psnr_high"]].to_list() == [0.0, 99.0]  # no network's: the interval over images stays
    with pytest.raises(ValueError, match="expected as many images of every training"):
        figure.over_models(both.assign(n_images=[9, 8]))
    drawn = figure.draw(both)
    assert any("n = 9 images, 2 trainings" in text.get_text() for text in drawn.texts)
    assert not any("trainings" in text.get_text() for text in figure.draw(both[:1]).texts)


class MeasuredError(Exception):
    """Measuring was begun."""


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Give a model's name -> what the command does, short of measuring."""

    def measure(*args):
        raise MeasuredError

    monkeypatch.setattr(sharp, "measure", measure)
    out = str(tmp_path / "t.csv")
    return lambda name: sharp.main([name, "--control", f"cnn-{name.partition('-')[2]}", "--out", out])


@pytest.mark.parametrize("name", ["lateral-mnist-small", "cnn-digits"])
def test_a_model_that_reconstructs_nothing_is_refused_before_anything_is_measured(asked, name):
    with pytest.raises(SystemExit, match="expected a model that reconstructs gray images"):
        asked(name)


@pytest.mark.parametrize("name", ["cnnf-mnist-small", "predictive-mnist-small"])
def test_whatever_reconstructs_is_measured(asked, studies, name):
    with pytest.raises(MeasuredError):
        asked(name)
