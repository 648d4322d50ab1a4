"""Does the model need more steps for the objects that people need more time for.

Study: Tang et al., Recurrent computations for visual pattern completion, PNAS 115:8835, 2018. A linear
readout trained on whole objects gives each occluded stimulus a solution step, or says that it was never
solved; objects' model times are compared with people's reaction times, beside what the feedforward sweep
alone would predict.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.censored import concordance_rows, restricted_means
from analysis.human_times import (
    agreement,
    clean_trials,
    law_times,
    object_times,
    simulate_trials,
    subject_object_sums,
)
from analysis.inference import rank_correlation, resamples, taken
from analysis.predictors import correlation_rows
from analysis.solution_step import decode_all, object_table, solution_steps
from neurocnnf.progress import Progress
from neurocnnf.stages import write_atomically
from neurocnnf.stimuli import Stimuli

STUDY_FILES = ("tang2018_occlusion/data_occlusion_klab325v2.mat", "tang2018_occlusion/display_all_images.jpg")
"""What `recognition_times` reads, besides the original pictures (KLAB325.mat) where they are at hand."""


@dataclass(frozen=True)
class RecognitionTimes:
    """Model times beside human times.

    Parameters
    ----------
    statistics
        Columns statistic, estimate, low, high (95 % percentile interval, subjects and objects drawn anew),
        ceiling, p (two-sided, objects permuted), n_used, n_total, simulated. ``rho_*``, ``partial_*``:
        `predictors.CORRELATIONS`, n in objects, ceiling = square root of reliability (`partial_ceiling`).
        ``somers_d``, ``c_index``: over trials, solution step censored, n in trials. ``*_drop_unsolved``: what
        leaving unsolved stimuli out would have given. ``human_split_half``, ``human_reliability``
        (Spearman-Brown): n in objects, interval over objects only. ``solved``: proportion of stimuli; n_used
        is the number solved.
    objects
        One row per object of the study: object_id, category, human_time_z, model_time (Kaplan-Meier
        restricted mean solution step, horizon n_steps + 1), model_time_drop_unsolved, n_solved, n_stimuli,
        solved_fraction, step0_confidence, control_confidence, mean_occlusion (percent), n_trials, simulated.
        NaN: not known.
    stimuli
        stimulus_id, object_id, solution_step (NaN where unsolved), solved, simulated.
    exclusions
        Trials left out by each rule: rule, n_excluded, n_left.
    simulated
        Whether the human times were simulated.
    provenance
        Models, layers chosen, accuracy on whole objects, settings, seed.
    """

    statistics: pd.DataFrame
    objects: pd.DataFrame
    stimuli: pd.DataFrame
    exclusions: pd.DataFrame
    simulated: bool
    provenance: dict = field(default_factory=dict)

    def to_files(self, stem) -> list[Path]:
        """Write ``<stem>.<table>.csv`` for each table and ``<stem>.json``; return their paths."""
        stem = Path(stem)
        texts = {
            f"{name}.csv": getattr(self, name).to_csv(index=False, lineterminator="\n")
            for name in ("statistics", "objects", "stimuli", "exclusions")
        }
        provenance = {"simulated": self.simulated, **self.provenance}
        texts["json"] = json.dumps(provenance, indent=1, sort_keys=True) + "\n"
        paths = {stem.with_name(f"{stem.name}.{ending}"): text for ending, text in texts.items()}
        return [write_atomically(path, text.encode()) for path, text in paths.items()]


def compare(
    trials: pd.DataFrame,
    stimuli: pd.DataFrame,
    decisions: np.ndarray,
    control_decisions: np.ndarray,
    *,
    which: str = "unmasked",
    rt_range_s: tuple[float, float] = (0.2, 2.5),
    rule: str = "first",
    n_resamples: int = 2000,
    n_permutations: int = 1000,
    seed: int = 0,
    simulated: bool = False,
    provenance: dict | None = None,
) -> RecognitionTimes:
    """Compare decision values with trials; knows nothing of models.

    Parameters
    ----------
    trials
        As in `human_times.clean_trials`.
    stimuli
        What was shown to the model, a row per presentation: stimulus_id, object_id, category, label (index of
        the category in the decision values), occluded_percent (NaN where not known).
    decisions, control_decisions
        (step, presentation, category); of the control only step 0 is read.
    which, rt_range_s
        Trials that count, see `human_times.clean_trials`.
    rule
        See `solution_step.solution_steps`.
    n_resamples, n_permutations, seed
        Of intervals and p values.
    simulated, provenance
        Carried into the result.
    """
    labels, nan = stimuli["label"].to_numpy(), float("nan")
    steps = solution_steps(decisions, labels, rule)
    clean = clean_trials(trials, which, rt_range_s, shown=stimuli["stimulus_id"])
    objects = object_table(trials, clean.trials, stimuli, steps, decisions, control_decisions)
    kept = clean.trials
    subject, subject_ids = pd.factorize(kept["subject"], sort=True)
    item = pd.Index(objects["object_id"]).get_indexer(kept["object_id"])
    shape = (len(subject_ids), len(objects))
    sums, counts = subject_object_sums(subject, item, kept["time_z"], shape)
    subjects, object_counts = resamples(*shape, n_resamples, seed)
    drawn = taken(object_counts)

    objects["human_time_z"] = object_times(sums, counts)
    human_drawn = np.take_along_axis(object_times(sums, counts, subjects), drawn, axis=1)
    humans = agreement(sums, counts, drawn, seed=seed)
    rows = correlation_rows(objects, human_drawn, drawn, humans.reliability, n_permutations, seed)
    at = pd.Index(stimuli["stimulus_id"]).get_indexer(kept["stimulus_id"])
    columns = (steps.step[at], steps.solved[at], kept["time_z"].to_numpy())
    order = concordance_rows(columns, (subject, item), (subjects, object_counts), n_permutations, seed)
    rows += [(name, estimate, low, high, nan, p, n, len(trials)) for name, estimate, low, high, p, n in order]
    n_seen = int(objects["human_time_z"].notna().sum())
    rows += [
        (
            "human_split_half",
            humans.split_half,
            humans.split_half_low,
            humans.split_half_high,
            nan,
            nan,
            n_seen,
            len(objects),
        ),
        ("human_reliability", humans.reliability, humans.low, humans.high, nan, nan, n_seen, len(objects)),
        ("solved", steps.solved.mean(), nan, nan, nan, nan, int(steps.solved.sum()), len(steps.solved)),
    ]
    columns = ["statistic", "estimate", "low", "high", "ceiling", "p", "n_used", "n_total"]
    seen = stimuli[["stimulus_id", "object_id"]].assign(solution_step=steps.reported, solved=steps.solved)
    tables = (pd.DataFrame(rows, columns=columns), objects, seen)
    settings = {"n_steps": steps.n_steps, "rule": rule, "trials": which, "rt_range_s": list(rt_range_s)}
    settings |= {"n_resamples": n_resamples, "n_permutations": n_permutations, "seed": seed}
    settings |= {"n_subjects": shape[0], "ceiling_rule": "sqrt(split-half reliability, Spearman-Brown)"}
    return RecognitionTimes(
        *(table.assign(simulated=simulated) for table in tables),
        clean.exclusions,
        simulated,
        {**(provenance or {}), **settings},
    )


def recognition_times(
    model,
    control,
    store,
    n_steps: int = 5,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    experiment: str = "v2",
    **settings,
) -> RecognitionTimes:
    """Compare a model's solution steps with people's times for occluded objects (Tang et al. 2018).

    Parameters
    ----------
    model, control
        Recurrent model, and its feedforward control (which runs no step but 0).
    store
        The data store with the study's files.
    n_steps
        Feedback passes.
    seed
        Of folds, intervals and p values.
    progress
        Called with what is being done, how much is done, and of how much.
    experiment
        ``"v2"`` (every trial occluded) or ``"v3"``.
    **settings
        Passed to `compare`: which, rt_range_s, rule, n_resamples, n_permutations.
    """
    from benchmarks.recordings import tang2018
    from benchmarks.recordings.tang2018_stimuli import resize

    trials = tang2018.load_trials(store, experiment=experiment)
    objects = tang2018.load_objects(store)
    # Whole objects are not occluded stimuli, though v3 shows some; nor may a trial without gaps set the model's time.
    occluded = tang2018.occluded_stimuli(trials[trials["occluded_percent"].ne(0)], objects)
    # Through the same enlargement as the occluded ones: else the readout would be trained on sharper pictures.
    pictures = [resize(picture[..., 0], occluded.images.shape[1]) for picture in objects.images[:]]
    objects = replace(objects, images=np.stack(pictures)[..., None])
    decisions, table, provenance = _decode_both(model, control, objects, occluded, n_steps, seed, progress)
    if "occluded_percent" not in table:
        known = trials.groupby("stimulus_id")["occluded_percent"].mean()
        table["occluded_percent"] = table["stimulus_id"].map(known)
    provenance["study"], provenance["objects"] = f"tang2018 {experiment}", objects.identifier
    provenance["n_stimuli_in_trials"] = int(trials["stimulus_id"].nunique())
    return compare(trials, table, *decisions, seed=seed, provenance=provenance, **settings)


def recognition_times_simulated(
    model,
    control,
    n_steps: int = 5,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    correlation: float = 0.6,
    noise: float = 1.0,
    **settings,
) -> RecognitionTimes:
    """Do the same with handwritten digits and simulated observers, whose law is known: no study is needed.

    An object's true time is ``correlation`` x normal score of its model time + sqrt(1 - correlation^2) x
    standard normal; observers as in `human_times.simulate_trials`, with `noise` per trial. A row
    ``law_true_correlation`` holds the rank correlation of model times with these true times: what
    `rho_model_time` aims at, below its ceiling.

    Parameters
    ----------
    model, control, n_steps, seed, progress, **settings
        As in `recognition_times`.
    correlation, noise
        The law.
    """
    objects, occluded = occluded_digits(seed)
    decisions, table, provenance = _decode_both(model, control, objects, occluded, n_steps, seed, progress)
    steps = solution_steps(decisions[0], table["label"].to_numpy(), settings.get("rule", "first"))
    ids, item = np.unique(table["object_id"], return_inverse=True)
    model_time = restricted_means(steps.step, steps.solved, item, len(ids), steps.n_steps + 1)
    true = law_times(model_time, correlation, seed)
    shown = table.groupby("object_id")["stimulus_id"].apply(list).to_dict()
    trials = simulate_trials(true, ids, shown, noise=noise, seed=seed)
    law = float(rank_correlation(model_time, true))
    provenance |= {"study": "simulated", "law": {"correlation": correlation, "noise": noise}}
    result = compare(trials, table, *decisions, seed=seed, simulated=True, provenance=provenance, **settings)
    row = {"statistic": "law_true_correlation", "estimate": law, "n_used": len(ids), "n_total": len(ids)}
    statistics = pd.concat([result.statistics, pd.DataFrame([{**row, "simulated": True}])], ignore_index=True)
    return replace(result, statistics=statistics)


def occluded_digits(seed: int = 0, per_class: int = 20, per_object: int = 6) -> tuple[Stimuli, Stimuli]:
    """Whole handwritten digits (objects), and each of them occluded anew `per_object` times, as `Stimuli`.

    Occlusion goes through the levels in turn; ``occluded_percent`` is the percentage of pixels that changed.
    """
    import torch

    from neurocnnf.degradations import DEGRADATION_LEVELS, degrade
    from neurocnnf.images import load_training_set

    images, labels = load_training_set("digits", "test")
    rng = np.random.default_rng([seed, 3])
    chosen = [rng.permutation(np.flatnonzero(labels == c))[:per_class] for c in np.unique(labels)]
    chosen = np.concatenate(chosen)
    names = [f"digit {n}" for n in labels[chosen]]
    table = pd.DataFrame({"object_id": np.arange(len(chosen)) + 1, "category": names})
    generator = torch.Generator().manual_seed(seed)
    whole = torch.as_tensor(images[chosen].transpose(0, 3, 1, 2).copy()).float() / 127.5 - 1
    shown, tables, levels = [], [], DEGRADATION_LEVELS["occlusion"]
    for number in range(per_object):
        hidden = degrade(whole, "occlusion", levels[number % len(levels)], generator)
        hidden = ((hidden.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        shown.append(hidden.numpy().transpose(0, 2, 3, 1))
        percent = 100.0 * (shown[-1] != images[chosen]).mean(axis=(1, 2, 3))
        ids = [f"object {i} occlusion {number}" for i in table["object_id"]]
        tables.append(table.assign(occluded_percent=percent, stimulus_id=ids))
    wholes = table.assign(stimulus_id=[f"object {i}" for i in table["object_id"]])
    return (
        Stimuli(images[chosen], wholes, "digits"),
        Stimuli(np.concatenate(shown), pd.concat(tables, ignore_index=True), "digits-occluded"),
    )


def _decode_both(model, control, objects, occluded, n_steps, seed, progress):
    """Decode the occluded stimuli from the model and its control: the one place where models are run."""
    from neurocnnf.record import each_layer

    def shown_to(net):
        run = n_steps if net.recurrent else 0
        return lambda stimuli, layer: each_layer(net, stimuli, [layer], run)[layer]

    # Below these, every step answers as the first: no time could be told.
    nets = {role: (shown_to(net), model.feedback_layers) for role, net in (("model", model), ("control", control))}
    decisions, table, provenance = decode_all(nets, objects, occluded, seed, progress)
    for role, net in (("model", model), ("control", control)):
        provenance[role]["name"] = net.name
    return decisions, table, provenance
