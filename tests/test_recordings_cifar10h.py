"""CIFAR-10H: counts, pictures and times are brought together, and what does not fit is refused."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest

from benchmarks import load_benchmark
from benchmarks.answers import CIFAR10
from benchmarks.recordings import cifar10h
from neurocnnf.datastore import DataStore

N_IMAGES = 40
INDEX = np.arange(0, 400, 10)
LABELS = INDEX // 10 % 10


class Study:
    """The study's files, made up, that a test may change before they are written."""

    def __init__(self, root):
        rng = np.random.default_rng(0)
        self.root = root
        self.counts = rng.multinomial(10, np.ones(10) / 10, 10_000)
        self.counts[INDEX, LABELS] += 40
        self.pictures = {
            "idx": INDEX,
            "label": LABELS,
            "images": rng.integers(0, 256, (N_IMAGES, 32, 32, 3), dtype=np.uint8),
        }
        n = 3 * 50
        self.trials = pd.DataFrame(
            {
                "annotator_id": np.repeat([0, 1, 2], 50),
                "is_attn_check": 0,
                "cifar10_test_test_idx": np.tile(np.arange(0, 500, 10), 3),
                "correct_guess": 1,
                "reaction_time": rng.integers(500, 3000, n),
            }
        )

    def write(self):
        folder = self.root / cifar10h.FOLDER
        folder.mkdir(exist_ok=True)
        np.save(folder / "cifar10h-counts.npy", self.counts)
        np.savez(folder / "cifar10s_images32_derived.npz", **self.pictures)
        with zipfile.ZipFile(folder / "cifar10h-raw.zip", "w") as archive:
            text = io.StringIO()
            self.trials.to_csv(text, index=False)
            archive.writestr("cifar10h-raw.csv", text.getvalue())
        table = DataStore(self.root, self.root / "cache").registry.assign(sha256="", bytes=pd.NA)
        return DataStore(self.root, self.root / "cache", registry=table)


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path)


def test_each_picture_stands_beside_its_own_counts(study):
    data = cifar10h.load(study.write())
    assert data.categories == CIFAR10
    assert (data.counts == study.counts[INDEX]).all()
    assert (data.labels == LABELS).all()
    assert (data.stimuli.images == study.pictures["images"]).all()
    assert data.stimuli.table["stimulus_id"].iloc[1] == "cifar10-test-00010"
    assert "40 of 10000" in data.notes[0]


def test_another_order_of_classes_is_refused(study):
    study.counts = study.counts[:, ::-1]
    with pytest.raises(ValueError, match=r"agree with the class of at least 90%.*got 0%"):
        cifar10h.load(study.write())


def test_shares_in_place_of_counts_are_refused(study):
    study.counts = study.counts / study.counts.sum(axis=1, keepdims=True)
    with pytest.raises(ValueError, match=r"expected whole numbers \(10000, 10\), got float64"):
        cifar10h.load(study.write())


def test_pictures_shown_twice_are_refused(study):
    study.pictures["idx"] = np.zeros(N_IMAGES, int)
    with pytest.raises(ValueError, match="expected one different test index"):
        cifar10h.load(study.write())


def test_times_are_standardised_within_person_over_all_images_and_the_rest_is_counted(study):
    study.trials.loc[0, "is_attn_check"] = 1
    study.trials.loc[[1, 2], "correct_guess"] = 0
    study.trials.loc[3, "reaction_time"] = -1
    study.trials.loc[4, "reaction_time"] = 60_000
    data = cifar10h.load_reaction_times(study.write())
    assert data.notes[-1] == (
        "trials left out, in turn: attention check: 1; wrong answer: 2; time unknown or not above 0: 1; "
        "time outside 0.2 to 10 s: 1; subject's times do not vary: 0; of an image that is not at hand: 30; "
        "115 trials left"
    )
    own = np.log(study.trials["reaction_time"][100:150])
    z = (own - own.mean()) / own.std()
    assert data.times[data.subjects == 2] == pytest.approx(z.to_numpy()[:40])
    assert (data.items[data.subjects == 2] == np.arange(40)).all()


def test_a_table_without_its_columns_is_refused(study):
    study.trials = study.trials.drop(columns="reaction_time")
    with pytest.raises(ValueError, match="'reaction_time'\\] missing"):
        cifar10h.load_reaction_times(study.write())


def test_an_archive_without_the_table_is_refused(study):
    store = study.write()
    with zipfile.ZipFile(study.root / cifar10h.RAW, "w") as archive:
        archive.writestr("other.csv", "a\n1\n")
    with pytest.raises(ValueError, match=r"expected one cifar10h-raw\.csv inside, got 0"):
        cifar10h.load_reaction_times(store)


def test_the_users_own_copy_switches_the_reaction_times_on(study):
    store = study.write()
    assert load_benchmark("cifar10h.rt-by-image", store).available()
    (study.root / cifar10h.RAW).unlink()
    assert not load_benchmark("cifar10h.rt-by-image", store).available()
    assert load_benchmark("cifar10h.entropy", store).available()


def test_the_real_counts_are_in_the_classes_order(studies):
    data = cifar10h.load(studies)
    assert len(data.stimuli) == 1000
    assert (data.counts.argmax(axis=1) == data.labels).mean() == pytest.approx(0.971)
    confused = np.stack([data.counts[data.labels == k].sum(axis=0) for k in range(10)])
    assert (confused.argmax(axis=1) == np.arange(10)).all()
    assert ((data.counts.sum(axis=1) >= 47) & (data.counts.sum(axis=1) <= 63)).all()


def test_the_real_counts_agree_with_the_map_of_test_indices(studies):
    table = pd.read_csv(studies.fetch("cifar10h_10s/cifar10s_index_map.csv"))
    known = cifar10h.load(studies).stimuli.table.set_index("test_index")["label"]
    assert (known.loc[table["cifar10_test_idx"]].to_numpy() == table["class_id"]).all()
