"""Every model and every readout of its time against Tang et al. (2018): tables for figures and for the README.

Run ``python -m analysis.comparison_stage cnnf-cifar-gray cnn-cifar-gray --out build/comparison/tang2018``; the last
model named is the feedforward control. Without the study, ``--simulate-missing`` runs simulated observers of
handwritten digits, under another name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.decoded_study import DecodedStudy, decode_models, load_tang2018
from analysis.human_times import simulate_trials
from analysis.masking import constant_fit, fit_clock, masking_curve, truncated_accuracy
from analysis.masking_share import masking_shares
from analysis.model_comparison import compare_models, score_trials
from analysis.occlusion_levels import occlusion_tables
from analysis.recognition_time import STUDY_FILES
from analysis.timing_stage import run_timing_stage
from analysis.trajectories import layer_table, steps_table, temporal_generalisation
from benchmarks.readout import object_folds
from neurocnnf.clock import StepClock

TABLES = ("comparison", "bounds", "exclusions", "cleaning", "layers", "masking", "clocks")
TABLES += ("trajectories", "generalisation", "steps", "masking_shares")
TABLES += ("occlusion", "occlusion_trends")
CLEANING: dict[str, tuple[tuple[float, float], dict[str, bool]]] = {
    "as elsewhere": ((0.2, 2.5), {}),
    "nearly all times": ((0.1, 5.0), {}),
    "few times": ((0.3, 1.5), {}),
    "wrong answers too": ((0.2, 2.5), {"right_only": False}),
    "seconds as they are": ((0.2, 2.5), {"standardised": False}),
}
"""Rule to range of reaction times (s) and what else differs; the effect of each is shown for two readouts."""
CLEANED_READOUTS = ("solution", "feedforward")
SHOWN_FOR_TRAJECTORIES, QUICK_STIMULI = 120, 400


def cleaning_table(study: DecodedStudy, control: str, settings: dict) -> pd.DataFrame:
    """Repeat the comparison under each rule of `CLEANING`; two readouts, chosen beforehand.

    Mixed models are of log reaction time under every rule.
    """
    parts = []
    for rule, ((low, high), differs) in CLEANING.items():
        scored = score_trials(study, (low, high), study.provenance["seed"], CLEANED_READOUTS, **differs)
        table = compare_models(scored, control, held_out=False, **settings)
        parts.append(table.assign(rule=rule, shortest_s=low, longest_s=high))
    return pd.concat(parts, ignore_index=True)


def masking_tables(
    study: DecodedStudy, control: str, n_resamples: int = 2000, seed: int = 0
) -> tuple[pd.DataFrame, ...]:
    """Fit clocks to masked, unmasked and both kinds of trials; give the curves with fits, and the range of clocks.

    Parameters
    ----------
    study
        Of `decode_models`.
    control
        The feedforward model, for `masking_share.masking_shares`.
    n_resamples, seed
        Of its intervals.

    Returns
    -------
    curves
        model, condition, fit ("masked" alone, "unmasked" alone, "one clock"), duration_ms, human with low and high
        (binomial, dispersion taken into account), fitted; and of the fit: onset_ms, ms_per_step with _low, _high,
        scale, log_likelihood, saturated, aic, aic_constant (duration does not matter), misfit_p, dispersion, n_used,
        n_total.
    clocks
        model, fit, onset_ms, ms_per_step, log_likelihood, scale of every clock looked at.
    shares
        As `masking_share.masking_shares` gives them.
    """
    trials, chance = study.shown, 1 / study.table["label"].nunique()
    both = {name: masking_curve(trials, name == "masked") for name in ("masked", "unmasked")}
    accuracies = {model: right.mean(axis=1) for model, right in study.right(trials).items()}
    rows, clocks = [], []
    for model, accuracy in accuracies.items():
        for fitted in (("masked",), ("unmasked",), ("masked", "unmasked")):
            name = fitted[0] if len(fitted) == 1 else "one clock"
            fit = fit_clock([both[one] for one in fitted], accuracy, chance)
            facts = {"onset_ms": fit.clock.onset_ms, "ms_per_step": fit.clock.ms_per_step, "scale": fit.scale[0]}
            facts |= {"onset_ms_low": fit.onset_interval[0], "onset_ms_high": fit.onset_interval[1]}
            facts |= {"ms_per_step_low": fit.step_interval[0], "ms_per_step_high": fit.step_interval[1]}
            facts |= {"log_likelihood": fit.log_likelihood, "saturated": fit.saturated, "aic": fit.aic}
            n_used = int(sum(both[one].n_trials.sum() for one in fitted))
            facts |= {"misfit_p": fit.misfit_p, "n_used": n_used, "n_total": len(study.trials)}
            grid = np.meshgrid(fit.onsets_ms, fit.ms_per_step, indexing="ij")
            columns = (*grid, fit.surface, fit.scales[..., 0])
            names = ("onset_ms", "ms_per_step", "log_likelihood", "scale")
            table = pd.DataFrame({n: c.ravel() for n, c in zip(names, columns, strict=True)})
            clocks.append(table.assign(model=model, fit=name))
            for one in fitted:
                rows.append(
                    _curve(both[one], fit, accuracy, chance).assign(model=model, condition=one, fit=name, **facts)
                )
    curves, clocks = pd.concat(rows, ignore_index=True), pd.concat(clocks, ignore_index=True)
    constant = {name: 2 - 2 * constant_fit(curve) for name, curve in both.items()}
    curves["aic_constant"] = curves["condition"].map(constant).where(curves["fit"] != "one clock")
    return curves, clocks, masking_shares(trials, accuracies, control, chance, n_resamples, seed)


def _curve(curve, fit, accuracy, chance: float) -> pd.DataFrame:
    """One human curve beside the truncated model."""
    p = curve.n_correct / curve.n_trials
    half = 1.96 * np.sqrt(curve.dispersion * p * (1 - p) / curve.n_trials)
    model = chance + fit.scale[0] * (truncated_accuracy(accuracy, curve.duration_ms, fit.clock, chance) - chance)
    columns = {"duration_ms": curve.duration_ms, "human": p, "human_low": p - half, "human_high": p + half}
    return pd.DataFrame({**columns, "fitted": model, "dispersion": curve.dispersion})


def trajectory_tables(models: Sequence, study: DecodedStudy, objects, occluded, n_steps: int, seed: int):
    """Trajectories of layers and dissimilarities of steps, of some occluded stimuli; a readout of whole objects."""
    from neurocnnf.record import each_layer

    shown = occluded.subset(slice(None, None, max(1, len(occluded) // SHOWN_FOR_TRAJECTORIES)))
    categories = pd.Index(study.provenance["categories"])
    labels = categories.get_indexer(objects.table["category"])
    folds, moved, across, between = object_folds(labels, seed=seed), [], [], []
    for model in (one for one in models if one.recurrent):
        layers = each_layer(model, shown, model.layer_names, n_steps)
        moved.append(layer_table(layers, seed).assign(model=model.name))
        between.append(steps_table(layers).assign(model=model.name))
        layer = study.provenance[model.name]["layer"]
        accuracy = temporal_generalisation(each_layer(model, objects, [layer], n_steps)[layer], labels, folds)
        trained, tested = np.indices(accuracy.shape).reshape(2, -1)
        table = pd.DataFrame({"trained": trained, "tested": tested, "accuracy": accuracy.ravel()})
        across.append(table.assign(model=model.name, layer=layer, n_used=len(labels)))
    return tuple(pd.concat(parts, ignore_index=True) for parts in (moved, across, between))


def bounds_table(scored) -> pd.DataFrame:
    """Bound of each model, readout, fold of objects and half of subjects, as fitted on the others."""
    rows = [
        (model, readout, fold, half, times.bounds[fold, half])
        for model, readouts in scored.times.items()
        for readout, times in readouts.items()
        for fold, half in np.ndindex(*times.bounds.shape)
    ]
    return pd.DataFrame(rows, columns=["model", "readout", "fold", "half", "bound"]).dropna(subset="bound")


def comparison(models: Sequence, source, n_steps: int, seed: int, *, quick: bool = False) -> dict[str, pd.DataFrame]:
    """Make all of `TABLES`.

    Parameters
    ----------
    models
        Of which the last is the feedforward control.
    source
        ``source(seed)`` returns trials, whole objects, occluded stimuli.
    n_steps
        Feedback passes of recurrent models.
    seed
        Of everything drawn at random.
    quick
        Few resamples, and nobody is predicted from others: a check, not a result.
    """
    trials, objects, occluded = source(seed=seed)
    study = decode_models(models, trials, objects, occluded, n_steps, seed)
    control = models[-1].name
    few = {"n_resamples": 100, "n_permutations": 99} if quick else {"n_resamples": 2000, "n_permutations": 2000}
    settings = {**few, "seed": seed}
    # As many p values are corrected for their number as there are rows: few permutations could leave none below .05.
    many = settings if quick else {**settings, "n_permutations": 10_000}
    scored = score_trials(study, seed=seed)
    tables = {
        "comparison": compare_models(scored, control, held_out=not quick, **many),
        "bounds": bounds_table(scored),
        "exclusions": scored.exclusions,
        "cleaning": cleaning_table(study, control, settings),
        "layers": pd.DataFrame([{"model": model.name, **study.provenance[model.name]} for model in models]),
    }
    masked = masking_tables(study, control, 50 if quick else 2000, seed)
    tables |= dict(zip(("masking", "clocks", "masking_shares"), masked, strict=True))
    n_resamples = settings["n_resamples"]
    tables["occlusion"], tables["occlusion_trends"] = occlusion_tables(study, scored, n_resamples, seed)
    moved = trajectory_tables(models, study, objects, occluded, n_steps, seed)
    return tables | dict(zip(("trajectories", "generalisation", "steps"), moved, strict=True))


def simulated_data(seed: int = 0, **_):
    """Trials of simulated observers, with a mask in half of them, of occluded handwritten digits.

    Unmasked, their times are unrelated to any model's; masked, they know more after longer durations.
    """
    from analysis.recognition_time import occluded_digits

    objects, occluded = occluded_digits(seed)
    ids = np.unique(occluded.table["object_id"])
    shown = occluded.table.groupby("object_id")["stimulus_id"].apply(list).to_dict()
    rng = np.random.default_rng([seed, 31])
    trials = simulate_trials(rng.standard_normal(len(ids)), ids, shown, seed=seed)
    trials["masked"] = rng.random(len(trials)) < 0.5
    trials["soa_s"] = rng.choice([0.025, 0.05, 0.075, 0.1, 0.15], len(trials))
    known = truncated_accuracy(np.linspace(0.5, 0.9, 6), trials["soa_s"] * 1000, StepClock(10, 20), 0.1)
    trials["correct"] = np.where(trials["masked"], rng.random(len(trials)) < known, trials["correct"])
    extra = occluded.table.set_index("stimulus_id")[["category", "occluded_percent"]]
    return trials.join(extra, on="stimulus_id"), objects, occluded


def real_data(store, quick: bool = False, **_):
    """Trials, whole objects and occluded stimuli of Tang et al. (2018); few of these where `quick`."""
    return load_tang2018(store, QUICK_STIMULI if quick else None)


def stage(argv: Sequence[str] | None = None) -> Path:
    """Write ``<out>.<table>.csv`` for each of `TABLES`, and ``<out>.json``, unless up to date; return the stem."""
    return run_timing_stage(__doc__ or "", argv, STUDY_FILES, real_data, simulated_data, comparison)


if __name__ == "__main__":
    print(stage())
