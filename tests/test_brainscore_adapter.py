"""Our models as Brain-Score's: regions, time bins, tasks and identifiers."""

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.brainscore import BrainModelAdapter
from benchmarks.brainscore.image_files import ImageFiles, written
from benchmarks.brainscore.time_bins import as_bins, step_weights
from benchmarks.simulated import digits_stimuli
from neurocnnf import StepClock, load_model
from neurocnnf.record import each_layer

CLOCK = StepClock(onset_ms=70, ms_per_step=20)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    stimuli = digits_stimuli(12)
    shown = written(stimuli, tmp_path_factory.mktemp("digits"))
    shown["image_label"] = ["odd" if row % 2 else "even" for row in range(12)]
    return stimuli, shown


@pytest.fixture(scope="module")
def model():
    return load_model("cnnf-digits")


def test_a_recording_is_the_layer_at_the_step_of_each_time_bin_for_several_regions_from_one_pass(model, digits):
    stimuli, shown = digits
    passes = []

    def counted(*args):
        passes.append(args)
        return each_layer(*args)

    adapter = BrainModelAdapter(model, CLOCK, regions={"V4": "block3"}, each_layer=counted)
    adapter.start_recording(["V4", "IT"], [(70, 90), (130, 150), (70, 110)])
    found = adapter.look_at(shown)
    direct = each_layer(model, stimuli, ("block3", "fc2"), 5)
    assert len(passes) == 1
    assert found.dims == ("presentation", "neuroid", "time_bin")
    assert list(found["stimulus_id"].values) == list(shown["stimulus_id"])
    assert list(found["image_label"].values) == list(shown["image_label"])
    for region, layer in (("V4", "block3"), ("IT", "fc2")):
        part = found.values[:, found["region"].values == region]
        np.testing.assert_allclose(part[..., 0], direct[layer][0], atol=1e-5)
        np.testing.assert_allclose(part[..., 1], direct[layer][3], atol=1e-5)
        np.testing.assert_allclose(part[..., 2], direct[layer][:2].mean(0), atol=1e-5)
    assert list(found["time_bin_start"].values) == [70, 130, 70]
    assert len(set(found["neuroid_id"].values)) == found.sizes["neuroid"]


def test_each_step_can_be_its_own_model(model, digits):
    stimuli, shown = digits
    adapter = BrainModelAdapter(model, CLOCK, step=3)
    adapter.start_recording("IT", [(0, 10)])
    found = adapter.look_at([shown.get_stimulus(one) for one in shown["stimulus_id"]])
    assert found.dims == ("presentation", "neuroid")
    np.testing.assert_allclose(found.values, each_layer(model, stimuli, ("fc2",), 5)["fc2"][3], atol=1e-5)


def test_bins_are_weighted_by_the_time_that_each_step_fills():
    weights = step_weights([(80, 120)], CLOCK, 2, "error")
    np.testing.assert_allclose(weights, [[0.25, 0.5, 0.25]])
    held = step_weights([(110, 150), (500, 510)], CLOCK, 2, "hold")
    np.testing.assert_allclose(held, [[0, 0, 1], [0, 0, 1]])
    near = step_weights([(0, 10), (60, 90), (120, 300), (500, 510)], CLOCK, 2, "nearest")
    np.testing.assert_allclose(near, [[1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]])
    packed = np.empty((), dtype=object)
    packed[()] = (70, 170)
    assert as_bins([packed, (1, 2)]) == [(70, 170), (1, 2)]


def test_bins_that_the_policy_does_not_allow_are_refused():
    for bins, outside in (([(60, 80)], "hold"), ([(60, 80)], "error"), ([(110, 131)], "error")):
        with pytest.raises(ValueError, match="expected bins within 70 to 130 ms"):
            step_weights(bins, CLOCK, 2, outside)
    with pytest.raises(ValueError, match="expected start < end"):
        step_weights([(90, 90)], CLOCK, 2, "nearest")


def test_labels_are_the_most_probable_of_those_asked_for_at_the_step_asked_for(model, digits):
    stimuli, shown = digits
    adapter = BrainModelAdapter(model, task_step=2)
    adapter.start_task("label", ["7", "2", "5"])
    logits = each_layer(model, stimuli, ("logits",), 5)["logits"][2]
    expected = [("7", "2", "5")[one] for one in logits[:, [7, 2, 5]].argmax(1)]
    answers = adapter.look_at(shown)
    assert list(answers.sel(choice=0).values if "choice" in answers.coords else answers.values[0]) == expected
    with pytest.raises(ValueError, match="expected some of the model's classes"):
        adapter.start_task("label", "imagenet")


def test_probabilities_sum_to_one_and_odd_ones_out_are_the_least_similar(model, digits):
    stimuli, shown = digits
    adapter = BrainModelAdapter(model)
    adapter.start_task("probabilities", shown)
    probabilities = adapter.look_at(shown)
    np.testing.assert_allclose(probabilities.values.sum(1), 1)
    assert list(probabilities["choice"].values) == ["even", "odd"]
    adapter.start_task("odd_one_out")
    features = each_layer(model, stimuli, ("fc2",), 5)["fc2"][5]
    similar = features @ features.T
    expected = []
    for first in range(0, 12, 3):
        pairs = {2: (0, 1), 1: (0, 2), 0: (1, 2)}  # odd one: the pair that is left
        odd = max(pairs, key=lambda one, at=first: similar[at + pairs[one][0], at + pairs[one][1]])
        expected.append(shown["stimulus_id"].iloc[first + odd])
    assert list(adapter.look_at(shown).values[0]) == expected
    repeated = shown.iloc[[0, 1, 2, 0, 1, 3]]
    repeated.stimulus_paths = shown.stimulus_paths
    assert adapter.look_at(repeated).sizes["presentation"] == 2
    adapter.start_task("passive")
    adapter.start_recording("V1", [(70, 170)])
    assert adapter.look_at(shown).dims == ("presentation", "neuroid")


def test_no_two_models_that_differ_in_what_they_show_have_one_identifier(model):
    other = load_model("cnnf-digits")
    with torch.no_grad():
        next(other.parameters()).add_(1e-3)
    rate = load_model("cnnf-digits")
    rate.feedback_rate = 0.2
    adapters = [
        BrainModelAdapter(model),
        BrainModelAdapter(other),
        BrainModelAdapter(rate),
        BrainModelAdapter(model, n_steps=4),
        BrainModelAdapter(model, step=3),
        BrainModelAdapter(model, StepClock(50, 20)),
        BrainModelAdapter(model, outside="hold"),
        BrainModelAdapter(model, regions={"IT": "fc1"}),
        BrainModelAdapter(model, task_step=0),
        BrainModelAdapter(model, visual_degrees=10),
    ]
    assert len({adapter.identifier for adapter in adapters}) == len(adapters)
    assert BrainModelAdapter(model).identifier == BrainModelAdapter(load_model("cnnf-digits")).identifier


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"step": 9}, "step: expected one of 0, 1"),
        ({"task_step": 9}, "task_step: expected one of 0, 1"),
        ({"outside": "drop"}, "outside: expected one of nearest, hold, error"),
        ({"regions": {"IT": "conv9"}}, "layer: expected one of block1"),
    ],
)
def test_what_the_model_does_not_have_is_refused(model, options, said):
    with pytest.raises(ValueError, match=said):
        BrainModelAdapter(model, **options)


def test_calls_out_of_order_or_of_unknown_names_are_refused(model, digits):
    adapter = BrainModelAdapter(model)
    with pytest.raises(ValueError, match="expected a recording or a task"):
        adapter.look_at(digits[1])
    with pytest.raises(ValueError, match="region: expected one of V1"):
        adapter.start_recording("MT", [(70, 90)])
    with pytest.raises(ValueError, match="task: expected one of passive"):
        adapter.start_task("guess")
    adapter.start_recording("IT", [(70, 90)])
    with pytest.raises(ValueError, match="expected at least one image"):
        adapter.look_at([])


def test_a_model_without_weights_has_to_be_named(model):
    class Plain:
        name, layer_names, recurrent = "plain", ("pixels",), False

    with pytest.raises(ValueError, match="expected a name for what 'plain' computes"):
        BrainModelAdapter(Plain())
    assert BrainModelAdapter(Plain(), weights="v1").identifier.startswith("plain-v1-steps0-clock70")


def test_image_files_are_read_when_shown_and_brought_to_one_size(tmp_path, digits):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    Image.new("L", (16, 16), 9).save(tmp_path / "b.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)).save(tmp_path / "c.png")
    whole = (tmp_path / "c.png").read_bytes()
    (tmp_path / "c.png").write_bytes(whole[: len(whole) // 2])  # its header is there, its pixels are not
    files = ImageFiles([tmp_path / name for name in ("a.png", "b.png", "c.png")])
    assert len(files) == 3
    assert files[:2].shape == (2, 224, 224, 3)
    assert (files[:2][1] == 9).all()
    assert (files[:1][0] == (255, 0, 0)).all()
    with pytest.raises(OSError, match="truncated"):
        _ = files[2:]


def test_an_image_of_a_mixed_set_is_the_same_whichever_comes_first(tmp_path):
    for name, size in (("small", 20), ("large", 50), ("other", 60)):
        pixels = np.random.default_rng(size).integers(0, 256, (size, size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    small, large, other = (tmp_path / f"{name}.png" for name in ("small", "large", "other"))
    first, second = ImageFiles([large, small])[:], ImageFiles([other, large])[:]
    assert first.shape == second.shape == (2, 224, 224, 3)
    np.testing.assert_array_equal(first[0], second[1])
