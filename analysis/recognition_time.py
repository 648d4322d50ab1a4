"""Does the model need more steps for the objects that people need more time for.

Study: Tang et al., Recurrent computations for visual pattern completion, PNAS 115:8835, 2018. A linear
readout trained on whole objects gives each occluded stimulus a solution step, or says that it was never
solved; objects' model times are compared with people's reaction times, beside what the feedforward sweep
alone would predict.

Run ``python -m analysis.recognition_time --in build/decoded/{cnnf,cnn}-cifar-gray/tang2018 --out build/times/mine``,
with the stems of what `analysis.decode_stage` wrote of a model and of its feedforward control.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.censored import concordance_rows
from analysis.decoded_files import run_decoded_stage
from analysis.decoded_study import DecodedStudy
from analysis.human_times import agreement, clean_trials, object_times, subject_object_sums
from analysis.inference import resamples, taken
from analysis.predictors import correlation_rows
from analysis.solution_step import object_table, solution_steps

CEILING_RULE = "sqrt(split-half reliability, Spearman-Brown)"
QUICK = {"n_resamples": 200, "n_permutations": 100}


@dataclass(frozen=True)
class RecognitionTimes:
    """Model times beside human times.

    Parameters
    ----------
    statistics
        Columns statistic, estimate, low, high (95 % percentile interval, subjects and objects drawn anew),
        ceiling, p (two-sided, objects permuted), n_used, n_total, ceiling_rule. ``rho_*``, ``partial_*``:
        `predictors.CORRELATIONS`, n in objects, ceiling = square root of reliability (`partial_ceiling`).
        ``somers_d``, ``c_index``: over trials, solution step censored, n in trials. ``*_drop_unsolved``: what
        leaving unsolved stimuli out would have given. ``human_split_half``, ``human_reliability``
        (Spearman-Brown): n in objects, interval over objects only. ``solved``: proportion of stimuli; n_used
        is the number solved.
    objects
        One row per object of the study: object_id, category, human_time_z, model_time (Kaplan-Meier
        restricted mean solution step, horizon n_steps + 1), model_time_drop_unsolved, n_solved, n_stimuli,
        solved_fraction, step0_confidence, control_confidence, mean_occlusion (percent), n_trials.
        NaN: not known.
    stimuli
        stimulus_id, object_id, solution_step (NaN where unsolved), solved.
    exclusions
        Trials left out by each rule: rule, n_excluded, n_left.
    """

    statistics: pd.DataFrame
    objects: pd.DataFrame
    stimuli: pd.DataFrame
    exclusions: pd.DataFrame


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
    halves = (humans.split_half, humans.split_half_low, humans.split_half_high)
    rows += [
        ("human_split_half", *halves, nan, nan, n_seen, len(objects)),
        ("human_reliability", humans.reliability, humans.low, humans.high, nan, nan, n_seen, len(objects)),
        ("solved", steps.solved.mean(), nan, nan, nan, nan, int(steps.solved.sum()), len(steps.solved)),
    ]
    columns = ["statistic", "estimate", "low", "high", "ceiling", "p", "n_used", "n_total"]
    seen = stimuli[["stimulus_id", "object_id"]].assign(solution_step=steps.reported, solved=steps.solved)
    statistics = pd.DataFrame(rows, columns=columns)
    statistics["ceiling_rule"] = np.where(statistics["ceiling"].notna(), CEILING_RULE, "none")
    return RecognitionTimes(statistics, objects, seen, clean.exclusions)


def times(study: DecodedStudy, control: str, seed: int, *, quick: bool = False) -> dict[str, pd.DataFrame]:
    """Compare the first model with its control: the tables of `RecognitionTimes`; few resamples where `quick`."""
    model = next(iter(study.decisions))
    answers = study.decisions[model], study.decisions[control]
    return vars(compare(study.trials, study.table, *answers, seed=seed, **(QUICK if quick else {})))


def stage(argv: Sequence[str] | None = None) -> Path:
    """Write ``<out>.<table>.csv`` for each table, and ``<out>.json``, unless up to date; return the stem."""
    return run_decoded_stage(__doc__ or "", argv, times)


if __name__ == "__main__":
    print(stage())
