"""Training sets come out as the files hold them, in one layout, range and order."""

import gzip
import hashlib
import io
import pickle
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from neurocnnf.images import (
    CIFAR10_CLASSES,
    load_training_set,
    read_idx,
    to_model_range,
    training_set_provenance,
)


class Store:
    """A store of the files that a test wrote."""

    def __init__(self, folder):
        self.folder = folder

    def locate(self, name):
        return self.folder / name if (self.folder / name).exists() else None

    def fetch(self, name):
        assert (self.folder / name).exists(), f"asked for {name}"
        return self.folder / name

    def sha256(self, name):
        return hashlib.sha256(self.fetch(name).read_bytes()).hexdigest()


@pytest.fixture
def store(tmp_path):
    for name in ("mnist", "fashion_mnist", "cifar10", "cifar10_jpeg"):
        (tmp_path / name).mkdir()
    return Store(tmp_path)


def random_images(*shape):
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def add(archive, name, content):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()


def write_cifar_original(store, train, test):
    """Write batches in CIFAR-10's own layout: one row per image, red plane first."""
    rows = {f"data_batch_{i + 1}": part for i, part in enumerate(np.array_split(np.arange(len(train)), 5))}
    with tarfile.open(store.folder / "cifar10/cifar-10-python.tar.gz", "w:gz") as archive:
        for batch, (images, numbers) in {
            **{batch: (train[part], part) for batch, part in rows.items()},
            "test_batch": (test, np.arange(len(test))),
        }.items():
            planes = np.stack([np.concatenate([image[..., c].ravel() for c in range(3)]) for image in images])
            labels = [int(number) % 10 for number in numbers]
            add(archive, f"cifar-10-batches-py/{batch}", pickle.dumps({b"data": planes, b"labels": labels}))


def write_cifar_jpeg(store, split, order):
    """Write uniform pictures (class, number) -> gray value 10 · class + number, in the given order."""
    with tarfile.open(store.folder / f"cifar10_jpeg/{split}.tar.xz", "w:xz") as archive:
        for label, number in order:
            stream = io.BytesIO()
            Image.new("RGB", (32, 32), (10 * label + number,) * 3).save(stream, "JPEG", quality=95)
            add(archive, f"{split}/{CIFAR10_CLASSES[label]}/{number:04}.jpg", stream.getvalue())


def write_mnist_npz(store, images, labels):
    for split in ("train", "test"):
        np.savez(store.folder / f"mnist/mnist_{split}.npz", images=images, labels=labels)


def write_idx(store, folder, images, labels):
    for stem, part in (("train", slice(None)), ("t10k", slice(1, None))):
        for what, array in (("images-idx3", images[part]), ("labels-idx1", labels[part])):
            (store.folder / f"{folder}/{stem}-{what}-ubyte.gz").write_bytes(gzip.compress(idx(array)))


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_mnist_and_fashion_mnist_as_they_were_published(store, name):
    images, labels = random_images(3, 28, 28), np.array([1, 0, 9], np.uint8)
    write_idx(store, name.replace("-", "_"), images, labels)
    for split, part in (("train", slice(None)), ("test", slice(1, None))):
        ours, answers = load_training_set(name, split, store)
        assert (ours.dtype, answers.dtype) == (np.uint8, np.int64)
        assert np.array_equal(ours, images[part, ..., None])
        assert answers.tolist() == labels[part].tolist()


def test_mnist_is_read_from_local_arrays_where_the_original_is_not_at_hand(store):
    images, labels = random_images(3, 28, 28), np.array([1, 0, 9], np.uint8)
    write_mnist_npz(store, images, labels)
    ours, answers = load_training_set("mnist", "test", store)
    assert np.array_equal(ours, images[..., None])
    assert (answers.tolist(), answers.dtype) == ([1, 0, 9], np.int64)
    write_idx(store, "mnist", 255 - images, labels)
    assert np.array_equal(load_training_set("mnist", "train", store)[0], 255 - images[..., None])


@pytest.mark.parametrize("split", ["train", "test"])
def test_cifar10_as_it_was_published(store, split):
    train, test = random_images(20, 32, 32, 3), random_images(4, 32, 32, 3)[::-1]
    write_cifar_original(store, train, test)
    images, labels = load_training_set("cifar10", split, store)
    assert np.array_equal(images, train if split == "train" else test)
    assert labels.tolist() == [i % 10 for i in range(len(images))]


def test_in_the_jpeg_coding_the_classes_take_turns(store):
    order = [(label, number) for label in range(10) for number in range(3)]
    shuffled = [order[i] for i in np.random.default_rng(1).permutation(30)]
    write_cifar_jpeg(store, "train", shuffled)
    write_cifar_jpeg(store, "test", order[:1])
    images, labels = load_training_set("cifar10", "train", store)
    assert images.shape == (30, 32, 32, 3)
    assert labels.tolist() == list(range(10)) * 3
    gray = images.mean((1, 2, 3))
    np.testing.assert_allclose(gray, [10 * (i % 10) + i // 10 for i in range(30)], atol=0.6)


def test_gray_cifar_is_the_luma_made_smaller(store):
    train = random_images(5, 32, 32, 3)
    write_cifar_original(store, train, train)
    images, _ = load_training_set("cifar-gray", "train", store)
    assert images.shape == (5, 28, 28, 1)
    luma = torch.from_numpy(train @ np.array([0.299, 0.587, 0.114]))[:, None]
    small = torch.nn.functional.interpolate(luma, (28, 28), mode="bilinear", antialias=True, align_corners=False)
    # Pillow rounds to whole gray values, twice.
    assert np.abs(images[..., 0] - small[:, 0].numpy()).max() <= 1.51


def test_digits_are_scikit_learns_split_by_class():
    parts = {split: load_training_set("digits", split) for split in ("train", "test")}
    n_train, n_test = (len(parts[split][1]) for split in ("train", "test"))
    assert (n_train + n_test, n_test) == (1797, 360)
    for images, labels in parts.values():
        assert (images.shape[1:], images.dtype, labels.dtype) == ((16, 16, 1), np.uint8, np.int64)
        share = np.bincount(labels) / len(labels)
        np.testing.assert_allclose(share, np.bincount(load_digits().target) / 1797, atol=0.003)
    everything = {image.tobytes() for images, _ in parts.values() for image in images}
    large = torch.nn.functional.interpolate(
        torch.from_numpy(load_digits().images)[:, None] * 255 / 16, (16, 16), mode="bilinear", align_corners=False
    )
    assert everything == {image.numpy().tobytes() for image in large.round().byte()}


def test_the_split_of_digits_follows_its_seed():
    first, again, other = (load_training_set("digits", "test", seed=seed)[0] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_provenance_names_the_files_that_were_read_and_their_hashes(store):
    def expect(coding, files):
        hashes = {file: hashlib.sha256((store.folder / file).read_bytes()).hexdigest() for file in files}
        assert training_set_provenance("mnist", store) == {
            "name": "mnist",
            "files": files,
            "sha256": hashes,
            "coding": coding,
        }

    images, labels = random_images(3, 28, 28), np.array([1, 0, 9], np.uint8)
    write_mnist_npz(store, images, labels)
    expect("npz", ["mnist/mnist_train.npz", "mnist/mnist_test.npz"])
    write_idx(store, "mnist", images, labels)
    expect(
        "original",
        [f"mnist/{s}-{what}-ubyte.gz" for s in ("train", "t10k") for what in ("images-idx3", "labels-idx1")],
    )


def test_provenance_says_which_coding_of_cifar10_was_read_and_the_original_goes_first(store):
    for split in ("train", "test"):
        write_cifar_jpeg(store, split, [(0, 0)])
    jpeg = training_set_provenance("cifar-gray", store)
    assert (jpeg["coding"], jpeg["files"]) == ("jpeg", ["cifar10_jpeg/train.tar.xz", "cifar10_jpeg/test.tar.xz"])
    train = random_images(5, 32, 32, 3)
    write_cifar_original(store, train, train)
    original = training_set_provenance("cifar10", store)
    assert (original["coding"], original["files"]) == ("original", ["cifar10/cifar-10-python.tar.gz"])
    assert np.array_equal(load_training_set("cifar10", "train", store)[0], train)


def test_the_hash_of_digits_is_that_of_its_images():
    card = training_set_provenance("digits")
    assert card["files"] == list(card["sha256"]) == ["sklearn.datasets.load_digits"]
    assert len(card["sha256"]["sklearn.datasets.load_digits"]) == 64


@pytest.mark.parametrize("load", [lambda name: load_training_set(name, "train"), training_set_provenance])
def test_an_unknown_training_set_is_refused(load):
    with pytest.raises(ValueError, match=r"training set: expected one of \('mnist', .*\), got 'imagenet'. Choose"):
        load("imagenet")


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match=r"split: expected one of \('train', 'test'\), got 'validation'. Choose"):
        load_training_set("digits", "validation")


def test_bytes_become_the_range_that_models_take():
    images = np.arange(256, dtype=np.uint8).reshape(2, 8, 16, 1).repeat(3, axis=-1)
    ours = to_model_range(images)
    assert (ours.shape, ours.dtype) == ((2, 3, 8, 16), torch.float32)
    np.testing.assert_allclose(ours.numpy().transpose(0, 2, 3, 1), images * (2 / 255) - 1, atol=1e-6)
    assert (ours.min().item(), ours.max().item()) == (-1, 1)
    assert ours.is_contiguous()


@pytest.mark.parametrize("images", [np.zeros((1, 8, 8, 1)), np.zeros((1, 8, 8), np.uint8)], ids=["float", "rank"])
def test_other_arrays_do_not_become_images(images):
    with pytest.raises(ValueError, match=r"images: expected uint8 \(image, y, x, channel\), got .*Scale to 0"):
        to_model_range(images)


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4), (0,)])
def test_an_idx_file_comes_back(tmp_path, shape):
    array = random_images(*shape)
    (tmp_path / "a.gz").write_bytes(gzip.compress(idx(array)))
    assert np.array_equal(read_idx(tmp_path / "a.gz"), array)


GOOD_IDX = idx(random_images(2, 3))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x00",
        b"PNG" + GOOD_IDX,
        b"\x00\x00\x0d" + GOOD_IDX[3:],
        GOOD_IDX[:-1],
        GOOD_IDX + b"\x00",
        GOOD_IDX[:7],
        bytes([0, 0, 8, 0]),
    ],
    ids=["empty", "short", "another format", "floats", "truncated", "too long", "half a header", "no axes"],
)
def test_another_file_is_refused(tmp_path, content):
    (tmp_path / "a.gz").write_bytes(gzip.compress(content))
    with pytest.raises(
        ValueError, match=r"a.gz: expected an idx file of unsigned bytes, got \d+ bytes .*original file"
    ):
        read_idx(tmp_path / "a.gz")


def test_real_mnist_is_as_it_was_published(studies):
    images, labels = load_training_set("mnist", "test", studies)
    assert images.shape == (10_000, 28, 28, 1)
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert images.mean() / 255 == pytest.approx(0.1325, abs=5e-4)
