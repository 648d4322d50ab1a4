"""What a benchmark says about a model: one number, and every layer and step behind it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import resamples
from neurocnnf.stages import package_versions, provenance_path, weights_hash, write_atomically

VERSIONS = ("numpy", "scipy", "pandas", "xarray", "torch", "scikit-learn")
SIGNIFICANT = "%.10g"
"""Numbers in files: more digits than mean anything, fewer than differ between machines."""

MISSING = "missing"


@dataclass(frozen=True)
class Score:
    """A model's score on one benchmark.

    Parameters
    ----------
    benchmark, model
        Identifier and name.
    value
        Normalised score at the last step, of layers chosen on data that is not scored; mean over the sessions
        or targets that have a ceiling. NaN: missing, and `notes` says why.
    raw
        The same before normalisation, over all sessions or targets that count.
    ceiling
        Mean ceiling of what `value` rests on; NaN where there is none.
    ceiling_rule
        Name of the rule that normalises.
    interval, raw_interval
        (low, high), 95 % bootstrap interval of `value` and of `raw`; the ceiling is taken as known.
    n_used, n_total
        Neuroids (or images) that entered `raw`, and all of them.
    per_step
        Tidy: ``session`` or ``target``, ``layer``, ``step``, ``raw``, ``raw_low``, ``raw_high``, ``ceiling``,
        ``ceiling_rule``, ``normalised``, ``normalised_low``, ``normalised_high``, ``n_used``, ``n_total``,
        ``simulated``, and what the benchmark adds.
    chosen
        A row per session or target that counts: ``layer``, ``chosen_by``, ``step`` and the scores there.
    simulated
        Whether the recordings are simulated.
    notes
        What a reader has to know.
    provenance
        Seed, steps, hashes of weights and data, versions.
    samples
        Bootstrap samples of the one number and of layers and steps, see `benchmarks.resamples`; empty where the
        benchmark keeps none.
    """

    benchmark: str
    model: str
    value: float
    raw: float
    ceiling: float
    ceiling_rule: str
    interval: tuple[float, float]
    raw_interval: tuple[float, float]
    n_used: int
    n_total: int
    per_step: pd.DataFrame
    chosen: pd.DataFrame
    simulated: bool = False
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    samples: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def normalised(self) -> float:
        """`value`: the raw score divided by the ceiling, as `ceiling_rule` says."""
        return self.value

    def summary(self) -> dict[str, Any]:
        """Return all but the tables, ready for JSON: NaN is None."""
        names = ("benchmark", "model", "value", "raw", "ceiling", "ceiling_rule", "interval", "raw_interval")
        names += ("n_used", "n_total", "simulated", "notes", "provenance")
        content = {name: getattr(self, name) for name in names}
        content |= {"chosen": self.chosen.to_dict("records"), "samples": resamples.columns_as_lists(self.samples)}
        return _plain(content)

    def to_files(self, path_stem: str | Path) -> list[Path]:
        """Write ``<stem>.csv``, the table by step, ``<stem>.samples.npy`` and ``<stem>.json``, the rest.

        Never half a file; no samples, no file of them.

        Parameters
        ----------
        path_stem
            Folder and beginning of the names; dots in it are kept. Missing folders are made.

        Returns
        -------
        list of Path
            The files.
        """
        stem = Path(path_stem)
        table = self.per_step.to_csv(index=False, lineterminator="\n", float_format=SIGNIFICANT)
        text = json.dumps(self.summary(), indent=1, sort_keys=True, allow_nan=False) + "\n"
        return [
            write_atomically(stem.with_name(stem.name + ".csv"), table.encode()),
            *resamples.to_file(self.samples, stem),
            write_atomically(provenance_path(stem), text.encode()),
        ]

    def table(self, column: str = "raw") -> pd.DataFrame:
        """Return layer × step, averaged over sessions or per target and metric: what fits a screen.

        Parameters
        ----------
        column
            A numeric column of `per_step`.

        Raises
        ------
        ValueError
            If there is no such column.
        """
        if column not in self.per_step:
            raise ValueError(f"column: expected one of {', '.join(self.per_step.columns)}, got {column!r}. Choose one.")
        return layers_by_steps(self.per_step, column)

    def __str__(self) -> str:
        """Return a few lines for a terminal."""
        head = f"{self.model} on {self.benchmark}" + (" (simulated recordings)" if self.simulated else "")
        lines = [
            head,
            f"  value    {number(self.value, self.interval)}   [{self.ceiling_rule}]",
            f"  raw      {number(self.raw, self.raw_interval)}   n {self.n_used} / {self.n_total}",
            f"  ceiling  {number(self.ceiling)}",
            *(f"  note: {note}" for note in self.notes),
            "raw, by layer and step:",
            self.table().to_string(float_format="{:.3f}".format, na_rep=MISSING),
        ]
        return "\n".join(lines)


def read_score(path_stem: str | Path) -> Score:
    """Read a score that `Score.to_files` wrote; None in the file is NaN again.

    Parameters
    ----------
    path_stem
        As it was written.

    Raises
    ------
    ValueError
        If the file is no score.
    """
    stem = Path(path_stem)
    summary = json.loads(provenance_path(stem).read_text())
    names = [one.name for one in fields(Score) if one.name not in ("per_step", "chosen", "samples")]
    missing = [name for name in names if name not in summary]
    if missing:
        raise ValueError(
            f"{stem.name}.json: expected a score, got none with {', '.join(missing)}. Write it with Score.to_files."
        )
    content = {name: summary[name] for name in names}
    for name in ("value", "raw", "ceiling"):
        content[name] = _nan_if_none(content[name])
    for name in ("interval", "raw_interval"):
        content[name] = tuple(map(_nan_if_none, content[name]))
    return Score(
        **{**content, "notes": tuple(content["notes"])},
        per_step=pd.read_csv(stem.with_name(stem.name + ".csv"), dtype={"session": str}),
        chosen=pd.DataFrame(summary.get("chosen", [])),
        samples=resamples.from_file(stem),
    )


def layers_by_steps(per_step: pd.DataFrame, column: str = "raw") -> pd.DataFrame:
    """Return layer × step of a column of `Score.per_step`: the mean over sessions, or per target and metric."""
    keys = [key for key in ("target", "metric") if key in per_step]
    return per_step.pivot_table(
        index=[*keys, "layer"], columns="step", values=column, aggfunc="mean", sort=False, dropna=False
    ).dropna(how="all")


def number(value: float, bounds: tuple[float, float] | None = None) -> str:
    """Format a number and its interval; NaN reads "missing"."""
    if math.isnan(value):
        return MISSING
    if bounds is None:
        return f"{value:.3f}"
    if any(map(math.isnan, bounds)):
        return f"{value:.3f} (interval {MISSING})"
    return f"{value:.3f} ({bounds[0]:.3f} to {bounds[1]:.3f})"


def used_steps(model, n_steps: int) -> int:
    """Return the steps that a model is unrolled for: `n_steps`, or 0 for a feedforward model.

    Raises
    ------
    ValueError
        If `n_steps` is not an integer, 0 or more.
    """
    if isinstance(n_steps, bool) or not isinstance(n_steps, int | np.integer) or n_steps < 0:
        raise ValueError(f"n_steps: expected an integer, 0 or more, got {n_steps!r}. 5 is usual.")
    return int(n_steps) if getattr(model, "recurrent", True) else 0


def make_provenance(model, n_steps: int, seed: int, store=None, files: tuple[str, ...] = ()) -> dict[str, Any]:
    """Collect what a score was made from.

    Parameters
    ----------
    model
        With ``name`` and, where it has weights, ``state_dict``.
    n_steps, seed
        As scored.
    store, files
        Data store and the names of the files that were read from it.
    """
    return {
        "n_steps": n_steps,
        "seed": seed,
        "weights_sha256": weights_hash(model) if hasattr(model, "state_dict") else None,
        "data_sha256": {name: store.sha256(name) for name in files} if store is not None else {},
        "versions": package_versions(VERSIONS),
    }


def _nan_if_none(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _plain(value):
    """Turn numpy types into Python's and NaN into None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return float(SIGNIFICANT % value) if isinstance(value, float) else value
