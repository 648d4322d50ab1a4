"""Geirhos et al.: trials and the user's pictures meet in conditions; nothing is left out unsaid."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks import load_benchmark
from benchmarks.recordings import geirhos
from neurocnnf.datastore import DataMissing, DataStore

CONDITIONS = {"colour": ("cr", "bw"), "uniform-noise": ("0.0", "0.60")}
N_PHOTOGRAPHS = 12


class Study:
    """Trials and pictures, made up, that a test may change before they are written."""

    def __init__(self, root):
        rng = np.random.default_rng(0)
        self.root = root
        self.names = [
            f"{experiment}/dnn/session-1/{k:04d}_x_dnn_{condition}_{category}_40_n01_{category}{k}.png"
            for experiment, conditions in CONDITIONS.items()
            for condition in conditions
            for category in geirhos.CATEGORIES
            for k in range(N_PHOTOGRAPHS)
        ]
        rows = [
            (f"subject-0{s}", rng.uniform(0.4, 1.4), rng.choice([category, "cat"]), category, condition, experiment)
            for experiment, conditions in CONDITIONS.items()
            for condition in (*conditions, "never shown")
            for category in geirhos.CATEGORIES
            for s in range(4)
        ]
        self.trials = pd.DataFrame(rows, columns=list(geirhos.COLUMNS))
        self.trials.loc[0, ["rt", "object_response"]] = np.nan, "na"

    def write(self):
        folder = self.root / geirhos.FOLDER
        for name in self.names:
            path = folder / "stimuli" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((4, 4), len(name) % 256, np.uint8)).save(path)
        folder.mkdir(exist_ok=True)
        self.trials.to_csv(self.root / geirhos.TRIALS, index=False)
        table = DataStore(self.root, self.root / "cache").registry.assign(sha256="", bytes=pd.NA)
        return DataStore(self.root, self.root / "cache", registry=table)


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path)


def test_trials_and_pictures_of_a_condition_meet_whatever_its_spelling(study):
    study.trials["condition"] = study.trials["condition"].replace({"0.60": "0.6", "0.0": "0"})
    data = geirhos.load(study.write())
    assert data.table.to_numpy().tolist() == [
        ["colour", "bw"],
        ["colour", "cr"],
        ["uniform-noise", "0"],
        ["uniform-noise", "0.6"],
    ]
    assert (np.bincount(data.image_condition) == 16 * N_PHOTOGRAPHS).all()
    assert data.stimuli.images[:2].shape == (2, 4, 4, 3)
    assert (np.array(geirhos.CATEGORIES)[data.labels] == data.stimuli.table["category"]).all()


def test_readouts_are_fitted_on_pictures_that_are_not_degraded(study):
    data = geirhos.load(study.write())
    assert set(data.stimuli.table["condition"][data.trains]) == {"cr", "0"}
    photographs = data.groups.reshape(-1, N_PHOTOGRAPHS)
    assert len(np.unique(photographs)) == 16 * N_PHOTOGRAPHS  # the same ones in every condition


def test_what_is_left_out_is_counted(study):
    data = geirhos.load(study.write())
    n = len(study.trials)
    assert data.notes[0].startswith(
        f"trials: {n * 2 // 3} of {n} are of the 4 conditions with pictures (768 of 768); 1 "
    )
    assert data.notes[1].startswith("times left out, in turn: no answer: 1; wrong answer: ")
    assert len(data.trials) == n * 2 // 3
    timed = data.trials["time_z"].notna()
    assert data.trials["correct"][timed].all()
    assert data.trials["time_z"][timed].groupby(data.trials["subject"]).mean().abs().max() < 1e-12


def test_no_answer_is_a_wrong_answer_without_a_time(study):
    first = geirhos.load_trials(study.write()).iloc[0]
    assert not first["answered"]
    assert not first["correct"]
    assert np.isnan(first["rt_s"])


def test_names_and_tables_of_another_form_are_refused(study):
    with pytest.raises(ValueError, match="expected <number>_<code>"):
        geirhos.read_names(["colour/dnn/session-1/cat.png"])
    study.trials.loc[5, "category"] = "unicorn"
    with pytest.raises(ValueError, match="got 'unicorn' in row 5"):
        geirhos.load_trials(study.write())
    study.trials = study.trials.drop(columns="rt")
    with pytest.raises(ValueError, match=r"\['rt'\] missing"):
        geirhos.load_trials(study.write())


def test_pictures_of_other_experiments_are_refused(study):
    study.names = [name.replace("_cr_", "_zz_") for name in study.names if name.startswith("colour") and "_cr_" in name]
    with pytest.raises(ValueError, match="got 'colour', 'zz'"):
        geirhos.load(study.write())


def test_degraded_pictures_alone_are_refused(study):
    study.names = [name for name in study.names if "_bw_" in name]
    with pytest.raises(ValueError, match=r"expected pictures that are not degraded.*got none of .*'colour': 'cr'"):
        geirhos.load(study.write())


def test_pictures_of_different_sizes_are_refused(tmp_path):
    for size in (4, 5):
        Image.new("L", (size, size)).save(tmp_path / f"{size}.png")
    with pytest.raises(ValueError, match="expected one size"):
        geirhos.PngFiles([tmp_path / "4.png", tmp_path / "5.png"])[:]


@pytest.mark.parametrize("identifier", ["geirhos.accuracy-by-condition", "geirhos.rt-by-condition"])
def test_without_pictures_it_says_how_to_supply_them(study, identifier):
    study.names = []
    store = study.write()
    assert not load_benchmark(identifier, store).available()
    with pytest.raises(DataMissing, match=r"model-vs-human's archives there.*\$NEUROCNNF_DATA/geirhos_model_vs_human"):
        geirhos.load(store)


@pytest.mark.parametrize("identifier", ["geirhos.accuracy-by-condition", "geirhos.rt-by-condition"])
def test_with_the_users_pictures_a_model_is_scored_from_end_to_end(study, identifier):
    store = study.write()
    assert load_benchmark(identifier, store).available()

    class Model:
        name, layer_names, recurrent = "stand-in", ("hidden", "logits"), True

    def each_layer(model, stimuli, layers, n_steps):
        labels = np.searchsorted(geirhos.CATEGORIES, stimuli.table["category"])
        noise = np.random.default_rng(3).standard_normal((n_steps + 1, len(labels), 16))
        return {"hidden": (3 * np.eye(16)[labels] + noise).astype(np.float32)}

    score = replace(load_benchmark(identifier, store, quick=True), each_layer=each_layer)(Model(), n_steps=1)
    assert (score.n_used, score.n_total) == (4, 4)
    assert set(score.per_step["step"]) == {0, 1}
    assert any("logistic readout of hidden" in note for note in score.notes)


def test_the_real_trials_are_85120_of_17_experiments(studies):
    trials = geirhos.load_trials(studies)
    assert len(trials) == 85_120
    assert trials["experiment"].nunique() == 17
    assert (~trials["answered"]).sum() == trials["rt_s"].isna().sum() == 597
    assert set(trials["condition"][trials["experiment"] == "rotation"]) == {"0", "90", "180", "270"}
    assert set(geirhos.UNDEGRADED) <= set(trials["experiment"])
    for experiment, condition in geirhos.UNDEGRADED.items():
        own = trials[trials["experiment"] == experiment].groupby("condition")["correct"].mean()
        assert condition in own.index
        assert own[condition] > own.max() - 0.05  # people do best there, within noise
