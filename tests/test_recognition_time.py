"""Tests of the study: the comparison on arrays, and the two ways into it with a toy network."""

import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from analysis.decoded_study import decode_models, load_tang2018
from analysis.human_times import simulate_trials
from analysis.predictors import CORRELATIONS
from analysis.recognition_time import compare, times
from analysis.simulated_study import occluded_digits
from neurocnnf.stimuli import Stimuli

N_STEPS = 5


def make_decisions(n_objects=100, per_object=6, seed=0):
    """Decision values that rise with steps, faster for easy objects, and their table; category 0 is right."""
    rng = np.random.default_rng(seed)
    item = np.repeat(np.arange(n_objects), per_object)
    start = rng.standard_normal(n_objects)[item] + 0.7 * rng.standard_normal(len(item)) - 1.0
    rise = np.exp(0.6 * rng.standard_normal(n_objects))[item] * 0.35
    right = start + rise * np.arange(N_STEPS + 1)[:, None]
    control = right[:1] + 0.5 * rng.standard_normal((1, len(item)))
    table = pd.DataFrame(
        {
            "stimulus_id": [f"p{i}" for i in range(len(item))],
            "object_id": item + 1,
            "category": "thing",
            "label": 0,
            "occluded_percent": rng.uniform(60, 95, len(item)),
        }
    )
    return *(np.stack([v, np.zeros_like(v)], axis=2) for v in (right, control)), table


def make_study(true_from, seed=0, noise=1.5, **settings):
    """Compare `make_decisions` with observers whose true times are `true_from(object table)`."""
    decisions, control, table = make_decisions(seed=seed)
    shown = table.groupby("object_id")["stimulus_id"].apply(list).to_dict()
    ids = np.array(sorted(shown))
    settings = {"n_resamples": 300, "n_permutations": 199, **settings}
    blank = simulate_trials(np.zeros(len(ids)), ids, shown, seed=seed)
    model = compare(blank, table, decisions, control, n_resamples=2, n_permutations=1).objects
    true = true_from(model, np.random.default_rng([seed, 9]))
    trials = simulate_trials(true, ids, shown, noise=noise, seed=seed)
    return compare(trials, table, decisions, control, seed=seed, **settings), true


def standard(values):
    """Mean 0, standard deviation 1."""
    return (values - values.mean()) / values.std()


def statistic(result, name):
    """One row of the statistics."""
    return result.statistics.set_index("statistic").loc[name]


def follows_the_model(objects, rng):
    """True times: the model's own solution step, .7, and something else."""
    return 0.7 * standard(objects["model_time"]).to_numpy() + np.sqrt(0.51) * rng.standard_normal(len(objects))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_times_made_from_the_models_own_steps_are_recovered(seed):
    """The interval holds the true rank correlation times what the observers' noise leaves of it."""
    result, true = make_study(follows_the_model, seed)
    row = statistic(result, "rho_model_time")
    law = spearmanr(result.objects["model_time"], true).statistic
    assert row["low"] < law * row["ceiling"] < row["high"]
    assert row["estimate"] == pytest.approx(law * row["ceiling"], abs=0.12)
    assert row["p"] == 0.005
    assert statistic(result, "somers_d")["p"] == 0.005
    assert statistic(result, "somers_d")["low"] > 0


def test_times_that_follow_the_feedforward_sweep_leave_nothing_to_the_model():
    """Model time correlates with times made from step-0 confidence, and partially does not."""

    def follows_confidence(objects, rng):
        return -standard(objects["step0_confidence"]).to_numpy()

    partial = []
    for seed in range(4):
        result, _ = make_study(follows_confidence, seed)
        assert statistic(result, "rho_model_time")["low"] > 0.2
        assert statistic(result, "rho_step0_confidence")["high"] < -0.5
        partial.append(statistic(result, "partial_given_step0_confidence_normal_scores")["estimate"])
    assert abs(np.mean(partial)) < 0.15


def test_unrelated_times_give_intervals_that_hold_zero():
    """Of 6 studies under the null, at most 2 intervals miss zero, at most 2 p values are below .05."""
    missed = positive = 0
    for seed in range(6):
        result, _ = make_study(lambda objects, rng: rng.standard_normal(len(objects)), seed, n_resamples=150)
        row = statistic(result, "rho_model_time")
        missed += not row["low"] < 0 < row["high"]
        positive += row["p"] <= 0.05
    assert missed <= 2
    assert positive <= 2


def test_every_count_is_there_and_nothing_is_imputed():
    """Objects without a picture, an unsolved stimulus, trials of unknown stimuli: all counted."""
    decisions, control, table = make_decisions(n_objects=30)
    shown = table.groupby("object_id")["stimulus_id"].apply(list).to_dict()
    shown |= {31: ["unseen"]}
    trials = simulate_trials(np.arange(31) / 31, np.arange(1, 32), shown)
    decisions[:, 0, 0] = -1.0
    result = compare(trials, table, decisions, control, n_resamples=50, n_permutations=19)
    assert len(result.objects) == 31
    lacking = result.objects.iloc[30]
    assert lacking[["human_time_z", "model_time"]].isna().all()
    assert (statistic(result, "rho_model_time")[["n_used", "n_total"]] == [30, 31]).all()
    assert np.isnan(result.stimuli["solution_step"][0])
    assert not result.stimuli["solved"][0]
    solved = statistic(result, "solved")
    assert (solved["n_used"], solved["n_total"]) == (result.stimuli["solved"].sum(), len(table))
    assert solved["estimate"] == pytest.approx(solved["n_used"] / solved["n_total"])
    assert statistic(result, "somers_d")["n_total"] == len(trials)
    assert result.exclusions["n_left"].iloc[-1] == statistic(result, "somers_d")["n_used"]
    dropped = statistic(result, "somers_d_drop_unsolved")["n_used"]
    assert 0 < dropped < statistic(result, "somers_d")["n_used"]
    partial = [f"{n}_normal_scores" for n, (_, given) in CORRELATIONS.items() if given]
    assert set(result.statistics["statistic"]) >= {*CORRELATIONS, *partial, "c_index", "human_reliability"}


def test_the_same_seed_gives_the_same_tables():
    one, two = (vars(make_study(follows_the_model, n_resamples=50, n_permutations=19)[0]) for _ in range(2))
    for name, table in one.items():
        pd.testing.assert_frame_equal(table, two[name])


class Toy:
    """A network whose layer 'seen' is the image, sharpened from step to step."""

    layer_names = feedback_layers = ("noise", "seen")

    def __init__(self, name, recurrent):
        self.name, self.recurrent = name, recurrent


def each_layer(model, stimuli, layers, n_steps):
    """Stand in for `neurocnnf.record.each_layer`."""
    assert model.recurrent or n_steps == 0
    flat = np.asarray(stimuli.images[:], np.float32).reshape(len(stimuli), -1) / 255
    steps = np.stack([flat * (1 + 0.2 * k) - 0.1 * k * flat.mean() for k in range(n_steps + 1)])
    noise = np.random.default_rng(len(flat)).standard_normal(steps.shape).astype(np.float32)
    return {layer: steps if layer == "seen" else noise for layer in layers}


@pytest.fixture
def toys(monkeypatch):
    """A toy network and its control, with `record` standing in for the real one."""
    record = ModuleType("neurocnnf.record")
    record.each_layer = each_layer
    monkeypatch.setitem(sys.modules, "neurocnnf.record", record)
    return Toy("toy", True), Toy("toy-control", False)


def test_the_study_runs_from_a_store_to_tables(toys, monkeypatch):
    """Loaders that stand in for the real ones; layers chosen on whole objects; the control has one step."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 5
    whole = np.clip(128 + 40 * rng.standard_normal((5, 100))[labels] + 20 * rng.standard_normal((60, 100)), 0, 255)
    item = np.repeat(np.arange(60), 4)
    shown = np.where(rng.random((240, 100)) < 0.6, 128, whole[item])
    names = np.array(list("abcde"))
    objects = pd.DataFrame({"object_id": np.arange(60) + 1, "category": names[labels]})
    frames = [objects, objects.iloc[item].reset_index(drop=True)]
    frames = [f.assign(stimulus_id=[f"{k} {i}" for i in range(len(f))]) for f, k in zip(frames, "wo", strict=True)]
    sets = [
        Stimuli(p.astype(np.uint8).reshape(-1, 10, 10, 1), f, "x") for p, f in zip((whole, shown), frames, strict=True)
    ]
    ids = frames[1].groupby("object_id")["stimulus_id"].apply(list).to_dict()
    trials = simulate_trials(rng.standard_normal(60), np.arange(1, 61), ids).assign(occluded_percent=80.0)
    loader = SimpleNamespace(
        load_trials=lambda store, experiment: trials.assign(experiment=experiment),
        load_objects=lambda store: sets[0],
        occluded_stimuli=lambda t, o: sets[1],
    )
    for name, function in vars(loader).items():
        monkeypatch.setattr(f"benchmarks.recordings.tang2018.{name}", function)
    study = decode_models(toys, *load_tang2018(None), n_steps=3)
    assert study.provenance["toy"]["layer"] == study.provenance["toy-control"]["layer"] == "seen"
    assert (study.provenance["toy"]["n_steps"], study.provenance["toy-control"]["n_steps"]) == (3, 0)
    tables = times(study, "toy-control", 0, quick=True)
    assert (tables["objects"]["mean_occlusion"] == 80).all()
    found = tables["statistics"].set_index("statistic")["estimate"]
    assert np.isnan(found["rho_occlusion"])  # all alike: not defined, not zero


def test_observers_who_follow_what_was_decoded_from_digits_are_found(toys):
    """From pictures to statistics: true times are the model's own steps and something else, of known correlation."""
    objects, occluded = occluded_digits()
    ids = occluded.table["object_id"].unique()
    shown = occluded.table.groupby("object_id")["stimulus_id"].apply(list).to_dict()
    blank = simulate_trials(np.zeros(len(ids)), ids, shown)
    study = decode_models(toys, blank, objects, occluded, n_steps=2)
    true = follows_the_model(times(study, "toy-control", 0, quick=True)["objects"], np.random.default_rng(1))
    study = replace(study, trials=simulate_trials(true, ids, shown, noise=1.0))
    tables = times(study, "toy-control", 0, quick=True)
    row = tables["statistics"].set_index("statistic").loc["rho_model_time"]
    law = spearmanr(tables["objects"]["model_time"], true).statistic
    assert row["low"] < law * row["ceiling"] < row["high"]
    assert row["ceiling_rule"].startswith("sqrt(split-half")


def test_occluded_digits_are_the_same_for_a_seed_and_are_occluded():
    """Every object has a category, a whole picture and six occluded ones that differ from it."""
    (whole, shown), (_, again), (_, other) = occluded_digits(0), occluded_digits(0), occluded_digits(1)
    assert len(shown) == 6 * len(whole)
    np.testing.assert_array_equal(shown.images, again.images)
    assert not np.array_equal(shown.images, other.images)
    assert shown.table["occluded_percent"].between(1, 99).all()
    assert whole.table["category"].nunique() == 10


def test_the_real_study_cleans_and_agrees_as_published(studies):
    """Trials of Tang et al.: 21 subjects, 325 objects, the stated split-half agreement (.55, uncorrected)."""
    from analysis.human_times import agreement, clean_trials, subject_object_sums
    from analysis.inference import resamples, taken
    from benchmarks.recordings import tang2018

    trials = tang2018.load_trials(studies, experiment="v2")
    clean = clean_trials(trials)
    assert len(clean.trials) == 4378
    subject, item = (pd.factorize(clean.trials[c], sort=True)[0] for c in ("subject", "object_id"))
    sums, counts = subject_object_sums(subject, item, clean.trials["time_z"], (21, item.max() + 1))
    result = agreement(sums, counts, taken(resamples(21, item.max() + 1, 200, 0)[1]))
    assert result.split_half == pytest.approx(0.55, abs=0.06)
    assert result.low < result.reliability < result.high
