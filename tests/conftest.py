"""Fixtures shared by all tests."""

import itertools
import os
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="session")
def studies():
    """Give a store of the real studies, or skip where they are not at hand."""
    if not os.environ.get("NEUROCNNF_DATA"):
        pytest.skip("needs the real studies: set NEUROCNNF_DATA to the folder that holds them")
    from neurocnnf.datastore import DataStore

    return DataStore()


@pytest.fixture(scope="session")
def awake():
    """Give kind -> a small model in double precision whose weights all matter: what begins at zero is drawn.

    On another trunk than the digits', where one is named.
    """
    import torch

    from neurocnnf import build_model

    def build(kind, trunk="digits", seed=3, **options):
        model = build_model(f"{kind}-{trunk}", seed=seed, **options).double()
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                if not parameter.any():
                    parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
        return model

    return build


@pytest.fixture(scope="session")
def some_images():
    """Give n -> images (image, channel, y, x) in [-1, 1], in double precision, of the size that the trunk takes."""
    import torch

    from neurocnnf.architectures import TRUNKS

    def draw(n=4, seed=1, trunk="digits"):
        generator = torch.Generator().manual_seed(seed)
        shape = n, TRUNKS[trunk].channels, TRUNKS[trunk].image_size, TRUNKS[trunk].image_size
        return torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1

    return draw


@pytest.fixture
def read_curves(monkeypatch):
    """Give folder -> {tag: [(batch, value)]}, as TensorBoard reads its events there.

    It takes files in the order of their names, which begin with the second: here, no two logs begin in the same one.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.summary.writer import event_file_writer

    seconds = itertools.count(1_700_000_000)
    monkeypatch.setattr(event_file_writer, "time", SimpleNamespace(time=lambda: next(seconds)))

    def read(folder):
        events = EventAccumulator(str(folder)).Reload()
        return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}

    return read
