"""Glimpses show one square of the image, where it is, and nothing else; every place is as likely as another."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from neurocnnf.glimpses import take_glimpses


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def squares_of(views, side):
    """Give (glimpse, image) -> the row and column where the square begins, found pixel by pixel; the rest is gray."""
    found = np.empty((*views.shape[:2], 2), int)
    for k, view in enumerate(views.numpy()):
        for i, image in enumerate(view):
            rows, columns = (np.flatnonzero(image.any(axis=(0, axis))) for axis in (2, 1))
            assert len(rows) == len(columns) == side == np.ptp(rows) + 1 == np.ptp(columns) + 1
            found[k, i] = rows[0], columns[0]
    return found


def test_a_glimpse_is_one_square_of_the_image_where_it_is():
    images = torch.rand((6, 2, 9, 12), generator=seeded(1)) + 0.1
    views = take_glimpses(images, 4, seeded(), side=5)
    assert views.shape == (4, 6, 2, 9, 12)
    for k, starts in enumerate(squares_of(views, 5)):
        for i, (y, x) in enumerate(starts):
            assert torch.equal(views[k, i, :, y : y + 5, x : x + 5], images[i, :, y : y + 5, x : x + 5])


def test_every_place_within_the_image_is_as_likely_as_another():
    starts = squares_of(take_glimpses(torch.ones(3000, 1, 6, 5), 2, seeded(), side=3), 3)
    for of_glimpse in starts:  # 4 rows × 3 columns of places
        counts = np.bincount(of_glimpse @ [3, 1], minlength=12)
        assert len(counts) == 12
        assert chisquare(counts).pvalue > 0.001
    assert (starts[0] == starts[1]).all(axis=-1).mean() == pytest.approx(1 / 12, abs=0.02)  # independent


def test_together_shows_again_what_the_ones_before_showed():
    images = torch.rand((6, 1, 8, 8), generator=seeded(1)) + 0.1
    single, together = (take_glimpses(images, 4, seeded(), side=4, together=both) for both in (False, True))
    so_far = torch.zeros_like(images)
    for one, view in zip(single, together, strict=True):
        so_far = torch.maximum(so_far, one)
        assert torch.equal(view, so_far)


def test_the_seed_decides_the_places_and_a_square_of_the_whole_size_is_the_image():
    images = torch.rand((4, 1, 8, 8), generator=seeded(1))
    assert torch.equal(take_glimpses(images, 3, seeded(2), side=4), take_glimpses(images, 3, seeded(2), side=4))
    assert not torch.equal(take_glimpses(images, 3, seeded(2), side=4), take_glimpses(images, 3, seeded(3), side=4))
    assert torch.equal(take_glimpses(images, 2, seeded(), side=8), images.expand(2, -1, -1, -1, -1))


@pytest.mark.parametrize(("number", "side"), [(0, 4), (3, 0), (3, 9)])
def test_glimpses_that_there_cannot_be_are_refused(number, side):
    with pytest.raises(ValueError, match=rf"expected at least 1 of side 1 to 8 pixels, got {number} of side {side}"):
        take_glimpses(torch.zeros(2, 1, 8, 10), number, seeded(), side=side)
