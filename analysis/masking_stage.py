"""Masking as truncation: every model's clock behind a mask, against Tang et al. (2018).

Run ``python -m analysis.masking_stage --in build/decoded/{cnnf,cnn}-cifar-gray/tang2018 --out build/masking/tang2018``,
with the stems of what `analysis.decode_stage` wrote, the feedforward control's last.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.decoded_files import run_decoded_stage
from analysis.decoded_study import DecodedStudy
from analysis.masking import constant_fit, fit_clock, masking_curve, truncated_accuracy
from analysis.masking_share import masking_shares

TABLES = ("masking", "clocks", "masking_shares")


def masking_tables(
    study: DecodedStudy, control: str, n_resamples: int = 2000, seed: int = 0
) -> tuple[pd.DataFrame, ...]:
    """Fit clocks to masked, unmasked and both kinds of trials; give the curves with fits, and the range of clocks.

    Parameters
    ----------
    study
        Of `decoded_files.read_decoded`.
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


def masking(study: DecodedStudy, control: str, seed: int, *, quick: bool = False) -> dict[str, pd.DataFrame]:
    """Make all of `TABLES`; few resamples where `quick`: a check, not a result."""
    return dict(zip(TABLES, masking_tables(study, control, 50 if quick else 2000, seed), strict=True))


def stage(argv: Sequence[str] | None = None) -> Path:
    """Write ``<out>.<table>.csv`` for each of `TABLES`, and ``<out>.json``, unless up to date; return the stem."""
    return run_decoded_stage(__doc__ or "", argv, masking)


if __name__ == "__main__":
    print(stage())
