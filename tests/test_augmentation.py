"""Augmented images are the originals, moved or mirrored, by the generator that was passed."""

import numpy as np
import pytest
import torch

from neurocnnf.augmentation import AUGMENTATIONS, augment


@pytest.fixture
def images():
    return torch.rand((200, 2, 8, 6), generator=torch.Generator().manual_seed(1)) * 2 - 1


def seeded(seed=5):
    return torch.Generator().manual_seed(seed)


def every_shift(image, most=2):
    """Give (down, right) -> the image looked at so many pixels further, with the border repeated."""
    _, height, width = image.shape
    padded = np.pad(image, ((0, 0), (most, most), (most, most)), mode="edge")
    offsets = range(2 * most + 1)
    return {(y, x): padded[:, y : y + height, x : x + width] for y in offsets for x in offsets}


def test_shifted_images_are_the_originals_moved_by_up_to_two_pixels_each_way(images):
    found = []
    for before, after in zip(images.numpy(), augment(images, "shift", seeded()).numpy(), strict=True):
        (shift,) = [shift for shift, moved in every_shift(before).items() if np.array_equal(moved, after)]
        found.append(shift)
    assert {y for y, _ in found} == {x for _, x in found} == {0, 1, 2, 3, 4}
    assert abs(np.corrcoef(np.array(found).T)[0, 1]) < 0.25  # the two directions are drawn apart
    assert len(set(found)) > 20


def test_half_of_the_flipped_images_are_mirrored_left_to_right(images):
    after = augment(images, "flip", seeded())
    same = [torch.equal(a, b) for a, b in zip(after, images, strict=True)]
    mirrored = [np.array_equal(a, b[:, :, ::-1]) for a, b in zip(after.numpy(), images.numpy(), strict=True)]
    assert all(s != m for s, m in zip(same, mirrored, strict=True))
    assert 70 < sum(mirrored) < 130  # of 200; beyond four standard deviations


def test_cropped_and_flipped_images_are_the_originals_mirrored_or_not_and_moved_by_up_to_four_pixels(images):
    found = []
    for before, after in zip(images.numpy(), augment(images, "crop-flip", seeded()).numpy(), strict=True):
        candidates = {(m, *shift): moved for m in (1, -1) for shift, moved in every_shift(before[..., ::m], 4).items()}
        (change,) = [change for change, moved in candidates.items() if np.array_equal(moved, after)]
        found.append(change)
    assert 70 < sum(mirrored == -1 for mirrored, _, _ in found) < 130
    assert {y for _, y, _ in found} == {x for _, _, x in found} == set(range(9))


def test_none_changes_nothing_and_draws_nothing(images):
    generator = seeded()
    state = generator.get_state()
    assert torch.equal(augment(images, "none", generator), images)
    assert torch.equal(generator.get_state(), state)


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_shape_and_type_stay_and_the_originals_are_not_touched(images, kind):
    before = images.clone()
    after = augment(images.double(), kind, seeded())
    assert (after.shape, after.dtype) == (images.shape, torch.float64)
    assert after.is_contiguous()
    augment(images, kind, seeded())
    assert torch.equal(images, before)


@pytest.mark.parametrize("kind", ["shift", "flip", "crop-flip"])
def test_the_generator_decides(images, kind):
    first, again, other = (augment(images, kind, seeded(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_another_kind_is_refused(images):
    with pytest.raises(ValueError, match=r"augmentation: expected one of none, shift, flip, crop-flip, got 'rotate'."):
        augment(images, "rotate", seeded())
