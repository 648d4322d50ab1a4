"""Recipes exist in pairs that differ in nothing but the feedback."""

from dataclasses import replace

import pytest

from neurocnnf.architectures import architecture_names
from neurocnnf.augmentation import AUGMENTATIONS
from neurocnnf.images import TRAINING_SETS
from neurocnnf.recipes import RECIPES, Recipe, find_recipe


def test_control_recipes_differ_in_nothing_but_the_feedback():
    for data in ("mnist", "cifar-gray", "digits"):
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
        assert name == f"{recipe.model.split('-')[0]}-{recipe.data}"
        assert recipe.drawn_batches <= recipe.feedback_batches
        assert find_recipe(name) is recipe


def test_an_unknown_recipe_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"recipe: expected one of cnnf-mnist, .*, got 'cnnf-imagenet'. Choose"):
        find_recipe("cnnf-imagenet")
