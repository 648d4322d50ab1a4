"""When objects can be decoded from IT, and whether a model's steps, under some clock, take the same course.

The study's pictures were not released. A model looks at other pictures (of seven classes, 20 each, at three
places: the study's design), so levels mean nothing between the two: only shape and latency are compared, and
the amplitude is free. Raw score: share R² of the variance over time of decoding from IT that the
model's decodability by step explains under the best `StepClock` (`benchmarks.clock_fit`), when the model is stopped at
that step. Step 0 is a ramp: the null that recurrence must beat (``gain``); the flat null has R² 0.

The layer for the one number is the model's last, fixed beforehand. Intervals resample neurons and the model's
pictures, with the clock fitted anew; a resample of neurons holds doubles and so decodes worse than the neurons do:
what resamples give is shifted to what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import resamples
from benchmarks.benchmark import Benchmark, Run
from benchmarks.bootstrap import count_draws
from benchmarks.centroid_decoding import ALL_POSITIONS, right_answers
from benchmarks.course_fit import CourseFit, fit_course, prepare_fit
from benchmarks.inputs import each_activation
from benchmarks.it_courses import N_ASSIGNMENTS, N_NEURON_RESAMPLES, time_courses
from benchmarks.recordings.zhang2011 import OBJECTS, POSITIONS
from benchmarks.score import Score
from neurocnnf.stimuli import Stimuli

N_PICTURES, SHIFT = 20, 1 / 8
"""Pictures of each class; shift up and down, as a share of the picture's height. Fixed beforehand."""
RULE = "R² / Spearman-Brown reliability of the time course over halves of the neurons"
NOTE = "no images of the study exist: the model sees other pictures; shape and latency only, amplitude free"


def position_stimuli(images: NDArray[np.uint8], labels: NDArray, identifier: str) -> Stimuli:
    """Show pictures in the study's design: of seven classes, 20 each, at three places.

    Parameters
    ----------
    images, labels
        uint8 (image, y, x, channel) and (image,): the first 20 of each of the first seven classes are taken. They are
        shifted by 1/8 of their height up and down; the border is repeated.
    identifier
        Name of the set.

    Raises
    ------
    ValueError
        If there are fewer classes or pictures.
    """
    classes = np.unique(labels)[: len(OBJECTS)]
    members = [np.flatnonzero(labels == c)[:N_PICTURES] for c in classes]
    if len(classes) < len(OBJECTS) or min(map(len, members)) < N_PICTURES:
        raise ValueError(
            f"position_stimuli: expected {N_PICTURES} pictures of {len(OBJECTS)} classes, got "
            f"{[len(m) for m in members]}. Pass the whole test set."
        )
    height = images.shape[1]
    places = np.arange(height) + np.array([1, 0, -1])[:, None] * round(SHIFT * height)
    shown = images[np.array(members)][:, :, places.clip(0, height - 1)]  # object, picture, position, y, x, channel
    shown = shown.swapaxes(1, 2).reshape(-1, *images.shape[1:])
    names = [f"{c}-{p}-{i}" for c in classes for p in POSITIONS for i in range(N_PICTURES)]
    return Stimuli(shown, pd.DataFrame({"stimulus_id": names}), identifier)


def model_decodability(activations: NDArray, split: str) -> NDArray[np.bool_]:
    """Decode a layer as IT is decoded: (step, presentation), whether each was answered rightly.

    Parameters
    ----------
    activations
        (step, presentation, unit) to `position_stimuli`. Pictures take the place of repeats: a picture is never
        tested where it was trained on at another position with all positions known.
    split
        As in `centroid_decoding.decode`.
    """
    shape = (len(activations), len(OBJECTS), len(POSITIONS), N_PICTURES, activations.shape[2])
    return right_answers(activations.reshape(shape), split)[0].reshape(len(activations), -1)


def layer_rows(
    layer: str, activations: NDArray, fits: dict[str, CourseFit], seed: int
) -> tuple[pd.DataFrame, dict[str, NDArray[np.float64]]]:
    """Score one layer: a row per target and step, and each target's resamples of R², as `fit_course` gives them."""
    tables, samples = [], {}
    for split, prepared in fits.items():
        course = prepared.course
        right = model_decodability(activations, split)
        by_picture = right.reshape(len(right), len(OBJECTS), len(POSITIONS), N_PICTURES).mean(axis=2)
        by_picture = by_picture.reshape(len(right), -1)
        folds = tuple(np.arange(len(OBJECTS) * N_PICTURES).reshape(len(OBJECTS), N_PICTURES))
        counts = count_draws(folds, len(course.resampled), np.random.default_rng(seed)) / by_picture.shape[1]
        resampled = counts @ by_picture.T
        table, samples[split] = fit_course(prepared, right.mean(axis=1), resampled)
        low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
        table = table.assign(decodability=right.mean(axis=1), decodability_low=low, decodability_high=high)
        ceiling = course.reliability if course.reliability > 0 else float("nan")
        scaled = {name.replace("raw", "normalised"): table[name] / ceiling for name in ("raw", "raw_low", "raw_high")}
        n = course.n_neurons
        table = table.assign(ceiling=ceiling, ceiling_rule=RULE, **scaled, n_used=n, n_total=n)
        table.insert(0, "target", split)
        table.insert(1, "layer", layer)
        tables.append(table)
    return pd.concat(tables, ignore_index=True), samples


@dataclass(frozen=True)
class ItDecoding(Benchmark):
    """A benchmark of the time course of decoding; calling it scores a model.

    `value` is R² with all positions known, of the last layer at the last step, over its ceiling.

    Parameters
    ----------
    identifier, studies, simulated, store, quick, each_layer
        As in `Benchmark`.
    source
        Returns neurons, as `zhang2011.load_neurons` does, and the `Stimuli` that the model sees, of `position_stimuli`.
    """

    def _score(self, run: Run, data: tuple) -> Score:
        neurons, stimuli = data
        size = (1, 50) if self.quick else (N_ASSIGNMENTS, N_NEURON_RESAMPLES)
        courses = time_courses(neurons, np.random.default_rng(run.seed), *size)
        fits = {split: prepare_fit(course, run.n_steps) for split, course in courses.items()}
        tables, samples = [], {}
        recorded = each_activation(run.model, stimuli, run.layers, run.n_steps, run.each_layer)
        for done, (layer, activations) in enumerate(recorded, start=1):
            table, drawn = layer_rows(layer, activations, fits, run.seed)
            tables.append(table)
            samples[layer] = drawn[ALL_POSITIONS]
            run.tell(self.identifier, done, len(run.layers))
        per_step = pd.concat(tables, ignore_index=True).assign(simulated=self.simulated)
        return score_of_layer(self.identifier, run, per_step, samples)


def score_of_layer(identifier: str, run: Run, per_step: pd.DataFrame, samples: dict[str, NDArray]) -> Score:
    """Make a score of the last layer at the last step; `samples` holds each layer's (step, resample + 1) of R²."""
    layer = run.layers[-1]
    here = per_step[(per_step["layer"] == layer) & (per_step["step"] == run.n_steps)]
    row = here[here["target"] == ALL_POSITIONS].iloc[0]
    gain = f"R² gained over step 0 (a ramp): {row['gain']:.3f} [{row['gain_low']:.3f}, {row['gain_high']:.3f}]"
    edge = ("the data do not bound the clock: the best is at the edge of those tried",) if row["at_edge"] else ()
    return Score(
        benchmark=identifier,
        model=run.model.name,
        value=float(row["normalised"]),
        raw=float(row["raw"]),
        ceiling=float(row["ceiling"]),
        ceiling_rule=RULE,
        interval=(float(row["normalised_low"]), float(row["normalised_high"])),
        raw_interval=(float(row["raw_low"]), float(row["raw_high"])),
        n_used=int(row["n_used"]),
        n_total=int(row["n_total"]),
        per_step=per_step,
        chosen=here.assign(chosen_by="fixed beforehand: the last layer").reset_index(drop=True),
        simulated=bool(row["simulated"]),
        notes=(NOTE, gain, *edge),
        samples=resamples.of_steps(
            {step: (one[0], one[1:]) for step, one in enumerate(samples[layer])}, layer, row["ceiling"]
        ),
    )
