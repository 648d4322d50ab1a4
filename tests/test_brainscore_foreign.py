"""Brain-Score's models in our benchmarks."""

import functools
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks import load_benchmark
from benchmarks.brainscore import BrainModelAdapter, foreign, register
from benchmarks.brainscore.image_files import written
from benchmarks.inputs import as_model
from benchmarks.neural_predictivity import NeuralPredictivity
from benchmarks.simulated import digits_stimuli, simulated_session
from neurocnnf import StepClock, load_model
from neurocnnf.datastore import DataStore
from neurocnnf.record import each_layer


def few_sessions(model, n_steps, each_layer, **_):
    stimuli = digits_stimuli(40)
    layer = model.layer_names[-1]
    activations = each_layer(model, stimuli, [layer], n_steps)
    rng = np.random.default_rng(0)
    for animal in ("A", "B"):
        yield animal, simulated_session(
            activations, layer, n_steps, 6, 0.3, rng, stimuli=stimuli, animal=f"simulated animal {animal}"
        )


FEW = NeuralPredictivity("simulated.few-ridge", (), few_sessions, simulated=True, quick=True)


def wrapped_module():
    from brainscore_vision.model_helpers.activations.pytorch import PytorchWrapper
    from brainscore_vision.model_helpers.brain_transformation import ModelCommitment
    from PIL import Image

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 5))

    def read(paths):
        images = [np.float32(Image.open(path).convert("RGB").resize((8, 8))) / 255 for path in paths]
        return np.stack(images).transpose(0, 3, 1, 2)

    activations = PytorchWrapper(identifier="small", model=module, preprocessing=read)
    regions = {"V1": "0", "V2": "1", "V4": "1", "IT": "3"}
    return module, read, ModelCommitment("small", activations, ["0", "1", "3"], region_layer_map=regions)


def test_a_module_wrapped_by_model_commitment_is_scored_by_our_benchmark():
    *_, committed = wrapped_module()
    score = FEW(committed)
    assert score.model == "small"
    assert set(score.per_step["layer"]) == {"V1", "V2", "V4", "IT"}
    assert set(score.per_step["step"]) == {0}
    assert score.value > 0.5  # the recordings are simulated from its IT layer
    assert score.simulated


def test_what_is_recorded_is_what_the_module_computes(tmp_path):
    module, read, committed = wrapped_module()
    stimuli = digits_stimuli(5)
    shown = written(stimuli, tmp_path)
    with torch.no_grad():
        expected = module(torch.from_numpy(read([shown.get_stimulus(one) for one in shown["stimulus_id"]]))).numpy()
    found = foreign(committed).each_layer(stimuli, ["IT"], 0)["IT"]
    np.testing.assert_allclose(found, expected[None], atol=1e-5)


def test_the_pixels_model_is_scored_by_a_listed_benchmark():
    register()
    import brainscore_vision

    score = replace(FEW)(brainscore_vision.load_model("pixels"), layers=("IT",))
    assert score.model == "pixels"
    assert score.raw > 0.5


def test_time_bins_are_steps_and_agree_with_our_own_recording():
    model, stimuli, clock = load_model("cnnf-digits"), digits_stimuli(6), StepClock(70, 20)
    bins = [(int(start), int(end)) for start, end in clock.time_bins(2)]
    other = foreign(BrainModelAdapter(model, clock, n_steps=2), regions=["IT"], time_bins=bins)
    assert other.recurrent
    found = other.each_layer(stimuli, ["IT"], 2)["IT"]
    np.testing.assert_allclose(found, each_layer(model, stimuli, ("fc2",), 2)["fc2"], atol=1e-4)
    with pytest.raises(ValueError, match="n_steps: expected at most 2"):
        other.each_layer(stimuli, ["IT"], 3)


def test_our_own_adapter_gives_back_its_model_unless_it_shows_one_step_alone():
    model = load_model("cnnf-digits")
    assert as_model(BrainModelAdapter(model)) is model
    assert as_model(model) is model
    assert as_model(BrainModelAdapter(model, step=1)).layer_names == ("V1", "V2", "V4", "IT")


def test_our_benchmarks_do_not_import_brain_score_for_models_that_do_not_come_from_it():
    code = (
        "import sys; from benchmarks.inputs import as_model; as_model(object()); import benchmarks.suite;"
        "assert not any(name.startswith('brainscore') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@functools.cache
def _here() -> bool:
    return "NEUROCNNF_DATA" in os.environ and all(
        DataStore().available(name) for name in load_benchmark("kriegeskorte2008.humanIT-rsa").studies
    )


@pytest.mark.skipif("NEUROCNNF_DATA" not in os.environ, reason="NEUROCNNF_DATA does not name a folder of studies")
def test_pixels_on_kriegeskorte2008():
    if not _here():
        pytest.skip("Kriegeskorte et al. (2008) is not there")
    register()
    import brainscore_vision

    pixels = brainscore_vision.load_model("pixels")
    score = load_benchmark("kriegeskorte2008.humanIT-rsa", quick=True)(pixels, layers=("IT",))
    assert score.model == "pixels"
    assert score.n_used == 92
    assert -0.2 < score.raw < 0.3
