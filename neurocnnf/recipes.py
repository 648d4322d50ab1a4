"""The recipes behind the shipped checkpoints: everything that decides the weights but the seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace


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
        Peak of AdamW. First part: linear warm-up over 100 batches, then linear decay to 40 %; second part, with smaller
        batches: linear from 25 % to 0.
    reconstruction_weight
        Of the reconstruction error in the loss; λ_mse of Huang et al. (2020), supplement C.
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

    @property
    def batches(self) -> int:
        """All optimiser steps."""
        return self.feedforward_batches + self.feedback_batches

    def feedforward_key(self) -> str:
        """Return a name of all that decides the first part: data, and a hash of the rest."""
        size = self.feedforward_batches, self.batch_size
        pace = self.learning_rate, self.weight_decay, self.gradient_clip
        ours = repr((self.model.partition("-")[2], self.augmentation, *size, *pace))
        return f"{self.data}-{hashlib.sha256(ours.encode()).hexdigest()[:8]}"

    def batch_size_at(self, batch: int) -> int:
        """Return the number of images of one optimiser step."""
        return self.batch_size if batch < self.feedforward_batches else self.feedback_batch_size

    def rate(self, batch: int) -> float:
        """Return the learning rate of one optimiser step."""
        if batch < self.feedforward_batches:
            warm = min(1.0, (batch + 1) / 100)
            return self.learning_rate * warm * (1 - 0.6 * batch / self.feedforward_batches)
        done = (batch - self.feedforward_batches) / self.feedback_batches
        return self.learning_rate * 0.25 * (1 - done)


_MNIST = Recipe("cnnf-fashion", "mnist", "shift", 420, 600, 5)
_CIFAR_GRAY = Recipe("cnnf-fashion", "cifar-gray", "flip", 1600, 2600, 5, drawn_batches=1400)
_DIGITS = Recipe("cnnf-digits", "digits", "shift", 600, 1000, 5, batch_size=64)


def _control(recipe: Recipe) -> Recipe:
    return replace(recipe, model=recipe.model.replace("cnnf-", "cnn-"), n_steps=0)


RECIPES: dict[str, Recipe] = {
    "cnnf-mnist": _MNIST,
    "cnn-mnist": _control(_MNIST),
    "cnnf-cifar-gray": _CIFAR_GRAY,
    "cnn-cifar-gray": _control(_CIFAR_GRAY),
    "cnnf-digits": _DIGITS,
    "cnn-digits": _control(_DIGITS),
}


def find_recipe(name: str) -> Recipe:
    """Return a recipe by name, or raise ValueError listing the names."""
    if name not in RECIPES:
        raise ValueError(f"recipe: expected one of {', '.join(RECIPES)}, got {name!r}. Choose one of them.")
    return RECIPES[name]
