"""Training sets as arrays, and what happens to images on their way into a model."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from neurocnnf.datastore import DataStore

TRAINING_SETS = ("mnist", "fashion-mnist", "cifar10", "cifar-gray", "digits")
SPLITS = ("train", "test")
# In the order of CIFAR-10's labels.
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
IDX = {
    folder: {
        split: (f"{folder}/{stem}-images-idx3-ubyte.gz", f"{folder}/{stem}-labels-idx1-ubyte.gz")
        for split, stem in (("train", "train"), ("test", "t10k"))
    }
    for folder in ("mnist", "fashion_mnist")
}
MNIST_NPZ = {split: f"mnist/mnist_{split}.npz" for split in SPLITS}
CIFAR_ORIGINAL = "cifar10/cifar-10-python.tar.gz"
CIFAR_JPEG = {split: f"cifar10_jpeg/{split}.tar.xz" for split in SPLITS}
GRAY_SIZE, DIGIT_SIZE = 28, 16
DIGITS_TEST_FRACTION = 0.2

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


def load_training_set(name: str, split: str, store: DataStore | None = None, *, seed: int = 0) -> tuple[Images, Labels]:
    """Load one split of a training set.

    Parameters
    ----------
    name
        "mnist", "fashion-mnist" (28 x 28 x 1); "cifar10" (32 x 32 x 3); "cifar-gray", CIFAR-10's luma (ITU-R
        BT.601) at 28 x 28 x 1; "digits", scikit-learn's handwritten digits at 16 x 16 x 1, without a file.
    split
        "train" or "test".
    store
        Where the files are found; by default a `DataStore` with its defaults.
    seed
        Draws the stratified 80/20 split of "digits"; the other sets come split.

    Returns
    -------
    images, labels
        uint8 (image, y, x, channel) and int64 (image,). MNIST and CIFAR-10 are taken from the original files, or
        from local ones in another coding (`training_set_provenance` says which): MNIST the same pixels in another
        order, CIFAR-10 as JPEG, where the ten classes take turns: image i is number i // 10 of class i % 10.

    Raises
    ------
    ValueError
        For another name or split, or a file that holds something else than expected.
    DataMissing, DataCorrupt
        If a file cannot be had, or is not what it should be.
    """
    _check_training_set(name)
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {SPLITS}, got {split!r}. Choose one of them.")
    if name == "digits":
        return _digits(split, seed)
    store = store or DataStore()
    if name == "mnist" and _prefers_local(store, _idx("mnist"), MNIST_NPZ.values()):
        with np.load(store.fetch(MNIST_NPZ[split])) as data:
            return data["images"][..., None], data["labels"].astype(np.int64)
    if name in ("mnist", "fashion-mnist"):
        pictures, classes = (read_idx(store.fetch(file)) for file in IDX[name.replace("-", "_")][split])
        return pictures[..., None], classes.astype(np.int64)
    if not _prefers_local(store, [CIFAR_ORIGINAL], CIFAR_JPEG.values()):
        images, labels = _cifar_original(store.fetch(CIFAR_ORIGINAL), split)
    else:
        images, labels = _cifar_jpeg(store.fetch(CIFAR_JPEG[split]))
    return (_gray(images) if name == "cifar-gray" else images), labels


def training_set_provenance(name: str, store: DataStore | None = None) -> dict:
    """Say what a training set was read from, for a checkpoint's card.

    Returns
    -------
    dict
        ``name``; ``files``, a list; ``sha256``, a dict file -> hash in hex; ``coding``, "original", "npz" (MNIST;
        lossless) or "jpeg" (CIFAR-10; lossy). "digits" comes with scikit-learn: its hash is that of the uint8 images.

    Raises
    ------
    ValueError
        For another name.
    DataMissing, DataCorrupt
        If a file cannot be had, or is not what it should be.
    """
    _check_training_set(name)
    coding = "original"
    if name == "digits":
        source = "sklearn.datasets.load_digits"
        sha256 = {source: hashlib.sha256(_all_digits()[0].tobytes()).hexdigest()}
        return {"name": name, "files": [source], "sha256": sha256, "coding": coding}
    store = store or DataStore()
    folder = name.replace("-", "_")
    names = _idx(folder) if folder in IDX else [CIFAR_ORIGINAL]
    local = {"mnist": ("npz", MNIST_NPZ), "cifar10": ("jpeg", CIFAR_JPEG), "cifar-gray": ("jpeg", CIFAR_JPEG)}
    if name in local and _prefers_local(store, names, local[name][1].values()):
        coding, names = local[name][0], list(local[name][1].values())
    sha256 = {file: store.sha256(file) for file in names}
    return {"name": name, "files": names, "sha256": sha256, "coding": coding}


def to_model_range(images: Images) -> Tensor:
    """Turn uint8 images into what models take.

    Parameters
    ----------
    images
        uint8 (image, y, x, channel).

    Returns
    -------
    Tensor
        float32 (image, channel, y, x): 0 becomes -1, and 255 becomes 1.

    Raises
    ------
    ValueError
        For another dtype or rank.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(
            f"images: expected uint8 (image, y, x, channel), got {images.dtype} {images.shape}. "
            "Scale to 0 … 255, round, and add the missing axes."
        )
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    return torch.from_numpy(planes.astype(np.float32)).div_(127.5).sub_(1.0)


def read_idx(path: Path) -> Images:
    """Read a gzipped idx file of unsigned bytes, MNIST's format; ValueError if it holds something else."""
    with gzip.open(path) as stream:
        content = stream.read()
    rank = content[3] if content[:3] == b"\x00\x00\x08" else 0  # 0, 0, the code of unsigned bytes, the rank
    start = 4 + 4 * rank
    shape = np.frombuffer(content[4:start][: len(content[4:start]) // 4 * 4], ">u4").astype(int)
    if len(shape) != rank or not rank or len(content) - start != shape.prod():
        raise ValueError(
            f"{Path(path).name}: expected an idx file of unsigned bytes, got {len(content)} bytes that start "
            f"with {content[:4].hex()}, for a shape of {shape.tolist()}. Take the original file."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _check_training_set(name: str) -> None:
    if name not in TRAINING_SETS:
        raise ValueError(f"training set: expected one of {TRAINING_SETS}, got {name!r}. Choose one of them.")


def _idx(folder: str) -> list[str]:
    return [file for pair in IDX[folder].values() for file in pair]


def _prefers_local(store: DataStore, original: Iterable[str], local: Iterable[str]) -> bool:
    """Prefer the original, but do not download it where another coding lies at hand."""
    # A corrupt original counts as being here: fetching it says so, instead of the other coding silently.
    return all(store.locate(file) for file in local) and not any(store.locate(file) for file in original)


def _member(archive: tarfile.TarFile, member: str | tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    return stream.read() if stream is not None else b""


def _cifar_original(path: Path, split: str) -> tuple[Images, Labels]:
    batches = [f"data_batch_{number}" for number in range(1, 6)] if split == "train" else ["test_batch"]
    images, labels = [], []
    with tarfile.open(path) as archive:
        for batch in batches:
            # Unpickling runs code: the store has checked that this is the published file.
            content = pickle.loads(_member(archive, f"cifar-10-batches-py/{batch}"), encoding="bytes")
            images.append(content[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
            labels += content[b"labels"]
    return np.ascontiguousarray(np.concatenate(images)), np.array(labels, dtype=np.int64)


def _cifar_jpeg(path: Path) -> tuple[Images, Labels]:
    found = []
    with tarfile.open(path) as archive:  # read in the archive's order: going back would decompress it again
        for member in archive:
            if member.isfile():
                _, label, file = member.name.split("/")
                image = Image.open(io.BytesIO(_member(archive, member)), formats=("JPEG",)).convert("RGB")
                found.append((int(Path(file).stem), CIFAR10_CLASSES.index(label), np.asarray(image)))
    found.sort(key=lambda entry: entry[:2])
    _, labels, images = zip(*found, strict=True)
    return np.stack(images), np.array(labels, dtype=np.int64)


def _gray(images: Images) -> Images:
    """Return (image, 28, 28, 1): luma of RGB images, made smaller with a triangle filter against aliasing."""
    n, height, width, _ = images.shape
    # One tall picture: the colours of all images at once.
    luma = np.asarray(Image.fromarray(images.reshape(n * height, width, 3)).convert("L"))
    size, triangle = (GRAY_SIZE, GRAY_SIZE), Image.Resampling.BILINEAR
    small = [np.asarray(Image.fromarray(g).resize(size, triangle)) for g in luma.reshape(n, height, width)]
    return np.stack(small)[..., None]


def _all_digits() -> tuple[Images, Labels]:
    """Return scikit-learn's digits, (image, 16, 16, 1): 0 … 16 becomes 0 … 255, between pixels bilinearly."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    whole = torch.from_numpy(digits.images)[:, None] * (255 / 16)
    large = F.interpolate(whole, size=(DIGIT_SIZE, DIGIT_SIZE), mode="bilinear", align_corners=False)
    images = large.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    return images, digits.target.astype(np.int64)


def _digits(split: str, seed: int) -> tuple[Images, Labels]:
    from sklearn.model_selection import train_test_split

    images, labels = _all_digits()
    both = train_test_split(np.arange(len(labels)), test_size=DIGITS_TEST_FRACTION, stratify=labels, random_state=seed)
    chosen = np.sort(both[SPLITS.index(split)])
    return images[chosen], labels[chosen]
