"""The optimisers that recipes name."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from neurocnnf.recipes import Recipe
from neurocnnf.unrolled import UnrolledModel


class MuonOfKernels:
    """Muon for convolutions' kernels, AdamW for all else, with the surface of one optimiser.

    Muon (Jordan et al. 2024; `torch.optim.Muon`) takes matrices: a kernel (out, in, y, x) is handed over as
    (out, in · y · x) on the same storage, so that neither is ever copied.

    Parameters
    ----------
    parameters
        Of the model; kernels contiguous.
    learning_rate, weight_decay
        Of both; Muon's rate is matched to AdamW's size of update.
    """

    def __init__(self, parameters: list[nn.Parameter], learning_rate: float, weight_decay: float):
        settings: dict[str, Any] = {"lr": learning_rate, "weight_decay": weight_decay}
        self._pairs: list[tuple[nn.Parameter, nn.Parameter]] = []  # matrix, kernel
        self._muon = torch.optim.Muon(self._take_kernels(parameters), adjust_lr_fn="match_rms_adamw", **settings)
        self._adamw = torch.optim.AdamW([p for p in parameters if p.ndim != 4], fused=True, **settings)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Groups of both."""
        return [*self._muon.param_groups, *self._adamw.param_groups]

    @property
    def state(self) -> dict[torch.Tensor, Any]:
        """State of both, by parameter."""
        return {**self._muon.state, **self._adamw.state}

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Take more parameters: kernels to Muon, the others to AdamW."""
        if matrices := self._take_kernels(group["params"]):
            self._muon.add_param_group({"params": matrices})
        if others := [p for p in group["params"] if p.ndim != 4]:
            self._adamw.add_param_group({"params": others})

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for _, kernel in self._pairs:
            kernel.grad = None
        self._adamw.zero_grad()

    def step(self) -> None:
        """Take one step of both."""
        for matrix, kernel in self._pairs:
            if matrix.data_ptr() != kernel.data_ptr():
                raise RuntimeError("MuonOfKernels: expected kernels where they were, got moved ones. Make it anew.")
            matrix.grad = None if kernel.grad is None else kernel.grad.view(matrix.shape)
        self._muon.step()
        self._adamw.step()

    def _take_kernels(self, parameters: list[nn.Parameter]) -> list[nn.Parameter]:
        pairs = [(nn.Parameter(p.detach().view(len(p), -1)), p) for p in parameters if p.ndim == 4]
        self._pairs += pairs
        return [matrix for matrix, _ in pairs]

    def state_dict(self) -> dict[str, Any]:
        """Return the state of both."""
        return {"muon": self._muon.state_dict(), "adamw": self._adamw.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the state of both."""
        self._muon.load_state_dict(state["muon"])
        self._adamw.load_state_dict(state["adamw"])


Optimiser = torch.optim.Optimizer | MuonOfKernels


def make_optimiser(model: UnrolledModel, recipe: Recipe) -> Optimiser:
    """Return the recipe's optimiser, of the trunk's weights alone; what a recurrence adds joins later."""
    trunk = list(model.levels.parameters())
    if recipe.optimiser == "muon":
        return MuonOfKernels(trunk, recipe.learning_rate, recipe.weight_decay)
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(trunk, recipe.learning_rate, momentum=0.9, weight_decay=recipe.weight_decay)
    return torch.optim.AdamW(trunk, recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
