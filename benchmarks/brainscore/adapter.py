"""A model with steps as one of Brain-Score's, all regions and time bins from one pass over the images."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from brainscore_core.supported_data_standards.brainio.assemblies import BehavioralAssembly, NeuroidAssembly
from brainscore_vision.model_helpers.brain_transformation.behavior import OddOneOut, ProbabilitiesMapping
from brainscore_vision.model_interface import BrainModel
from numpy.typing import NDArray

from benchmarks.brainscore.image_files import shown
from benchmarks.brainscore.time_bins import POLICIES, as_bins, step_weights
from benchmarks.inputs import EachLayer, default_each_layer
from benchmarks.score import used_steps
from neurocnnf.clock import StepClock
from neurocnnf.stages import weights_hash

REGIONS = ("V1", "V2", "V4", "IT")
CLOCK = StepClock(onset_ms=70, ms_per_step=20)
"""The first responses of macaque IT come at about 70 ms (DiCarlo et al. 2012); 20 ms a step is an assumption."""
DIGITS = tuple("0123456789")
CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def committed_layers(layer_names: Sequence[str]) -> dict[str, str]:
    """Give each region the layer of its rank, from the first (V1) to the last before the logits (IT)."""
    layers = [name for name in layer_names if name != "logits"] or list(layer_names)
    places = np.linspace(0, len(layers) - 1, len(REGIONS)).round().astype(int)
    return {region: layers[place] for region, place in zip(REGIONS, places, strict=True)}


class BrainModelAdapter(BrainModel):
    """Any model that says what its layers do at each step, as Brain-Score's ``BrainModel``.

    Parameters
    ----------
    model
        With ``name``, ``layer_names``, ``recurrent``; recorded by `benchmarks.inputs.default_each_layer`.
    clock
        When each step happens. A time bin sees the mean of the steps it overlaps, weighted by time.
    n_steps
        Feedback passes; a feedforward model takes none.
    step
        Show this step alone, at all times: each step as a model of its own.
    regions
        Region to layer, in place of those of `committed_layers`.
    outside
        What a bin outside the steps sees: "nearest", "hold" or "error"; see `time_bins.step_weights`.
    task_step
        Step at which tasks are done; the last where None.
    readout
        Layer that probabilities and odd-one-out are read from; IT's where None.
    labels
        Names of the model's classes, for the label task; known for our own models where None.
    visual_degrees
        Of the model's image.
    each_layer
        What records the model.
    weights
        What tells the model from others of its name, for the identifier; a hash of its weights where None.

    Raises
    ------
    ValueError
        If a layer, step or policy does not exist, or the model has neither weights nor `weights`.
    """

    def __init__(
        self,
        model,
        clock: StepClock = CLOCK,
        *,
        n_steps: int = 5,
        step: int | None = None,
        regions: Mapping[str, str] | None = None,
        outside: str = "nearest",
        task_step: int | None = None,
        readout: str | None = None,
        labels: Sequence[str] | None = None,
        visual_degrees: int = 8,
        each_layer: EachLayer | None = None,
        weights: str | None = None,
    ):
        self.model, self.clock, self.outside = model, clock, _one_of("outside", outside, POLICIES)
        self.n_steps, self.step = used_steps(model, n_steps), step
        steps = range(self.n_steps + 1)
        if step is not None:
            _one_of("step", step, steps)
        last = self.n_steps if step is None else step
        self.task_step = _one_of("task_step", last if task_step is None else task_step, steps)
        self.regions = committed_layers(model.layer_names) | dict(regions or {})
        self.readout = self.regions["IT"] if readout is None else readout
        for layer in (*self.regions.values(), self.readout):
            _one_of("layer", layer, model.layer_names)
        self.labels = _labels(model) if labels is None else tuple(labels)
        self._degrees = visual_degrees
        self._each_layer = each_layer or default_each_layer()
        self._identifier = self._name(weights)
        self._recorded: tuple[str, ...] = ()
        self._weights = np.zeros((0, self.n_steps + 1), np.float32)
        self._bins: list[tuple[float, float]] = []
        self._task: Any = None

    def _name(self, weights: str | None) -> str:
        if weights is None and not hasattr(self.model, "state_dict"):
            raise ValueError(
                f"weights: expected a name for what {self.model.name!r} computes, got None, and it has no state_dict. "
                "Pass weights='v1', so that caches can tell it from others."
            )
        parts = [self.model.name, (weights_hash(self.model) if weights is None else weights)[:16]]
        parts.append(f"steps{self.n_steps}" if self.step is None else f"steps{self.n_steps}-only{self.step}")
        if self.n_steps and hasattr(self.model, "feedback_to"):
            parts.append(f"to{self.model.feedback_to}-rate{self.model.feedback_rate:g}")
        parts += [f"clock{self.clock.onset_ms:g}+{self.clock.ms_per_step:g}", self.outside]
        rest = repr((sorted(self.regions.items()), self.readout, self.task_step, self.labels, self._degrees))
        return "-".join([*parts, hashlib.sha256(rest.encode()).hexdigest()[:8]])

    @property
    def identifier(self) -> str:
        """Name, weights' hash, steps, feedback, clock, policy, and a hash of regions and readouts."""
        return self._identifier

    @property
    def shows_every_step(self) -> bool:
        """Whether our benchmarks, given the model inside, would see all that this shows."""
        return self.step is None and self._each_layer is default_each_layer()

    def visual_degrees(self) -> int:
        """Return the width of the model's image in degrees."""
        return self._degrees

    def start_recording(self, recording_target: str | Sequence[str], time_bins: Sequence) -> None:
        """Record a region, or several, in time bins (start, end) in ms, whenever looking from now on.

        Raises
        ------
        ValueError
            If a region has no layer, or a bin is refused by the policy.
        """
        targets = (recording_target,) if isinstance(recording_target, str) else tuple(recording_target)
        for region in targets:
            _one_of("region", region, tuple(self.regions))
        self._bins = as_bins(time_bins)
        self._weights = step_weights(self._bins, self.clock, self.n_steps, self.outside)
        if self.step is not None:
            self._weights = np.zeros_like(self._weights)
            self._weights[:, self.step] = 1
        self._recorded, self._task = targets, None

    def start_task(self, task: str, fitting_stimuli=None, **_) -> None:
        """Do a task at `task_step` whenever looking from now on.

        Parameters
        ----------
        task
            "passive" (record again), "label", "probabilities" or "odd_one_out".
        fitting_stimuli
            For "label", the labels to choose from; for "probabilities", stimuli with ``image_label``.

        Raises
        ------
        ValueError
            If there is no such task, or a label is not one of the model's classes.
        """
        tasks = BrainModel.Task
        _one_of("task", task, (tasks.passive, tasks.label, tasks.probabilities, tasks.odd_one_out))
        if task == tasks.passive:
            self._task = None
        elif task == tasks.label:
            self._task = _Labels(self, fitting_stimuli)
        elif task == tasks.probabilities:
            # Brain-Score's own readout, so that numbers compare with its other models'.
            self._task = ProbabilitiesMapping(self.identifier, self._at_task_step, self.readout)
            self._task.start_task(task, fitting_stimuli)
        else:
            self._task = OddOneOut(self.identifier, self._at_task_step, self.readout)

    def look_at(self, stimuli, number_of_trials: int = 1, require_variance: bool = False):
        """Return recordings, or answers to the task.

        Parameters
        ----------
        stimuli
            A `StimulusSet`, or paths of images.
        number_of_trials, require_variance
            Without effect: the model is deterministic.

        Returns
        -------
        NeuroidAssembly or BehavioralAssembly
            float32 (presentation, neuroid, time_bin), a single time bin squeezed away; or the task's answers.

        Raises
        ------
        ValueError
            If nothing was started.
        """
        if self._task is not None:
            return self._task.look_at(stimuli)
        if not self._recorded:
            raise ValueError("look_at: expected a recording or a task, got neither. Call start_recording first.")
        images, rows, columns = shown(stimuli)
        layers = [self.regions[region] for region in self._recorded]
        activations = self._each_layer(self.model, images, tuple(dict.fromkeys(layers)), self.n_steps)
        values = [np.tensordot(self._weights, activations[layer], axes=1) for layer in layers]
        joined = np.concatenate(values, axis=2)[:, rows].transpose(1, 2, 0)
        places = list(zip(self._recorded, layers, [one.shape[2] for one in values], strict=True))
        return self._assembly(joined, columns, places, self._bins)

    def _at_task_step(self, stimuli, layers: Sequence[str], **_) -> NeuroidAssembly:
        """Return (presentation, neuroid) at `task_step`: what Brain-Score's readouts call an activations model."""
        images, rows, columns = shown(stimuli)
        activations = self._each_layer(self.model, images, tuple(layers), self.n_steps)
        values = np.concatenate([activations[layer][self.task_step] for layer in layers], axis=1)[rows]
        places = [("behavior", layer, activations[layer].shape[2]) for layer in layers]
        return self._assembly(values[..., None], columns, places, [(0, 1)])

    def _assembly(self, values: NDArray, columns: Mapping[str, Any], places, bins) -> NeuroidAssembly:
        coords = {name: ("presentation", column) for name, column in columns.items()}
        names = [f"{region}.{layer}.{unit}" for region, layer, size in places for unit in range(size)]
        sizes = [size for *_, size in places]
        coords["neuroid_id"] = ("neuroid", np.array(names))
        coords["region"] = ("neuroid", np.repeat([region for region, *_ in places], sizes))
        coords["layer"] = ("neuroid", np.repeat([layer for _, layer, _ in places], sizes))
        if len(bins) == 1:
            return NeuroidAssembly(values[..., 0], coords=coords, dims=("presentation", "neuroid"))
        coords["time_bin_start"] = ("time_bin", np.array([start for start, _ in bins]))
        coords["time_bin_end"] = ("time_bin", np.array([end for _, end in bins]))
        return NeuroidAssembly(values, coords=coords, dims=("presentation", "neuroid", "time_bin"))


class _Labels:
    """The label task: the most probable of some of the model's classes."""

    def __init__(self, adapter: BrainModelAdapter, choices):
        if isinstance(choices, str) or choices is None or not set(choices) <= set(adapter.labels):
            raise ValueError(
                f"label: expected some of the model's classes ({', '.join(adapter.labels) or 'not known'}), got "
                f"{choices!r}. Pass those, or name the classes with BrainModelAdapter(labels=...)."
            )
        self.adapter, self.choices = adapter, [str(choice) for choice in choices]

    def look_at(self, stimuli) -> BehavioralAssembly:
        logits = self.adapter._at_task_step(stimuli, [self.adapter.model.layer_names[-1]])
        columns = [self.adapter.labels.index(choice) for choice in self.choices]
        answers = np.array(self.choices)[logits.values[:, columns].argmax(axis=1)]
        frame = {name: logits[name].values for name in logits.indexes["presentation"].names}
        coords = {name: ("presentation", values) for name, values in pd.DataFrame(frame).items()}
        coords["label"] = ("presentation", answers)
        return BehavioralAssembly([answers], coords=coords, dims=("choice", "presentation"))


def _labels(model) -> tuple[str, ...]:
    data = (getattr(model, "card", None) or {}).get("data", "")
    return CIFAR if data.startswith("cifar") else DIGITS if data in ("mnist", "digits") else ()


def _one_of(what: str, got, known):
    if got not in known:
        raise ValueError(f"{what}: expected one of {', '.join(map(str, known))}, got {got!r}. Choose one of those.")
    return got
