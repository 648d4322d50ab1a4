"""Maniquet 2025: people, networks and pictures, checked against what the authors printed and against broken files."""

import json

import numpy as np
import pandas as pd
import pytest

from benchmarks.profiles import off_diagonal
from benchmarks.recognition_measures import kept_participants
from benchmarks.recordings import maniquet2025

CONSISTENCY = {  # mean over seeds of Pearson r with people's accuracy: output of the authors' 3_model_consistency.ipynb
    "cornet_z": 0.6965158015499925,
    "cornet_V1_V1": 0.6479233634838569,
    "cornet_s": 0.7941164038110518,
    "BLT_net_128": 0.7567229194361924,
    "vgg16_bn": 0.8462311199302327,
}
CONFUSION = {  # the same for wrong answers: output of their 5_model_confusion.ipynb
    "cornet_z": 0.38505401378191323,
    "cornet_s": 0.12376037179422068,
    "BLT_net_128": 0.18641505331031996,
    "vgg16_bn": 0.4508299064206945,
}


class FolderStore:
    """The call a loader makes, over a plain folder."""

    def __init__(self, root):
        self.root = root

    def fetch(self, name):
        return self.root / name


class Files:
    """The study's files, simulated and small pictures, that a test may change before they are written."""

    def __init__(self, root):
        rng = np.random.default_rng(0)
        self.root = root
        self.categories = ["person", "cat", "bird", "tree", "banana", "firehydrant", "bus", "building"]
        self.tasks = list(maniquet2025._FOLDERS.values())
        names = ["net_a", "net_b"]
        self.lists = {
            "models": names,
            "tasks": self.tasks,
            "categories": self.categories,
            "model_names": {"net_a": "A", "net_b": "B"},
            "model_sizes": {"net_a": 10, "net_b": 20},
            "model_architectures": {"net_a": "feedforward", "net_b": "recurrent"},
        }
        who = [("human", f"p{k}") for k in range(1, 219)] + [("human_rt_bin", f"bin{k}") for k in range(1, 6)]
        who += [(name, f"seed{k}") for name in names for k in range(20)]
        rows = [(*one, "accuracy", task, rng.random()) for one in who for task in self.tasks]
        rows += [("human", f"p{k}", "rt_ms", task, 900 + rng.random()) for k in range(1, 219) for task in self.tasks]
        self.vectors = pd.DataFrame(rows, columns=["observer", "replicate", "measure", "condition", "value"])
        shown = self.vectors["replicate"].isin(["p1", "p2"]) & (self.vectors["condition"] == "clutter_light")
        self.vectors = self.vectors[~shown]
        everyone = rng.integers(0, 9, (218, 8, 8))
        half = everyone // 2
        self.counts = {"categories": np.array(self.categories), "human/participants": everyone}
        self.counts |= {"human/mask": half.sum(0), "human/no_mask": (everyone - half).sum(0)}
        self.counts |= {f"human/rt_bin_{k}": 0 * half.sum(0) for k in range(2, 6)}
        self.counts |= {"human/rt_bin_1": everyone.sum(0)}
        self.counts |= {f"model/{name}": rng.integers(0, 9, (20, 8, 8)) for name in names}
        columns = [f"{sem}{word} {what}" for what in ("accuracy", "RT") for word in maniquet2025.MASKING.values()
                   for sem in ("", "sem ")]  # fmt: skip
        self.by_condition = pd.DataFrame({column: rng.random(17) for column in columns}).assign(task=self.tasks[::-1])
        self.names = [f"stimuli/{folder}/x_{category}{k}.png" for folder in maniquet2025._FOLDERS
                      for category in self.categories for k in range(1, 11)]  # fmt: skip

    def load(self):
        folder = self.root / maniquet2025.FOLDER
        folder.mkdir()
        (folder / "lists.json").write_text(json.dumps(self.lists))
        self.vectors.to_csv(folder / "performance_by_observer.csv.gz", index=False)
        self.by_condition.to_csv(folder / "human_by_condition.csv", index=False)
        pd.DataFrame({"figure": ["a"], "value": [0.5]}).to_csv(folder / "noise_ceilings.csv.gz", index=False)
        np.savez(folder / "confusions.npz", **self.counts)
        images = np.zeros((len(self.names), 4, 4), np.uint8)
        np.savez(folder / "stimuli_gray128_derived.npz", names=np.array(self.names), images=images)
        return maniquet2025.load(FolderStore(self.root))


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.fixture(scope="module")
def study(studies):
    return maniquet2025.load(studies)


def test_values_stand_where_their_labels_say(files):
    study = files.load()
    row = files.vectors.sample(1, random_state=3).iloc[0]
    where = files.vectors[(files.vectors["observer"] == "net_b") & (files.vectors["condition"] == row["condition"])]
    one = where[where["replicate"] == "seed7"]["value"].item()
    assert study.networks.accuracy.sel(network="net_b", seed="seed7", condition=row["condition"]).item() == one
    table = files.by_condition.set_index("task")
    got = study.humans.by_condition["rt_ms"].sel(masking="unmasked", condition="clutter_heavy").item()
    assert got == table.loc["clutter_heavy", "no mask RT"]
    assert study.humans.confusions.sel(participant=5, category="cat", answer="bus").item() == (
        files.counts["human/participants"][5, 1, 6]
    )


def test_a_condition_that_an_observer_was_not_shown_is_missing_not_zero(files):
    accuracy = files.load().humans.accuracy
    assert np.isnan(accuracy.sel(observer=["p1", "p2"], condition="clutter_light")).all()
    assert np.isfinite(accuracy).sum() == accuracy.size - 2


def test_every_array_names_its_unit_and_source(files):
    study = files.load()
    arrays = [*study.humans.by_condition.data_vars.values(), study.humans.rt_ms, study.networks.confusions]
    assert {array.attrs["units"] for array in arrays} == {"ms", "proportion right", "trials"}
    assert all("s41598-025-20245-w" in array.attrs["citation"] for array in arrays)


def keep(files, rows):
    files.vectors = files.vectors[rows(files.vectors)]


BROKEN = {
    "task": lambda files: files.lists.update(tasks=files.tasks[:-1]),
    "observer": lambda files: keep(files, lambda v: v["replicate"] != "p9"),
    "repeated": lambda files: files.vectors.loc.__setitem__(files.vectors.index[1], files.vectors.iloc[0]),
    "percent": lambda files: files.vectors.loc.__setitem__((files.vectors["observer"] == "net_a", "value"), 70.0),
    "no time": lambda files: keep(files, lambda v: (v["replicate"] != "p4") | (v["measure"] != "rt_ms")),
    "sum": lambda files: files.counts.update({"human/mask": files.counts["human/mask"] + 1}),
    "order": lambda files: files.counts.update(categories=files.counts["categories"][::-1]),
    "kind": lambda files: files.lists["model_architectures"].update(net_b="feedforward"),
    "name": lambda files: files.names.__setitem__(3, "stimuli/control/horse3.png"),
    "twice": lambda files: files.names.__setitem__(3, files.names[4]),
}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("task", "expected conditions 17, got 16"),
        ("observer", "people: expected observers"),
        ("repeated", "expected one accuracy of human per replicate and condition, .* 1 repeated"),
        ("percent", "expected accuracy of net_a from 0 to 1"),
        ("no time", "expected a time wherever there is an accuracy|people: expected"),
        ("sum", "expected masked and unmasked to add up"),
        ("order", "expected the confusions' categories"),
        ("kind", "expected architectures"),
        ("name", r"expected names stimuli/.*got 'stimuli/control/horse3.png' \(and 0 more\)"),
        ("twice", "expected 10 pictures of each category in each of 17 conditions"),
    ],
)
def test_files_that_are_not_the_studys_are_refused(files, how, said):
    BROKEN[how](files)
    with pytest.raises(ValueError, match=said):
        files.load()


def test_the_study_is_all_there(study):
    assert study.humans.accuracy.sizes == {"observer": 218, "condition": 17}
    assert int(np.isfinite(study.humans.accuracy).sum()) == 1199
    assert study.networks.accuracy.sizes == {"network": 15, "seed": 20, "condition": 17}
    assert study.stimuli.images.shape == (1360, 128, 128, 1)
    assert int(study.published_ceilings["value"].isna().sum()) == 2


@pytest.mark.parametrize("network", CONSISTENCY)
def test_networks_are_as_like_people_as_the_authors_printed(study, network):
    human = study.humans.by_condition["accuracy"].sel(masking="all").to_numpy()
    r = [np.corrcoef(seed, human)[0, 1] for seed in study.networks.accuracy.sel(network=network).to_numpy()]
    assert np.mean(r) == pytest.approx(CONSISTENCY[network], abs=1e-12)


@pytest.mark.parametrize("network", CONFUSION)
def test_networks_err_as_much_like_people_as_the_authors_printed(study, network):
    human = off_diagonal(study.humans.confusions.sum("participant").to_numpy())
    r = [np.corrcoef(off_diagonal(seed), human)[0, 1] for seed in study.networks.confusions.sel(network=network).values]
    assert np.mean(r) == pytest.approx(CONFUSION[network], abs=1e-12)


def test_confusions_hold_participants_whose_keys_were_mixed_up(study):
    """No observer's accuracy is below .7; that of 26 participants is below .25 in the confusions, and none between."""
    confusions = study.humans.confusions.to_numpy()
    accuracy = np.trace(confusions, axis1=1, axis2=2) / confusions.sum(axis=(1, 2))
    mixed = ~kept_participants(confusions)
    assert mixed.sum() == 26
    assert accuracy[mixed].max() < 0.25
    assert accuracy[~mixed].min() > 0.58
    assert study.humans.accuracy.mean("condition").min() > 0.7
    # each gives nearly always one and the same wrong answer to a category
    assert (confusions[mixed].max(axis=2).sum(axis=1) / confusions[mixed].sum(axis=(1, 2))).min() > 0.8


def test_manipulated_pictures_show_their_original_or_none_of_the_whole_ones(study):
    """Light deletion leaves a picture's correlation with its whole original high, and with other pictures low."""
    table = study.stimuli.table
    whole = table.index[table["condition"] == "control"]
    made = table.index[table["condition"] == "occlusion_many_small_deletion_low"]
    flat = study.stimuli.images.reshape(1360, -1).astype(float)
    r = np.corrcoef(flat[made], flat[whole])[: len(made), len(made) :]
    same = table["original"].to_numpy()[made][:, None] == table["original"].to_numpy()[whole]
    assert r[~same].max() < 0.6
    other = (r * same).sum(axis=1) < 0.6
    assert set(table["category"].to_numpy()[made][other]) <= {"building", "bus"}
