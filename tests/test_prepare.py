"""Images reach a model in its size, its colours and [-1, 1], as Pillow would bring them there."""

import numpy as np
import pytest
import torch
from PIL import Image

from neurocnnf import build_model
from neurocnnf.record import prepare


@pytest.fixture(scope="module")
def model():
    return build_model("cnnf-digits", seed=3).double()


@pytest.mark.parametrize("size", [(16, 16), (40, 40), (33, 21), (9, 9)])
def test_colour_images_become_gray_and_small_as_pillow_makes_them(model, size):
    image = np.random.default_rng(2).integers(0, 256, (*size, 3), dtype=np.uint8)
    gray = Image.fromarray(image).convert("L").resize((16, 16), Image.Resampling.BILINEAR)
    ours = prepare(image[None], model)
    assert ours.shape == (1, 1, 16, 16)
    assert ours.dtype == torch.float64
    # Pillow rounds to whole gray values, twice.
    assert np.abs((ours[0, 0].numpy() + 1) * 127.5 - np.asarray(gray)).max() <= 1.51


def test_gray_images_are_repeated_for_a_colour_model():
    wide = build_model("cnnf-wrn-16-1")
    image = np.random.default_rng(2).integers(0, 256, (2, 32, 32, 1), dtype=np.uint8)
    ours = prepare(image, wide)
    assert ours.shape == (2, 3, 32, 32)
    for channel in range(3):
        np.testing.assert_allclose(ours[:, channel].numpy(), image[..., 0] / 127.5 - 1, atol=1e-6)


def test_colours_keep_their_order():
    image = np.zeros((1, 32, 32, 3), np.uint8)
    image[..., 0], image[..., 2] = 255, 51
    ours = prepare(image, build_model("cnnf-wrn-16-1"))
    np.testing.assert_allclose(ours[0, :, 5, 5].numpy(), [1, -1, -0.6], atol=1e-6)


def test_black_and_white_are_the_ends_of_the_range(model):
    ends = np.stack([np.zeros((20, 20, 3), np.uint8), np.full((20, 20, 3), 255, np.uint8)])
    ours = prepare(ends, model)
    np.testing.assert_allclose(ours[0], -1, atol=1e-12)
    np.testing.assert_allclose(ours[1], 1, atol=1e-6)
    assert ours.abs().max() <= 1


@pytest.mark.parametrize(
    "images",
    [np.zeros((1, 16, 16, 1)), np.zeros((1, 16, 16), np.uint8), np.zeros((1, 16, 16, 2), np.uint8)],
    ids=["float", "rank", "channels"],
)
def test_images_that_are_no_pictures_are_refused(model, images):
    with pytest.raises(TypeError, match=r"images: expected uint8 \(image, y, x, channel 1 or 3\), got .*Scale to 0"):
        prepare(images, model)
