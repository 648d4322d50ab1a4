"""One optimiser step: the loss of a batch as it is written down, what it sees, and what it looks at."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from neurocnnf import build_model
from neurocnnf.attacks import pgd
from neurocnnf.optimisers import make_optimiser
from neurocnnf.recipes import Attack, Recipe
from neurocnnf.train import _batch_index, train, train_batch

RECIPE = Recipe(
    "cnnf-digits", "digits", "none", feedforward_batches=3, feedback_batches=3, n_steps=2, batch_size=8,
    feedback_batch_size=20,
)  # fmt: skip
N_IMAGES = RECIPE.feedback_batch_size  # every image, in some order


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(1)
    images = torch.rand((N_IMAGES, 1, 16, 16), generator=generator) * 2 - 1
    return images, torch.randint(0, 10, (N_IMAGES,), generator=generator)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize(
    ("reconstructed", "layers"),
    [("feature", ["pixels"]), ("blocks", None), ("relative", None)],
)
def test_the_loss_adds_the_errors_of_what_the_recipe_reconstructs(awake, data, reconstructed, layers):
    recipe = replace(
        RECIPE, model="predictive-digits", feedforward_batches=0, reconstructed=reconstructed, reconstruction_weight=0.3
    )
    images, labels = data[0].double(), data[1]
    model = awake("predictive")
    first, *later = model.steps(images, 2, layers=model.layer_names, predictions=True)
    errors = []
    for layer in layers or ("pixels", "block1", "block2", "block3"):
        target = images if layer == "pixels" else first.activations[layer]
        squares = torch.stack([(step.predictions[layer] - target).square().mean() for step in later]).mean()
        errors.append((squares / target.square().mean() if reconstructed == "relative" else squares).item())
    cross_entropy = sum(F.cross_entropy(step.logits, labels).item() for step in (first, *later)) / 3
    error = sum(errors) / len(errors)
    row = train_batch(model, make_optimiser(model, recipe), recipe, images, labels, 5, 0)
    assert len(row["accuracies"]) == 3
    assert row["reconstruction_error"] == pytest.approx(error, abs=1e-5)
    assert row["loss"] == pytest.approx(cross_entropy + 0.3 * error, abs=1e-5)


def test_one_batch_is_one_step_on_the_loss_as_it_is_written_down_with_its_gradient_clipped(data):
    # The gradient is longer than the clip.
    recipe = replace(RECIPE, gradient_clip=0.1)
    images, labels = data
    ours, slow = build_model("cnnf-digits", seed=5), build_model("cnnf-digits", seed=5)
    batch = 4
    row = train_batch(ours, torch.optim.SGD(ours.parameters(), 1.0), recipe, images, labels, 5, batch)

    trajectory = slow.unroll(images, 2)
    answers = F.log_softmax(trajectory.logits, -1)
    cross_entropy = -sum(answers[t, i, labels[i]] for t in range(3) for i in range(N_IMAGES)) / (3 * N_IMAGES)
    feature = trajectory.activation("block2", 0).detach()
    error = sum((r - feature).square().mean() for r in trajectory.reconstructions) / 2
    loss = cross_entropy + recipe.reconstruction_weight * error
    loss.backward()
    gradient = torch.cat([p.grad.flatten() for p in slow.parameters()])
    assert gradient.norm() > 0.2
    rate = 2e-3 * 0.25 * (1 - 1 / 3)

    assert row["loss"] == pytest.approx(loss.item(), abs=2e-5)
    assert row["reconstruction_error"] == pytest.approx(error.item(), abs=2e-5)
    assert row["accuracies"][-1] == pytest.approx(
        (trajectory.logits[-1].argmax(-1) == labels).float().mean().item(), abs=2e-5
    )
    assert len(row["accuracies"]) == 3
    moved = weights(ours).double() - weights(slow).double()
    expected = -rate * 0.1 * gradient / gradient.norm()
    torch.testing.assert_close(moved, expected.double(), rtol=1e-3, atol=3e-8)  # float32 weights, near 1


def test_one_batch_of_attacked_images_is_one_step_on_the_papers_loss(data):
    # Both halves' cross-entropy at every step, and the attacked half's reconstruction compared with clean features.
    attack = Attack(epsilon=0.3, step_size=0.1, n_attack_steps=2)
    recipe = replace(RECIPE, attack=attack, clean_weight=0.3)
    images, labels = data
    ours, slow = build_model("cnnf-digits", seed=5), build_model("cnnf-digits", seed=5)
    batch = 4
    row = train_batch(ours, torch.optim.SGD(ours.parameters(), 1.0), recipe, images, labels, 5, batch)

    order = _batch_index(N_IMAGES, recipe, 5, batch)
    clean, answers = images[order], labels[order]
    generator = torch.Generator().manual_seed(5 * 1_000_003 + batch)
    attacked = pgd(slow, clean, answers, epsilon=0.3, step_size=0.1, n_attack_steps=2, generator=generator)
    assert 0.1 < (attacked - clean).abs().max() <= 0.3 + 1e-6
    of_clean, of_attacked = slow.unroll(clean, 2), slow.unroll(attacked, 2)
    entropy = [
        F.cross_entropy(trajectory.logits.flatten(0, 1), answers.repeat(3)) for trajectory in (of_clean, of_attacked)
    ]
    feature = of_clean.activation("block2", 0).detach()
    error = sum((r - feature).square().mean() for r in of_attacked.reconstructions) / 2
    assert row["reconstruction_error"] == pytest.approx(error.item(), rel=1e-4)
    loss = (0.3 * entropy[0] + entropy[1]) / 2 + recipe.reconstruction_weight * error
    assert row["loss"] == pytest.approx(loss.item(), rel=1e-4)
    right = [(step.argmax(-1) == answers).float().mean().item() for step in of_clean.logits]
    assert row["accuracies"] == pytest.approx(right)


def whole_images(images, n_steps, generator):
    return images.expand(n_steps, -1, -1, -1, -1)


@pytest.mark.parametrize("kind", ["cnnf", "lateral", "predictive"])
def test_a_look_at_the_whole_image_at_every_step_is_ordinary_training(kind, tmp_path, data):
    recipe = replace(RECIPE, model=f"{kind}-digits", augmentation="shift", feedback_batch_size=4)
    ordinary = train(recipe, 5, tmp_path / "ordinary" / "run", data=data)
    looking = train(recipe, 5, tmp_path / "looking" / "run", data=data, look=whole_images)
    torch.testing.assert_close(weights(looking), weights(ordinary), rtol=1e-3, atol=1e-5)
    assert not torch.allclose(weights(ordinary), weights(build_model(f"{kind}-digits", seed=5)), atol=1e-3)


def test_a_feedforward_control_learns_from_each_look_alone(data):
    # Two looks at half an image each: the loss is the mean over both of the plain network's.
    recipe = replace(RECIPE, n_steps=1, model="cnn-digits")
    images, labels = data
    left, right = torch.ones_like(images), torch.ones_like(images)
    left[..., 8:], right[..., :8] = 0, 0

    def halves(seen, n_steps, generator):
        return torch.stack([seen * left[: len(seen)], seen * right[: len(seen)]])

    model = build_model("cnn-digits", seed=5)
    expected = torch.stack([F.cross_entropy(model(images * half), labels) for half in (left, right)]).mean()
    row = train_batch(model, torch.optim.SGD(model.parameters()), recipe, images, labels, 5, 4, look=halves)
    assert row["loss"] == pytest.approx(expected.item(), abs=2e-5)
    assert row["reconstruction_error"] == 0


def test_reconstructions_are_to_be_of_the_whole_image_whatever_the_look(data):
    images, labels = data
    model = build_model("cnnf-digits", seed=5)
    views = images * torch.tensor([1.0, 0.5, -0.5]).reshape(3, 1, 1, 1, 1)

    def dimmer(seen, n_steps, generator):
        return seen * torch.tensor([1.0, 0.5, -0.5]).reshape(3, 1, 1, 1, 1)

    feature = model.unroll(images, 0).activation("block2", 0).detach()
    outs = list(model.steps(views, 2))
    error = torch.stack([(out.reconstruction - feature).square().mean() for out in outs[1:]]).mean()
    row = train_batch(model, torch.optim.SGD(model.parameters()), RECIPE, images, labels, 5, 4, look=dimmer)
    assert row["reconstruction_error"] == pytest.approx(error.item(), abs=2e-5)


def test_an_epoch_shows_each_image_at_most_once_and_the_next_one_in_another_order(data):
    recipe = replace(RECIPE, feedforward_batches=10, n_steps=0)
    images, labels = data
    seen = []

    class Spy(torch.nn.Module):
        predicted_layers, dtype = (), torch.float32

        def __init__(self):
            super().__init__()
            self.inner = build_model("cnn-digits")

        def steps(self, given, n_steps, **kwargs):
            seen.append([next(i for i, image in enumerate(images) if torch.equal(image, g)) for g in given])
            return self.inner.steps(given, n_steps)

    spy = Spy()
    optimiser = torch.optim.SGD(spy.parameters())
    for batch in range(6):
        train_batch(spy, optimiser, recipe, images, labels, 5, batch)
    epochs = [seen[0] + seen[1], seen[2] + seen[3], seen[4] + seen[5]]
    assert all(len(set(epoch)) == 16 for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_gradient_that_is_not_finite_is_refused_before_it_reaches_the_weights(data):
    model = build_model("cnnf-digits", seed=5)
    next(model.parameters()).register_hook(lambda gradient: gradient * float("inf"))
    before = weights(model)
    with pytest.raises(FloatingPointError, match=r"expected a finite loss and gradient, got 2\.\d+ and one of"):
        train_batch(model, torch.optim.SGD(model.parameters()), RECIPE, *data, 5, 4)
    assert torch.equal(weights(model), before)
