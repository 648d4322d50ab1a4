"""The recipes behind the shipped checkpoints: everything that decides the weights but the seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class Attack:
    """How the adversarial half of a batch is made: `neurocnnf.attacks.pgd` through the feedforward sweep.

    Attributes
    ----------
    epsilon, step_size
        On images in [-1, 1].
    n_attack_steps
        Number of gradients.
    """

    epsilon: float
    step_size: float
    n_attack_steps: int = 7


@dataclass(frozen=True)
class Recipe:
    """How one model is trained.

    A CNN-F and its feedforward control begin with the *same* feedforward batches (same weights, same images) and part
    after `feedforward_batches`: the CNN-F goes on with its feedback switched on, the control without. Both take the
    same number of optimiser steps on the same augmented images; the CNN-F's steps cost more multiply-adds.

    Attributes
    ----------
    model, data, augmentation
        What `build_model`, `load_training_set` and `augment` take.
    feedforward_batches, feedback_batches
        Optimiser steps before and after the two part.
    n_steps
        Feedback passes of a batch of the second part, whose loss counts every step alike; 0 for the control.
    drawn_batches
        So many batches of the second part, the first ones, take 1 … `n_steps` passes, drawn evenly: where the
        feedforward part has gone far, answers after many passes are at first too wrong to learn from.
    learning_rate
        Its peak. First part: linear warm-up over 100 batches, then linear decay to 40 %; second part, with smaller
        batches: linear from 25 % to 0.
    reconstruction_weight
        Of the reconstruction error in the loss; λ_mse of Huang et al. (2020), supplement C.
    reconstructed
        "feature": the error of the reconstruction at `feedback_to`; "blocks": the mean over the model's
        `predicted_layers`, as the authors' scripts have it; "relative": that mean, each error over the mean square of
        what is predicted, for layers of different scales.
    attack
        Where given, each batch of the second part is doubled by adversarial images, and the reconstruction of those is
        compared with the clean features.
    clean_weight
        λ_clean, of the clean half of such a batch.
    optimiser
        "adamw"; "muon" for the convolutions' kernels and AdamW for all else (`neurocnnf.optimisers`), which takes far
        fewer batches; or "sgd" with momentum 0.9 and a rate that decays polynomially (power 0.9), the authors'.
    """

    model: str
    data: str
    augmentation: str
    feedforward_batches: int
    feedback_batches: int
    n_steps: int
    drawn_batches: int = 0
    batch_size: int = 128
    feedback_batch_size: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    reconstruction_weight: float = 0.1
    gradient_clip: float = 1.0
    reconstructed: Literal["feature", "blocks", "relative"] = "feature"
    attack: Attack | None = None
    clean_weight: float = 1.0
    optimiser: str = "adamw"

    @property
    def batches(self) -> int:
        """All optimiser steps."""
        return self.feedforward_batches + self.feedback_batches

    def feedforward_key(self) -> str:
        """Return a name of all that decides the first part: data, and a hash of the rest."""
        size = self.feedforward_batches, self.batch_size
        pace = self.learning_rate, self.weight_decay, self.gradient_clip, self.optimiser
        whole = (self.batches,) if self.optimiser == "sgd" else ()  # over which its rate decays from the beginning on
        ours = repr((self.model.partition("-")[2], self.augmentation, *size, *pace, *whole))
        return f"{self.data}-{hashlib.sha256(ours.encode()).hexdigest()[:8]}"

    def batch_size_at(self, batch: int) -> int:
        """Return the number of images of one optimiser step."""
        return self.batch_size if batch < self.feedforward_batches else self.feedback_batch_size

    def rate(self, batch: int) -> float:
        """Return the learning rate of one optimiser step."""
        if self.optimiser == "sgd":
            return self.learning_rate * (1 - batch / self.batches) ** 0.9
        if batch < self.feedforward_batches:
            warm = min(1.0, (batch + 1) / 100)
            return self.learning_rate * warm * (1 - 0.6 * batch / self.feedforward_batches)
        done = (batch - self.feedforward_batches) / self.feedback_batches
        return self.learning_rate * 0.25 * (1 - done)


_MNIST = Recipe("cnnf-fashion", "mnist", "shift", 420, 600, 5)
# Half the paper's channels and a narrow head, so that every control can be trained, and attacked, three times over.
_MNIST_SMALL = Recipe("cnnf-fashion-small", "mnist", "shift", 600, 600, 5)
_CIFAR_GRAY = Recipe("cnnf-fashion", "cifar-gray", "flip", 1600, 2600, 5, drawn_batches=1400)
# Twelve epochs, and one more of smaller batches, so that every control can be trained and scored three times over.
_CIFAR_GRAY_SMALL = Recipe(
    "cnnf-fashion-small", "cifar-gray", "flip", 4680, 1560, 5, drawn_batches=780, learning_rate=4e-3
)
_DIGITS = Recipe("cnnf-digits", "digits", "shift", 600, 1000, 5, batch_size=64)
# Wide ResNets begin with 15 epochs, and take 6 more with the paper's two passes, of adversarial images or none.
_CIFAR10 = Recipe(
    "cnnf-wrn-40-2", "cifar10", "crop-flip", 2925, 1170, 2, drawn_batches=585, batch_size=256, feedback_batch_size=256,
    learning_rate=3e-3, weight_decay=0.05,
)  # fmt: skip
# The narrowest of them, for processors: ten epochs of small batches, and one and a half more. Its features have a mean
# square of 100, where nothing holds their scale: the reconstruction error weighs as much less.
_CIFAR10_SMALL = Recipe(
    "cnnf-wrn-16-1", "cifar10", "crop-flip", 7800, 1170, 2, drawn_batches=585, batch_size=64, feedback_batch_size=64,
    learning_rate=0.02, optimiser="muon", reconstruction_weight=0.001,
)  # fmt: skip
_FASHION_ATTACK, _CIFAR_ATTACK = Attack(0.2, 0.071), Attack(0.063, 0.02)
# The authors' scripts for Fashion-MNIST: 200 epochs of 256 images from scratch.
_PAPER = Recipe(
    "cnnf-fashion", "fashion-mnist", "none", 0, 46800, 1, feedback_batch_size=256, learning_rate=0.05,
    weight_decay=5e-4, gradient_clip=0.5, reconstructed="blocks", attack=_FASHION_ATTACK, clean_weight=0.1,
    optimiser="sgd",
)  # fmt: skip
_BASES = {
    "mnist": _MNIST,
    "fashion-mnist": replace(_MNIST, data="fashion-mnist"),
    "cifar-gray": _CIFAR_GRAY,
    "cifar-gray-small": _CIFAR_GRAY_SMALL,
    "digits": _DIGITS,
    "cifar10": _CIFAR10,
    "mnist-adversarial": replace(
        _MNIST, n_steps=1, feedback_batches=1880, feedback_batch_size=128, reconstructed="blocks",
        attack=_FASHION_ATTACK, clean_weight=0.1,
    ),
    "mnist-small": _MNIST_SMALL,
    "mnist-small-adversarial": replace(
        _MNIST_SMALL, n_steps=1, feedback_batch_size=128, reconstructed="blocks", attack=_FASHION_ATTACK,
        clean_weight=0.1,
    ),
    "cifar10-adversarial": replace(
        _CIFAR10, reconstructed="blocks", attack=_CIFAR_ATTACK, clean_weight=0.05, drawn_batches=300
    ),
    "cifar10-small": _CIFAR10_SMALL,
    "cifar10-small-adversarial": replace(
        _CIFAR10_SMALL, feedback_batches=780, reconstructed="blocks", attack=_CIFAR_ATTACK, clean_weight=0.05,
        drawn_batches=200,
    ),
    "fashion-mnist-adversarial": _PAPER,
}  # fmt: skip
_RECURRENT = ("lateral", "predictive", "untied", "ungated", "shuffled")
_COMPARED = ("mnist-small", "cifar-gray-small", "cifar10-small")  # in these, with every control


def _of_kind(kind: str, recipe: Recipe) -> Recipe:
    """Return the recipe of another model; all else stays as it is, but for how predictive coding's errors count."""
    trunk = recipe.model.partition("-")[2]
    if kind in ("cnn", "wide"):
        return replace(recipe, model=f"cnn-{trunk}" if kind == "cnn" else f"cnn-wide-{trunk}", n_steps=0)
    recipe = replace(recipe, model=f"{kind}-{trunk}")
    if kind != "predictive":
        return recipe
    if "-wrn-" in recipe.model:
        # Layers of a wide ResNet come apart in scale, from mean squares of .3 (pixels) and 1 (stem) to 100; the errors
        # relative to those want the weight that serves where features are normalised.
        return replace(recipe, reconstructed="relative", reconstruction_weight=Recipe.reconstruction_weight)
    return replace(recipe, reconstructed="blocks")


RECIPES: dict[str, Recipe] = {
    f"{kind}-{base}": _of_kind(kind, recipe)
    for base, recipe in _BASES.items()
    for kind in ("cnnf", "cnn", *(("wide", *_RECURRENT) if base in _COMPARED else ()))
}


def find_recipe(name: str | Recipe) -> Recipe:
    """Return a recipe by name, or raise ValueError listing the names; a recipe of one's own is returned as it is."""
    if isinstance(name, Recipe):
        return name
    if name not in RECIPES:
        raise ValueError(f"recipe: expected one of {', '.join(RECIPES)}, got {name!r}. Choose one of them.")
    return RECIPES[name]
