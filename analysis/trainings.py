"""What several trainings of one model, named ``<model>`` (seed 0) and ``<model>-seed<n>``, share, and how surely.

An interval of one training tells how it would come out with other images, neurons or people; one over trainings, how
with other seeds and the same of these.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from analysis.cells import as_markdown, write_cells
from analysis.inference import holm
from analysis.tables import write_tables

SEED = re.compile(r"(.*)-seed(\d+)")
CONFIDENCE = 0.95
SAME = 1e-12
"""Spread of values, in units of the largest, that is rounding: no interval is made of it."""


def split_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Take seeds out of the names in ``model``, ``<model>-seed<n>`` or ``<model>`` for 0, into a column ``seed``."""
    names = [SEED.fullmatch(name) for name in table["model"]]
    models = [found[1] if found else name for found, name in zip(names, table["model"], strict=True)]
    return table.assign(model=models, seed=[int(found[2]) if found else 0 for found in names])


def check_alike(models: Sequence[str], settings: Sequence[tuple]) -> None:
    """Refuse trainings that are not of one model, each once, made with the same settings.

    Parameters
    ----------
    models
        ``<model>`` or ``<model>-seed<n>``, of each training.
    settings
        Of each training: steps, and whether it is of a subsample.

    Raises
    ------
    ValueError
        If they differ in anything but the seed.
    """
    whole = split_seeds(pd.DataFrame({"model": models}))
    if whole["model"].nunique() > 1 or whole["seed"].duplicated().any() or len(set(settings)) > 1:
        raise ValueError(
            f"trainings: expected one table of each training of one model, made alike, got {', '.join(models)}, of "
            f"(steps, quick) {', '.join(map(str, dict.fromkeys(settings)))}. Compare trainings of one model."
        )


def within_families(p: pd.Series, n: pd.Series, family) -> pd.Series:
    """Correct p values by Holm's rule within families.

    A family must not depend on what came out: where several values (`n`) were all alike, as coarse scores can be, there
    is no p, but it counts.

    Parameters
    ----------
    p, n
        Of each mean, its p value (NaN: no test) and the number of its values.
    family
        What `pandas.Series.groupby` takes.
    """
    alike = p.isna() & (n > 1)
    return p.mask(alike, 1.0).groupby(family).transform(holm).mask(alike)


def described(values: pd.Series) -> dict[str, float]:
    """Return ``n_seeds`` that have a value, ``n_total``, and the ``mean`` and standard deviation ``sd`` of those."""
    return {"n_seeds": values.count(), "n_total": len(values), "mean": values.mean(), "sd": values.std()}


def student(values: pd.Series, scale: float = 1.0) -> dict[str, float]:
    """Return ``low`` and ``high`` (95 %) of a mean over seeds, and ``p`` that it is zero, by Student's t.

    Missing values are left out. NaN of one value, and where all are alike: they spread by no more than rounding, of
    numbers as large as `scale`.
    """
    values = values.dropna()
    if len(values) < 2 or not values.std() > SAME * scale:
        return dict.fromkeys(("low", "high", "p"), np.nan)
    test = stats.ttest_1samp(values, 0)
    bounds = test.confidence_interval(CONFIDENCE)
    return {"low": bounds.low, "high": bounds.high, "p": test.pvalue}


def write_summary(out: Path, scores: pd.DataFrame, summary: pd.DataFrame, cells: pd.DataFrame) -> str:
    """Write seeds (``<out>.scores.csv``) and summary (``.summary.csv``, ``.md``, ``.tex``); return it as Markdown."""
    write_tables(out, {".scores.csv": scores, ".summary.csv": summary})
    write_cells(out, cells)
    return as_markdown(cells)
