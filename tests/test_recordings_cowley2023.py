"""Cowley 2023: a session's files become images and responses that belong together, or an error says why."""

import io
import zipfile
from fnmatch import fnmatch

import numpy as np
import pytest
from PIL import Image

from benchmarks.recordings import cowley2023

README = """Readme for the V4 data.

session ID | animal ID | train/test | # neurons | # repeats/image | # images | image types
190923 \t\tWE \t    test \t  3\t\t14\t      5\tnormal (5)
210325 \t\tPE \t    test \t  3\t\t8\t      5\tnormal (5)
210621\t\tRA\t    train \t  51\t\t16\t      1200\tnormal (1,200)
"""
N_IMAGES, N_NEURONS, N_REPEATS = 5, 3, 4


class FolderStore:
    """The three calls a loader makes, over a plain folder."""

    def __init__(self, root):
        self.root = root

    def fetch(self, name):
        return self.root / name

    def available(self, name):
        return (self.root / name).exists()

    def glob(self, pattern):
        names = (path.relative_to(self.root).as_posix() for path in self.root.rglob("*"))
        return sorted(name for name in names if fnmatch(name, pattern))


def write_zip(path, grays, folder="", side=8):
    """Write JPEGs of one gray each, last one first, so that the zip's order is not the names' order."""
    with zipfile.ZipFile(path, "w") as archive:
        if folder:
            archive.writestr(f"{folder}/", "")
        for number, gray in reversed(list(enumerate(grays, start=1))):
            buffer = io.BytesIO()
            Image.new("RGB", (side, side + 2), (gray, 0, 0)).save(buffer, "JPEG", quality=95)
            archive.writestr(f"{folder}/image{number:04d}.jpg".lstrip("/"), buffer.getvalue())


@pytest.fixture
def repeats():
    """Spike counts (neuron, image, repetition); image 0 shown twice only, the rest padded with NaN."""
    counts = np.random.default_rng(0).poisson(4, (N_NEURONS, N_IMAGES, N_REPEATS)).astype(float)
    counts[:, 0, 2:] = np.nan
    return counts


@pytest.fixture
def store(tmp_path, repeats):
    """Two sessions in the study's format, the second with single repeats, and half of a third."""
    folder = tmp_path / "cowley2023_v4"
    folder.mkdir()
    (folder / "readme_original.txt").write_text(README)
    for session in ("190923", "210325"):
        write_zip(folder / f"images_{session}.zip", range(40, 240, 40), f"images_{session}"[: 20 * (session < "2")])
        np.save(folder / f"responses_{session}.npy", np.nanmean(repeats, axis=2))
    np.save(folder / "responses_raw_210325.npy", repeats)
    np.save(folder / "responses_210621.npy", np.zeros((2, 2)))
    return FolderStore(tmp_path)


def test_sessions_are_pairs_of_files_and_a_lonely_half_is_logged(store, caplog):
    assert cowley2023.sessions(store) == ["190923", "210325"]
    assert "210621 left out" in caplog.text


def test_images_are_in_the_order_of_their_names_not_of_the_zip(store):
    session = cowley2023.load_session(store, "190923")
    images = session.stimuli.images
    assert images.shape == (N_IMAGES, 10, 8, 3)
    assert images.dtype == np.uint8
    np.testing.assert_allclose(images[..., 0].mean((1, 2)), range(40, 240, 40), atol=2)
    assert session.stimuli.table["stimulus_id"].tolist()[:2] == ["190923/image0001", "190923/image0002"]
    assert session.stimuli.degrees is None


def test_responses_are_presentation_by_neuroid_with_names_units_and_animal(store, repeats):
    responses = cowley2023.load_session(store, "210325").responses
    assert responses.dims == ("presentation", "neuroid")
    np.testing.assert_array_equal(responses.values, np.nanmean(repeats, axis=2).T)
    assert responses["neuroid_id"].values.tolist() == ["210325/n00", "210325/n01", "210325/n02"]
    assert set(responses["animal"].values) == {"PE"}
    assert set(responses["region"].values) == {"V4"}
    assert set(responses["session"].values) == {"210325"}
    assert responses.attrs["units"] == "spikes per 100 ms"
    assert responses.attrs["time_bin_ms"] == 100
    assert "Cowley" in responses.attrs["citation"]


def test_repeats_keep_every_repetition_and_their_padding(store, repeats):
    loaded = cowley2023.load_session(store, "210325").repeats
    assert loaded.dims == ("presentation", "neuroid", "repetition")
    np.testing.assert_array_equal(loaded.values, repeats.transpose(1, 0, 2))
    assert np.isnan(loaded[0, :, 2:]).all()
    assert loaded["stimulus_id"].values[0] == "210325/image0001"


def test_a_session_without_single_repeats_has_none(store):
    session = cowley2023.load_session(store, "190923")
    assert session.repeats is None
    assert session.animal == "WE"


def test_an_image_never_shown_again_has_a_mean_that_is_not_known(store, repeats):
    repeats[1, 2] = np.nan
    folder = store.root / "cowley2023_v4"
    np.save(folder / "responses_raw_210325.npy", repeats)
    counts = np.load(folder / "responses_210325.npy")
    counts[1, 2] = np.nan
    np.save(folder / "responses_210325.npy", counts)
    assert np.isnan(cowley2023.load_session(store, "210325").responses.values[2, 1])


def test_the_animal_is_read_from_the_readmes_table():
    assert cowley2023.animals(README) == {"190923": "WE", "210325": "PE", "210621": "RA"}


def test_a_session_the_readme_does_not_name_is_refused(store):
    with pytest.raises(ValueError, match="210326: expected a row in the table"):
        cowley2023.load_session(store, "210326")


@pytest.mark.parametrize("shape", [(N_NEURONS, N_IMAGES + 1), (N_IMAGES,)])
def test_responses_to_another_number_of_images_are_refused(store, shape):
    np.save(store.root / "cowley2023_v4/responses_190923.npy", np.zeros(shape))
    with pytest.raises(ValueError, match=r"190923: expected responses \(neuron, image\) to 5 images, got shape"):
        cowley2023.load_session(store, "190923")


def test_images_of_two_sizes_are_refused(store):
    path = store.root / "cowley2023_v4/images_190923.zip"
    write_zip(path, range(40, 240, 40))
    with zipfile.ZipFile(path, "a") as archive:
        buffer = io.BytesIO()
        Image.new("RGB", (4, 4)).save(buffer, "JPEG")
        archive.writestr("image0006.jpg", buffer.getvalue())
    with pytest.raises(ValueError, match="expected JPEG images of one size, got 6"):
        cowley2023.load_session(store, "190923")


def test_a_zip_without_images_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.writestr("notes.txt", "nothing here")
    with pytest.raises(ValueError, match="expected JPEG images of one size, got 0"):
        cowley2023.read_images(tmp_path / "none.zip")


def test_repeats_of_another_shape_are_refused(store, repeats):
    np.save(store.root / "cowley2023_v4/responses_raw_210325.npy", repeats[:, 1:])
    with pytest.raises(ValueError, match=r"expected repeats \(neuron 3, image 5, repetition\), got shape"):
        cowley2023.load_session(store, "210325")


def test_repeats_whose_mean_is_not_the_response_are_refused(store, repeats):
    np.save(store.root / "cowley2023_v4/responses_raw_210325.npy", repeats + 1)
    with pytest.raises(ValueError, match="expected repeats whose mean is the session's responses"):
        cowley2023.load_session(store, "210325")


def test_the_studys_smallest_session_and_the_one_with_repeats_load_in_full(studies):
    assert {"190925", "210305", "210325"} <= set(cowley2023.sessions(studies))
    small = cowley2023.load_session(studies, "210305")
    assert small.responses.shape == (400, 70)
    assert small.stimuli.images.shape == (400, 112, 112, 3)
    session = cowley2023.load_session(studies, "210325")
    assert session.animal == "PE"
    assert session.repeats.shape == (640, 50, 10)
    n_shown = np.isfinite(session.repeats.values).sum(axis=2)
    assert (n_shown.min(), n_shown.max()) == (6, 10)
    assert np.isnan(session.repeats.values).mean() == pytest.approx(0.24375)


def test_images_sorted_by_name_predict_the_scrambled_session_and_the_zips_order_does_not(studies):
    """Session 190925 is stored scrambled: its images' contrast relates to responses only when sorted."""
    session = cowley2023.load_session(studies, "190925")
    with zipfile.ZipFile(studies.fetch("cowley2023_v4/images_190925.zip")) as archive:
        stored = [name for name in archive.namelist() if name.endswith(".jpg")]
    order = np.argsort(np.argsort(stored))  # position, among sorted images, of each stored one
    images = session.stimuli.images.astype(float).mean(axis=3)
    energy = np.abs(np.diff(images, axis=2)).mean((1, 2))
    responses = session.responses.values
    sorted_r, stored_r = (
        np.abs([np.corrcoef(values, neuron)[0, 1] for neuron in responses.T]) for values in (energy, energy[order])
    )
    assert np.median(sorted_r) > 2 * np.median(stored_r)
