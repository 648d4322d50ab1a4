"""Training is decided by recipe and seed alone, can stop anywhere, and shares its trunk with the control."""

import csv
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from neurocnnf import build_model, recipes
from neurocnnf.recipes import Attack, Recipe
from neurocnnf.train import load_training_tensors, train
from neurocnnf.training_log import LOG_COLUMNS

TINY = Recipe(
    "cnnf-digits", "digits", "shift", feedforward_batches=3, feedback_batches=3, n_steps=2, batch_size=8,
    feedback_batch_size=4,
)  # fmt: skip
N_IMAGES = 20  # not a multiple of either batch size; epochs begin anew within the run


@pytest.fixture(scope="module", autouse=True)
def tiny_recipes():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recipes.RECIPES, "cnnf-digits", TINY)
        patch.setitem(recipes.RECIPES, "cnn-digits", replace(TINY, model="cnn-digits", n_steps=0))
        yield


def make_data():
    generator = torch.Generator().manual_seed(1)
    images = torch.rand((N_IMAGES, 1, 16, 16), generator=generator) * 2 - 1
    return images, torch.randint(0, 10, (N_IMAGES,), generator=generator)


@pytest.fixture
def data():
    return make_data()


@pytest.fixture(scope="module")
def whole(tiny_recipes, tmp_path_factory):
    """Train once, with seed 5, from beginning to end: the model and where its files are."""
    out = tmp_path_factory.mktemp("whole") / "run"
    torch.manual_seed(1)
    return train("cnnf-digits", 5, out, data=make_data()), out


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def read_log(out):
    with (out / "log.csv").open() as file:
        return list(csv.DictReader(file))


def untimed_log(out):
    timed = ("seconds", "images_per_second")
    return [{column: value for column, value in row.items() if column not in timed} for row in read_log(out)]


def trunk_of(out):
    (trunk,) = out.parent.glob("trunk-digits-*-5-float32.pt")
    return trunk


class Stop(Exception):
    """Somebody pulls the plug."""


def stop_after(n_batches):
    def progress(what, done, total):
        if done == n_batches:
            raise Stop

    return progress


def test_the_same_seed_gives_the_same_weights_whatever_the_global_random_state(tmp_path, data, whole):
    torch.manual_seed(2)
    state = torch.get_rng_state()
    again = train("cnnf-digits", 5, tmp_path / "run", data=data)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(weights(again), weights(whole[0]))


def test_another_seed_gives_other_weights(tmp_path, data, whole):
    other = train("cnnf-digits", 6, tmp_path / "run", data=data)
    assert not torch.equal(weights(other), weights(whole[0]))


@pytest.mark.parametrize("stopped_after", [1, 2, 3, 5])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, data, whole, monkeypatch, read_curves, stopped_after):
    monkeypatch.setattr("neurocnnf.train.SAVE_EVERY", 2)
    out, begun_at = tmp_path / "run", []
    with pytest.raises(Stop):
        train("cnnf-digits", 5, out, data=data, progress=stop_after(stopped_after))
    resumed = train("cnnf-digits", 5, out, data=data, progress=lambda what, done, total: begun_at.append(done))
    assert torch.equal(weights(resumed), weights(whole[0]))
    assert untimed_log(out) == untimed_log(whole[1])
    curves, expected = read_curves(out), read_curves(whole[1])
    assert {len(curves.pop("images_per_second")), len(expected.pop("images_per_second"))} == {6}
    assert curves == expected
    # It went on from the last state: every second batch, or the trunk if that is all there is.
    assert begun_at[0] == {1: 1, 2: 3, 3: 3, 5: 5}[stopped_after]


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        (replace(TINY, model="lateral-digits", optimiser="muon"), {}),
        (replace(TINY, model="predictive-digits", reconstructed="blocks"), {"half": True}),
        (replace(TINY, attack=Attack(0.1, 0.04, 2), optimiser="sgd"), {}),
    ],
    ids=["lateral, Muon", "predictive, bfloat16", "attacked, SGD"],
)
def test_other_recurrence_optimisers_precision_and_attacks_are_resumed_alike(
    tmp_path, data, monkeypatch, recipe, options
):
    monkeypatch.setattr("neurocnnf.train.SAVE_EVERY", 2)
    uninterrupted = train(recipe, 5, tmp_path / "whole" / "run", data=data, **options)
    for stopped_after in (2, 5):
        out = tmp_path / f"stopped after {stopped_after}" / "run"
        with pytest.raises(Stop):
            train(recipe, 5, out, data=data, progress=stop_after(stopped_after), **options)
        assert torch.equal(weights(train(recipe, 5, out, data=data, **options)), weights(uninterrupted))


KILLED = """
import os, signal, sys, torch
from pathlib import Path
import neurocnnf.train
module = sys.modules["neurocnnf.train"]
from neurocnnf.recipes import Recipe
torch.set_num_threads(1)
module.SAVE_EVERY = 2
folder, when = Path(sys.argv[1]), sys.argv[3]
kill = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
if when == "while saving":
    replace, saved = Path.replace, []
    def replace_or_die(self, target):
        if str(target).endswith("state.pt"):
            saved.append(target)
        return kill() if len(saved) == 2 else replace(self, target)
    Path.replace = replace_or_die
progress = lambda what, done, total: kill() if when == "while training" and done == 5 else None
module.train(eval(sys.argv[2]), 5, folder / "run", data=torch.load(folder / "data.pt"), progress=progress)
"""


@pytest.mark.parametrize(("when", "kept"), [("while training", 4), ("while saving", 2)])
def test_a_run_that_was_killed_goes_on_to_the_same_weights(tmp_path, data, whole, monkeypatch, when, kept):
    torch.save(data, tmp_path / "data.pt")
    command = [sys.executable, "-c", KILLED, str(tmp_path), repr(TINY), when]
    done = subprocess.run(command, check=False)
    assert done.returncode == -signal.SIGKILL
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["done"] == kept
    monkeypatch.setattr("neurocnnf.train.SAVE_EVERY", 2)
    resumed = train("cnnf-digits", 5, tmp_path / "run", data=data)
    torch.testing.assert_close(weights(resumed), weights(whole[0]), rtol=1e-5, atol=1e-6)  # one thread, then several
    assert len(read_log(tmp_path / "run")) == TINY.batches


def test_a_finished_run_trains_no_further(data, whole):
    model, out = whole
    calls = []
    again = train("cnnf-digits", 5, out, data=data, progress=lambda *args: calls.append(args))
    assert torch.equal(weights(again), weights(model))
    assert not calls


def test_the_optimiser_is_resumed_too(tmp_path, data, whole, monkeypatch):
    monkeypatch.setattr("neurocnnf.train.SAVE_EVERY", 2)
    with pytest.raises(Stop):
        train("cnnf-digits", 5, tmp_path / "run", data=data, progress=stop_after(2))
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    state["optimiser"]["state"] = {}
    torch.save(state, tmp_path / "run" / "state.pt")
    assert not torch.equal(weights(train("cnnf-digits", 5, tmp_path / "run", data=data)), weights(whole[0]))


def test_the_control_takes_up_the_trunk_that_the_cnnf_left(tmp_path, data, whole):
    cnnf, out = whole
    shutil.copy(trunk_of(out), tmp_path)
    begun_at = []
    progress = lambda what, done, total: begun_at.append(done)  # noqa: E731
    control = train("cnn-digits", 5, tmp_path / "run", data=data, progress=progress)
    assert begun_at == [4, 5, 6]
    assert not torch.equal(weights(control), weights(cnnf))
    alone = train("cnn-digits", 5, tmp_path / "elsewhere" / "run", data=data)
    assert torch.equal(weights(control), weights(alone))


@pytest.mark.parametrize(
    "change",
    [{"augmentation": "none"}, {"feedforward_batches": 2}, {"batch_size": 4}, {"learning_rate": 1e-3}],
    ids=lambda change: next(iter(change)),
)
def test_a_trunk_of_another_feedforward_part_is_left_alone(tmp_path, data, whole, monkeypatch, change):
    shutil.copy(trunk_of(whole[1]), tmp_path)
    monkeypatch.setitem(recipes.RECIPES, "cnnf-digits", replace(TINY, **change))
    begun_at = []
    train("cnnf-digits", 5, tmp_path / "run", data=data, progress=lambda what, done, total: begun_at.append(done))
    assert begun_at[0] == 1


def test_neither_trunk_nor_state_of_other_images_is_taken_up(tmp_path, data, whole):
    others = (-data[0], data[1])
    shutil.copy(trunk_of(whole[1]), tmp_path)
    begun_at = []
    progress = lambda what, done, total: begun_at.append(done)  # noqa: E731
    train("cnnf-digits", 5, tmp_path / "run", data=others, progress=progress)
    assert begun_at[0] == 1
    with pytest.raises(ValueError, match=r"the state of .*, images \w+, seed 5, got that of .*, images \w+, seed 5"):
        train("cnnf-digits", 5, tmp_path / "run", data=data)


def test_the_first_part_is_the_same_for_both_and_takes_no_feedback(tmp_path, data, whole):
    train("cnn-digits", 5, tmp_path / "run", data=data)
    cnnf, control = untimed_log(whole[1]), untimed_log(tmp_path / "run")
    assert [row["n_steps"] for row in cnnf] == ["0", "0", "0", "2", "2", "2"]
    assert [row["n_steps"] for row in control] == ["0"] * 6
    assert cnnf[:3] == control[:3]
    trunks = [torch.load(trunk_of(out), weights_only=True) for out in (whole[1], tmp_path / "run")]
    assert all(torch.equal(trunks[0]["model"][k], trunks[1]["model"][k]) for k in trunks[0]["model"])
    assert [trunk["done"] for trunk in trunks] == [3, 3]


def test_the_log_has_a_row_per_batch_and_progress_counts_them(tmp_path, data):
    calls = []
    train("cnnf-digits", 5, tmp_path / "run", data=data, progress=lambda *args: calls.append(args))
    rows = read_log(tmp_path / "run")
    assert tuple(rows[0]) == LOG_COLUMNS
    assert [int(row["batch"]) for row in rows] == list(range(6))
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx([TINY.rate(b) for b in range(6)])
    assert all((float(row["reconstruction_error"]) > 0) == (row["n_steps"] == "2") for row in rows)
    assert calls == [("cnnf-digits, seed 5", done, 6) for done in range(1, 7)]


def test_training_uses_adamw_with_the_recipes_weight_decay(whole):
    state = torch.load(whole[1] / "state.pt", weights_only=True)["optimiser"]
    (group,) = state["param_groups"]
    assert (group["weight_decay"], group["decoupled_weight_decay"], group["betas"]) == (0.02, True, (0.9, 0.999))
    assert {float(v["step"]) for v in state["state"].values()} == {6}


def test_a_loss_that_is_not_finite_stops_training_and_keeps_the_state(tmp_path, data, monkeypatch):
    monkeypatch.setattr("neurocnnf.train.SAVE_EVERY", 2)
    out = tmp_path / "run"

    def spoil(what, done, total):
        if done == 4:
            data[0].fill_(float("nan"))

    refused = r"batch 4: expected a finite loss and gradient, got nan .* Lower .*learning_rate"
    with pytest.raises(FloatingPointError, match=refused):
        train("cnnf-digits", 5, out, data=data, progress=spoil)
    state = torch.load(out / "state.pt", weights_only=True)
    assert state["done"] == 4
    assert all(v.isfinite().all() for v in state["model"].values())
    assert len(read_log(out)) == 4
    assert not list(tmp_path.rglob("*.partial"))


def test_drawn_batches_take_one_to_n_steps_and_the_rest_all(tmp_path, data, monkeypatch):
    recipe = replace(TINY, feedforward_batches=1, feedback_batches=24, n_steps=3, drawn_batches=22)
    monkeypatch.setitem(recipes.RECIPES, "cnnf-digits", recipe)
    train("cnnf-digits", 5, tmp_path / "run", data=data)
    n_steps = [int(row["n_steps"]) for row in read_log(tmp_path / "run")]
    assert n_steps[0] == 0
    assert set(n_steps[1:23]) == {1, 2, 3}
    assert n_steps[23:] == [3, 3]


def test_time_spent_before_an_interruption_counts(tmp_path, data, monkeypatch):
    monkeypatch.setattr("neurocnnf.train.SAVE_EVERY", 2)
    with pytest.raises(Stop):
        train("cnnf-digits", 5, tmp_path / "run", data=data, progress=stop_after(2))
    path = tmp_path / "run" / "state.pt"
    torch.save({**torch.load(path, weights_only=True), "seconds": 1000.0}, path)
    train("cnnf-digits", 5, tmp_path / "run", data=data)
    assert all((float(row["seconds"]) > 999) == (int(row["batch"]) >= 2) for row in read_log(tmp_path / "run"))
    assert torch.load(path, weights_only=True)["seconds"] > 999


def test_training_learns_what_can_be_learned(tmp_path, monkeypatch):
    # Two classes, bright and dark corners: a few batches are enough.
    recipe = replace(TINY, feedforward_batches=12, feedback_batches=12, augmentation="none", batch_size=16)
    monkeypatch.setitem(recipes.RECIPES, "cnnf-digits", recipe)
    labels = torch.arange(32) % 2
    images = 0.2 * torch.rand((32, 1, 16, 16), generator=torch.Generator().manual_seed(1))
    images[:, :, :8] += (labels * 1.2 - 0.6)[:, None, None, None]
    images[:, :, 8:] -= (labels * 1.2 - 0.6)[:, None, None, None]
    model = train("cnnf-digits", 5, tmp_path / "run", data=(images, labels))
    rows = read_log(tmp_path / "run")
    assert float(rows[-1]["loss"]) < 0.5 * float(rows[0]["loss"])
    with torch.no_grad():
        assert (model.predict(images, 2) == labels).all()


def test_an_unknown_recipe_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"recipe: expected one of cnnf-mnist, .*, got 'cnnf-imagenet'. Choose"):
        train("cnnf-imagenet", 0, tmp_path)


def test_a_recipes_training_set_comes_in_the_models_range():
    images, labels = load_training_tensors("digits")
    assert images.shape[1:] == (1, 16, 16)
    assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert (images.min().item(), images.max().item()) == (-1, 1)
    assert len(load_training_tensors("digits", "test")[0]) < len(images) == len(labels)


def test_the_state_of_another_seed_or_recipe_is_not_taken_up(whole, data, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(whole[1], out)
    with pytest.raises(ValueError, match=r"expected the state of Recipe\(.*, seed 6, got that of .* seed 5"):
        train("cnnf-digits", 6, out, data=data)


def test_in_bfloat16_weights_stay_float32_near_those_of_float32_and_the_state_says_so(whole, data, tmp_path):
    model = train("cnnf-digits", 5, tmp_path / "run", half=True, data=data)
    start, full, half = weights(build_model("cnnf-digits", seed=5)), weights(whole[0]), weights(model)
    assert half.dtype == torch.float32
    assert not torch.equal(half, full)
    # Of the way that the weights went, most is the same.
    assert torch.nn.functional.cosine_similarity(half - start, full - start, dim=0) > 0.8
    states = [torch.load(out / "state.pt", weights_only=True) for out in (whole[1], tmp_path / "run")]
    assert states[1]["machine"] == states[0]["machine"] + ", bfloat16"


def test_each_precision_has_a_trunk_and_a_state_of_its_own(whole, data, tmp_path):
    out = shutil.copytree(whole[1], tmp_path / "run")
    with pytest.raises(ValueError, match=r"expected the state of .*bfloat16, images \w+, seed 5, got that of "):
        train("cnnf-digits", 5, out, half=True, data=data)
    half = train("cnnf-digits", 5, tmp_path / "half" / "run", half=True, data=data)
    for trunk in whole[1].parent.glob("trunk-*"):
        shutil.copy(trunk, tmp_path / "half")
    again = train("cnnf-digits", 5, tmp_path / "half" / "again", half=True, data=data)
    assert torch.equal(weights(again), weights(half))
