"""People's labels of CIFAR-10 test images (CIFAR-10H), for the 1,000 images that are at hand.

About 51 people named the class of each of the 10,000 test images. Peterson, Battleday, Griffiths and Russakovsky (2019)
ICCV; Battleday, Peterson and Griffiths (2020) Nat Commun 11:5418. The pictures are the stimuli of CIFAR-10S (Collins,
Bhatt and Weller 2022, HCOMP), reduced to 32 × 32. The times in CIFAR-10S's files are of filling in a page, not of
recognising an image, and are not read.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd

from benchmarks.answers import CIFAR10
from benchmarks.reaction_times import Exclusion, TimedImages, standardised_times
from benchmarks.soft_labels import SoftLabels, label_entropy
from neurocnnf.stimuli import Stimuli

FOLDER = "cifar10h_10s"
COUNTS, PICTURES = f"{FOLDER}/cifar10h-counts.npy", f"{FOLDER}/cifar10s_images32_derived.npz"
RAW, RAW_MEMBER = f"{FOLDER}/cifar10h-raw.zip", "cifar10h-raw.csv"
RAW_COLUMNS = ("annotator_id", "is_attn_check", "cifar10_test_test_idx", "correct_guess", "reaction_time")
N_TEST = 10_000
MIN_AGREEMENT = 0.9
"""Images whose most frequent label is the class, at least: 97 % are; another order of classes gives about 10 %."""
RANGE_S = (0.2, 10.0)
CODING = (
    "images: nearly lossless, and people saw them in colour; the CIFAR checkpoints shipped here were trained on "
    "JPEG-coded, gray, 28 × 28 pictures"
)


def load(store, **_) -> SoftLabels:
    """Read the labels of the images that are at hand.

    Raises
    ------
    ValueError
        If the files do not have the study's form, or the counts' classes are not in CIFAR-10's order.
    """
    counts = np.load(store.fetch(COUNTS), allow_pickle=False)
    if counts.shape != (N_TEST, len(CIFAR10)) or counts.dtype.kind not in "iu" or counts.min() < 0:
        raise ValueError(
            f"{COUNTS}: expected whole numbers ({N_TEST}, {len(CIFAR10)}), got {counts.dtype} {counts.shape}. "
            "Use the study's file, not its shares."
        )
    with np.load(store.fetch(PICTURES), allow_pickle=False) as file:
        index, labels, images = file["idx"], file["label"].astype(np.int64), file["images"]
    if not len(index) == len(labels) == len(images) or len(np.unique(index)) != len(index) or index.max() >= N_TEST:
        raise ValueError(
            f"{PICTURES}: expected one different test index, label and image each, got {len(index)}, {len(labels)}, "
            f"{len(images)}. Use the file that the registry names."
        )
    shown = counts[index].astype(np.int64)
    agreement = float((shown.argmax(axis=1) == labels).mean())
    if agreement < MIN_AGREEMENT:
        raise ValueError(
            f"{COUNTS}: expected people to agree with the class of at least {MIN_AGREEMENT:.0%} of the images, got "
            f"{agreement:.0%}: other images or another order of classes. Use the study's file, unchanged."
        )
    ids = [f"cifar10-test-{k:05d}" for k in index]
    table = pd.DataFrame({"stimulus_id": ids, "test_index": index, "label": labels})
    chosen = (
        f"images: {len(index)} of {N_TEST}, those of CIFAR-10S, harder than most: entropy of people's labels "
        f"{label_entropy(shown).mean():.2f} nats, {label_entropy(counts).mean():.2f} over all"
    )
    return SoftLabels(Stimuli(images, table, "cifar10s-1000"), labels, shown, CIFAR10, (chosen, CODING))


def load_reaction_times(store, **_) -> TimedImages:
    """Read the times in which people named the images that are at hand; the file is the user's own or downloaded.

    Times are of right answers, 0.2 to 10 s, and standardised within each person over all images.

    Raises
    ------
    ValueError
        If the file lacks a column.
    """
    labels = load(store)
    with zipfile.ZipFile(store.fetch(RAW)) as archive:
        names = [name for name in archive.namelist() if name.rsplit("/", 1)[-1] == RAW_MEMBER]
        if len(names) != 1:
            raise ValueError(f"{RAW}: expected one {RAW_MEMBER} inside, got {len(names)}. Use the study's archive.")
        raw = pd.read_csv(io.BytesIO(archive.read(names[0])))
    missing = [column for column in RAW_COLUMNS if column not in raw]
    if missing:
        raise ValueError(f"{RAW}: expected columns {list(RAW_COLUMNS)}, {missing} missing. Use the study's table.")
    trials = pd.DataFrame(
        {
            "subject": raw["annotator_id"],
            "test_index": raw["cifar10_test_test_idx"],
            "rt_s": pd.to_numeric(raw["reaction_time"]) / 1000,
        }
    )
    left_out = (
        Exclusion("attention check", (raw["is_attn_check"] != 0).to_numpy()),
        Exclusion("wrong answer", (raw["correct_guess"] != 1).to_numpy()),
    )
    timed, counted = standardised_times(trials, left_out, RANGE_S)
    place = pd.Series(np.arange(len(labels.stimuli)), labels.stimuli.table["test_index"])
    item = place.reindex(timed["test_index"]).to_numpy()
    here = np.isfinite(item)
    subjects = np.unique(timed["subject"][here], return_inverse=True)[1]
    counted += (f"of an image that is not at hand: {int((~here).sum())}; {int(here.sum())} trials left",)
    found = TimedImages(
        labels.stimuli,
        labels.labels,
        labels.categories,
        subjects,
        item[here].astype(np.int64),
        timed["time_z"].to_numpy()[here],
    )
    return replace(found, notes=(*labels.notes, "trials left out, in turn: " + "; ".join(counted)))
