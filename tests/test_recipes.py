"""Recipes exist in pairs that differ in nothing but the feedback, and each can be trained."""

import csv
import shutil
from dataclasses import replace

import pytest
import torch

from neurocnnf import build_model, list_models, load_model
from neurocnnf.architectures import architecture_names
from neurocnnf.augmentation import AUGMENTATIONS
from neurocnnf.images import TRAINING_SETS
from neurocnnf.recipes import RECIPES, Attack, Recipe, find_recipe
from neurocnnf.train import train


def test_control_recipes_differ_in_nothing_but_the_feedback():
    pairs = [name for name in RECIPES if name.startswith("cnnf-") and not name.endswith("-adversarial")]
    assert len(pairs) == 8
    for data in (name.partition("-")[2] for name in pairs):
        cnnf, control = RECIPES[f"cnnf-{data}"], RECIPES[f"cnn-{data}"]
        assert replace(control, model=cnnf.model, n_steps=cnnf.n_steps) == cnnf
        assert (cnnf.n_steps > 0, control.n_steps) == (True, 0)
        assert (cnnf.model[:5], control.model[:4]) == ("cnnf-", "cnn-")


def test_the_learning_rate_follows_its_description():
    recipe = Recipe(
        "cnnf-digits", "digits", "shift", 400, 200, 2, batch_size=8, feedback_batch_size=4, learning_rate=1.0
    )
    assert recipe.batches == 600
    assert recipe.rate(0) == pytest.approx(0.01)
    assert recipe.rate(99) == pytest.approx(1 - 0.6 * 99 / 400)
    assert recipe.rate(399) == pytest.approx(0.4, abs=0.002)
    assert recipe.rate(400) == 0.25
    assert recipe.rate(500) == pytest.approx(0.125)
    assert 0 < recipe.rate(599) < 0.002
    assert [recipe.batch_size_at(b) for b in (0, 399, 400)] == [8, 8, 4]


def test_recipes_name_things_that_exist():
    for name, recipe in RECIPES.items():
        assert recipe.model in architecture_names()
        assert recipe.data in TRAINING_SETS
        assert recipe.augmentation in AUGMENTATIONS
        kind, _, rest = name.partition("-")
        # A wide model is a feedforward one, on a trunk of another width.
        assert recipe.model.startswith("cnn-wide-" if kind == "wide" else f"{kind}-")
        size = "-small" if recipe.model.endswith(("wrn-16-1", "fashion-small")) else ""
        assert rest.removesuffix("-adversarial") == recipe.data + size
        assert (recipe.attack is not None) == name.endswith("-adversarial")
        assert recipe.drawn_batches <= recipe.feedback_batches
        assert find_recipe(name) is recipe


@pytest.mark.parametrize("data", ["mnist-small", "cifar-gray-small", "cifar10-small"])
@pytest.mark.parametrize("kind", ["lateral", "predictive", "untied", "ungated", "shuffled"])
def test_recurrent_controls_train_as_cnnf_does_from_the_same_trunk(kind, data):
    cnnf, control = RECIPES[f"cnnf-{data}"], RECIPES[f"{kind}-{data}"]
    assert control.model == cnnf.model.replace("cnnf-", f"{kind}-")
    # Predictive coding predicts every layer, where CNN-F reconstructs one: how its errors count is its own.
    errors = ("reconstructed", "reconstruction_weight") if kind == "predictive" else ()
    assert replace(control, model=cnnf.model, **{field: getattr(cnnf, field) for field in errors}) == cnnf
    if kind == "predictive":
        assert (control.reconstructed, control.reconstruction_weight) == (
            "relative" if data == "cifar10-small" else "blocks", 0.1,
        )  # fmt: skip
    assert control.feedforward_key() == cnnf.feedforward_key()


@pytest.mark.parametrize("data", ["mnist-small", "cifar-gray-small", "cifar10-small"])
def test_the_wide_control_trains_as_the_feedforward_one_does(data):
    wide, control = RECIPES[f"wide-{data}"], RECIPES[f"cnn-{data}"]
    assert wide.model == control.model.replace("cnn-", "cnn-wide-")
    assert replace(wide, model=control.model) == control


@pytest.mark.parametrize("name", list_models())
def test_shipped_cards_tell_the_recipe_of_their_name(name):
    # Cards made before a field existed mean its default.
    told = load_model(name).card["recipe"]
    attack = told.get("attack") and Attack(**told["attack"])
    assert Recipe(**{**told, "attack": attack}) == find_recipe(name.partition("-seed")[0])


def test_the_papers_recipe_is_that_of_the_authors_script():
    paper = RECIPES["cnnf-fashion-mnist-adversarial"]  # the authors' script for Fashion-MNIST
    assert (paper.attack.epsilon, paper.attack.step_size, paper.attack.n_attack_steps) == (0.2, 0.071, 7)
    assert (paper.learning_rate, paper.weight_decay, paper.gradient_clip, paper.feedback_batch_size) == (
        0.05, 5e-4, 0.5, 256,
    )  # fmt: skip
    assert (paper.reconstruction_weight, paper.clean_weight, paper.n_steps) == (0.1, 0.1, 1)
    assert paper.batches == 200 * (60_000 // 256)
    assert [paper.rate(b) for b in (0, 23_400)] == pytest.approx([0.05, 0.05 * 0.5**0.9])


def test_an_unknown_recipe_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"recipe: expected one of cnnf-mnist, .*, got 'cnnf-imagenet'. Choose"):
        find_recipe("cnnf-imagenet")


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_takes_a_batch_of_each_part(tmp_path, name):
    recipe = RECIPES[name]
    attack = recipe.attack and replace(recipe.attack, n_attack_steps=1)
    short = replace(
        recipe, feedforward_batches=min(recipe.feedforward_batches, 1), feedback_batches=1, batch_size=2,
        feedback_batch_size=2, drawn_batches=0, attack=attack,
    )  # fmt: skip
    model = build_model(recipe.model, seed=0)
    first, shape = weights(model), (2, model.channels, model.image_size, model.image_size)
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    trained = train(short, 0, tmp_path / "run", data=(images, torch.tensor([3, 7])))
    for trunk in tmp_path.glob("trunk-*.pt"):
        model.load_state_dict(torch.load(trunk, weights_only=True)["model"], strict=False)
        assert not torch.equal(weights(model), first)
    assert torch.isfinite(weights(trained)).all()
    assert not torch.equal(weights(trained), weights(model))
    with (tmp_path / "run" / "log.csv").open() as file:
        steps = [row["n_steps"] for row in csv.DictReader(file)]
    assert steps == ["0"] * short.feedforward_batches + [str(recipe.n_steps)]
    shutil.rmtree(tmp_path)  # states of large models
