"""Degradations do to an image what their definition says, and no more."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import kstest, norm

from neurocnnf.degradations import DEGRADATION_LEVELS, degrade, occluded_pixels


@pytest.fixture
def images():
    return torch.rand((6, 3, 28, 21), generator=torch.Generator().manual_seed(1)).double() * 2 - 1


def seeded(seed=5):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("sigma", [0.05, 0.5, 1.0, 1.7, 2.0])
def test_blur_equals_scipys(images, sigma):
    slow = np.stack([[gaussian_filter(plane, sigma, mode="nearest") for plane in image] for image in images.numpy()])
    torch.testing.assert_close(degrade(images, "blur", sigma), torch.from_numpy(slow), rtol=1e-12, atol=1e-12)


def test_blur_reaches_beyond_a_small_image():
    image = torch.rand((1, 1, 5, 4), generator=seeded()).double()
    slow = gaussian_filter(image[0, 0].numpy(), 2.0, mode="nearest")
    torch.testing.assert_close(degrade(image, "blur", 2.0)[0, 0], torch.from_numpy(slow), rtol=1e-12, atol=1e-12)


def test_contrast_scales_towards_gray(images):
    assert torch.equal(degrade(images, "contrast", 0.25), images * 0.25)
    assert degrade(images, "contrast", 0).abs().max() == 0


@pytest.mark.parametrize("block", [1, 2, 4, 5, 7, 21, 24, 40])
def test_pixels_are_the_means_of_their_blocks_and_blocks_end_at_the_border(images, block):
    slow = np.empty(images.shape)
    for y in range(28):
        for x in range(21):
            top, left = block * (y // block), block * (x // block)
            slow[..., y, x] = images.numpy()[..., top : top + block, left : left + block].mean(axis=(-2, -1))
    torch.testing.assert_close(degrade(images, "pixelate", block), torch.from_numpy(slow), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("level", DEGRADATION_LEVELS["noise"])
def test_noise_is_independent_gaussian_of_the_given_size_and_clipped(level):
    gray = torch.zeros(40, 2, 28, 28).double()
    noisy = degrade(gray, "noise", level, seeded()).numpy()
    assert np.abs(noisy).max() <= 1
    inside = noisy[np.abs(noisy) < 1] / level
    tail = 2 * norm.sf(1 / level)
    assert np.mean(np.abs(noisy) == 1) == pytest.approx(tail, abs=0.005)
    low, high = norm.cdf([-1 / level, 1 / level])
    assert kstest(inside, lambda x: (norm.cdf(x) - low) / (high - low)).pvalue > 1e-4
    for one, other in [(noisy[:, 0], noisy[:, 1]), (noisy[..., 1:], noisy[..., :-1]), (noisy[1:], noisy[:-1])]:
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.03


def test_noise_is_added_to_the_image(images):
    noise = degrade(torch.zeros_like(images), "noise", 0.01, seeded())
    expected = (images + noise).clamp(-1, 1)
    torch.testing.assert_close(degrade(images, "noise", 0.01, seeded()), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("fraction", [0, 0.01, 0.15, 0.3, 0.5, 0.99, 1])
def test_occlusion_hides_the_same_number_of_pixels_in_every_image(images, fraction):
    hidden = occluded_pixels(images, fraction, seeded())
    assert hidden.shape == (6, 1, 28, 21)
    assert hidden.sum((1, 2, 3)).tolist() == [round(fraction * 28 * 21)] * 6
    occluded = degrade(images, "occlusion", fraction, seeded())
    assert torch.equal(occluded, torch.where(hidden, 0.0, images))


def covered_by_whole_squares(hidden, side):
    """Give the pixels of squares that are wholly hidden; squares may reach over the border."""
    height, width = hidden.shape
    padded = np.pad(hidden, side - 1, constant_values=True)
    covered = np.zeros_like(padded)
    for y in range(height + side - 1):
        for x in range(width + side - 1):
            if padded[y : y + side, x : x + side].all():
                covered[y : y + side, x : x + side] = True
    return covered[side - 1 : side - 1 + height, side - 1 : side - 1 + width]


def test_occluders_are_squares_of_a_seventh_of_the_image():
    images = torch.zeros(20, 1, 28, 28)
    for hidden in occluded_pixels(images, 0.3, seeded()).numpy()[:, 0]:
        # All but the last square are whole; what is left of that one is less than its 16 pixels.
        assert (hidden & ~covered_by_whole_squares(hidden, 4)).sum() < 16
        # Larger squares would not do.
        assert not covered_by_whole_squares(hidden, 8)[4:-4, 4:-4].all()


def test_occluders_differ_between_images_and_fall_everywhere_alike():
    hidden = occluded_pixels(torch.zeros(2000, 1, 14, 14), 0.3, seeded()).double()
    assert len({tuple(h.flatten().tolist()) for h in hidden[:50]}) == 50
    share = hidden.mean((0, 1))
    assert share.mean().item() == pytest.approx(round(0.3 * 196) / 196)
    assert (share - share.mean()).abs().max() < 0.05  # SD 0.01 per pixel; centre and border alike


@pytest.mark.parametrize("kind", ["noise", "occlusion"])
def test_the_generator_decides_and_nothing_else(images, kind):
    torch.manual_seed(1)
    first = degrade(images, kind, 0.4, seeded())
    torch.manual_seed(2)
    assert torch.equal(degrade(images, kind, 0.4, seeded()), first)
    assert not torch.equal(degrade(images, kind, 0.4, seeded(6)), first)


@pytest.mark.parametrize("kind", DEGRADATION_LEVELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_range_shape_and_type_stay_and_the_original_is_not_touched(images, kind, dtype):
    images = images.to(dtype)
    before = images.clone()
    for level in DEGRADATION_LEVELS[kind]:
        after = degrade(images, kind, level, seeded())
        assert (after.shape, after.dtype) == (images.shape, dtype)
        assert after.abs().max() <= 1
        assert not torch.equal(after, before)
    assert torch.equal(images, before)


MILDEST = {"noise": 0, "blur": 0, "occlusion": 0, "contrast": 1, "pixelate": 1}


@pytest.mark.parametrize(("kind", "level"), MILDEST.items())
def test_the_mildest_level_is_a_copy_of_the_image(images, kind, level):
    after = degrade(images, kind, level, seeded())
    assert torch.equal(after, images)
    assert after.data_ptr() != images.data_ptr()


@pytest.mark.parametrize("kind", DEGRADATION_LEVELS)
def test_three_levels_go_from_easy_to_hard(images, kind):
    change = [(degrade(images, kind, v, seeded()) - images).square().mean().item() for v in DEGRADATION_LEVELS[kind]]
    assert len(change) == 3
    assert change == sorted(change)


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ({"images": torch.zeros(28, 28)}, ValueError, r"images: expected \(image, .*, got \(28, 28\). Add axes"),
        (
            {"images": torch.zeros(1, 1, 8, 8).byte()},
            TypeError,
            r"images: expected floats .*, got torch.uint8. Use to_",
        ),
        ({"kind": "rotate"}, ValueError, r"kind: expected one of \['noise', .*\], got 'rotate'. Choose one"),
        ({"level": -0.1}, ValueError, r"level: expected 0 to inf for noise, got -0.1. Take one in range"),
        ({"level": float("nan")}, ValueError, r"level: expected 0 to inf for noise, got nan"),
        ({"level": float("inf")}, ValueError, r"level: expected 0 to inf for noise, got inf"),
        ({"kind": "occlusion", "level": 1.1}, ValueError, r"level: expected 0 to 1 for occlusion, got 1.1"),
        ({"kind": "contrast", "level": 2}, ValueError, r"level: expected 0 to 1 for contrast, got 2"),
        ({"kind": "pixelate", "level": 0}, ValueError, r"level: expected 1 to inf for pixelate, got 0. Take one in"),
        ({"kind": "pixelate", "level": 2.5}, ValueError, r"level: expected a whole number .* pixelate, got 2.5. Round"),
        ({"generator": None}, ValueError, r"generator: expected a torch.Generator for noise, got None. Pass one"),
        ({"kind": "occlusion", "generator": None}, ValueError, r"generator: expected .* for occlusion, got None"),
    ],
)
def test_what_cannot_be_degraded_is_refused(bad, error, message):
    good = {"images": torch.zeros(1, 1, 8, 8), "kind": "noise", "level": 0.5, "generator": seeded()}
    with pytest.raises(error, match=message):
        degrade(**(good | bad))
