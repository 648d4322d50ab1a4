"""Kernels follow Muon on matrices, all else AdamW; a training that stops goes on as if it had not."""

from dataclasses import replace

import pytest
import torch

from neurocnnf import build_model
from neurocnnf.optimisers import MuonOfKernels, make_optimiser
from neurocnnf.recipes import Recipe
from neurocnnf.train import train

RECIPE = Recipe(
    "cnnf-digits", "digits", "shift", 3, 4, 2, batch_size=8, feedback_batch_size=4, learning_rate=0.02,
    optimiser="muon",
)  # fmt: skip


def gradients(model, batch):
    generator = torch.Generator().manual_seed(batch)
    return [torch.randn(p.shape, generator=generator) for p in model.parameters()]


def test_kernels_move_as_matrices_under_muon_and_the_rest_as_under_adamw():
    model = build_model("cnnf-digits", seed=3)
    start = [p.detach().clone() for p in model.parameters()]
    ours = make_optimiser(model, RECIPE)
    matrices = [torch.nn.Parameter(p.flatten(1).clone()) if p.ndim == 4 else None for p in start]
    others = [torch.nn.Parameter(p.clone()) if p.ndim != 4 else None for p in start]
    muon = torch.optim.Muon([p for p in matrices if p is not None], 0.02, 0.02, adjust_lr_fn="match_rms_adamw")
    adamw = torch.optim.AdamW([p for p in others if p is not None], 0.02, weight_decay=0.02)
    for batch in range(3):
        moved = zip(model.parameters(), matrices, others, gradients(model, batch), strict=True)
        for p, matrix, other, gradient in moved:
            p.grad = gradient.clone()
            (other if matrix is None else matrix).grad = gradient.flatten(1) if matrix is not None else gradient
        ours.step()
        muon.step()
        adamw.step()
    for p, before, matrix, other in zip(model.parameters(), start, matrices, others, strict=True):
        expected = other if matrix is None else matrix.view(p.shape)
        torch.testing.assert_close(p.detach(), expected.detach(), rtol=1e-5, atol=1e-6)
        assert not torch.equal(p.detach(), before)


def test_forgotten_gradients_move_nothing():
    model = build_model("cnnf-digits", seed=3)
    optimiser = MuonOfKernels(list(model.parameters()), 0.02, 0.0)
    for p, gradient in zip(model.parameters(), gradients(model, 0), strict=True):
        p.grad = gradient
    before = [p.detach().clone() for p in model.parameters()]
    optimiser.zero_grad()
    optimiser.step()
    assert all(torch.equal(p.detach(), kept) for p, kept in zip(model.parameters(), before, strict=True))


def test_kernels_that_join_later_are_under_muon_too():
    model = build_model("lateral-digits", seed=3)
    optimiser = make_optimiser(model, RECIPE)
    own = [p for name, p in model.named_parameters() if not name.startswith("levels.")]
    optimiser.add_param_group({"params": own})
    kernels = [p for p in model.parameters() if p.ndim == 4]
    held = [p for group in optimiser.param_groups for p in group["params"]]
    under_muon = {p.data_ptr() for group in optimiser.param_groups if "ns_steps" in group for p in group["params"]}
    assert under_muon == {k.data_ptr() for k in kernels}
    assert len(held) == len(list(model.parameters()))


def test_kernels_that_were_moved_are_noticed():
    model = build_model("cnnf-digits", seed=3)
    optimiser = make_optimiser(model, RECIPE)
    model.double()
    with pytest.raises(RuntimeError, match="got moved ones"):
        optimiser.step()


class Stop(Exception):
    """Somebody pulls the plug."""


@pytest.mark.parametrize("stopped_after", [2, 6])
@pytest.mark.parametrize("model", ["cnnf-digits", "lateral-digits"])  # lateral brings kernels of its own
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, monkeypatch, model, stopped_after):
    monkeypatch.setattr("neurocnnf.train.SAVE_EVERY", 2)
    recipe = replace(RECIPE, model=model)
    generator = torch.Generator().manual_seed(1)
    data = torch.rand((20, 1, 16, 16), generator=generator) * 2 - 1, torch.randint(0, 10, (20,), generator=generator)
    whole = train(recipe, 5, tmp_path / "whole" / "run", data=data)

    def progress(what, done, total):
        if done == stopped_after:
            raise Stop

    with pytest.raises(Stop):
        train(recipe, 5, tmp_path / "broken" / "run", data=data, progress=progress)
    resumed = train(recipe, 5, tmp_path / "broken" / "run", data=data)
    for ours, theirs in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_first_part_of_another_optimiser_is_another():
    assert RECIPE.feedforward_key() != replace(RECIPE, optimiser="adamw").feedforward_key()


def test_the_first_part_of_sgd_depends_on_the_whole_length_over_which_its_rate_decays():
    short = replace(RECIPE, optimiser="sgd")
    long = replace(short, feedback_batches=300)
    assert short.rate(1) != long.rate(1)
    assert short.feedforward_key() != long.feedforward_key()
    assert RECIPE.rate(1) == replace(RECIPE, feedback_batches=300).rate(1)
    assert RECIPE.feedforward_key() == replace(RECIPE, feedback_batches=300).feedforward_key()
