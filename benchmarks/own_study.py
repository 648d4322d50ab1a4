"""A benchmark from a study in a folder of one's own."""

from __future__ import annotations

from pathlib import Path

from benchmarks.neural_predictivity import NeuralPredictivity
from benchmarks.recordings.folder import IMAGES, RESPONSES, STIMULI, load_study


def study_benchmark(path: str | Path, *, quick: bool = False) -> NeuralPredictivity:
    """Make a benchmark of ridge predictivity from a folder; see `benchmarks.recordings.folder` for what it holds.

    Every animal and time bin is scored by itself, and its layer is chosen by the other animals (or, with one animal, by
    the other half of its neuroids). The ceiling comes from repetitions, where there are any.

    Parameters
    ----------
    path
        The folder; its name is the study's.
    quick
        A small subsample: a check, not a result.

    Returns
    -------
    NeuralPredictivity
        Its ``identifier`` is ``<folder>.responses-ridge``; calling it with a model gives a `benchmarks.Score`.

    Raises
    ------
    ValueError
        If the study is malformed; the message names the row and the column.
    """
    from neurocnnf.datastore import DataStore

    path = Path(path).resolve()
    study = load_study(path)
    files = tuple(f"{path.name}/{name}" for name in (STIMULI, RESPONSES, f"{IMAGES}/*"))

    def source(**_):
        return study.sessions()

    return NeuralPredictivity(f"{path.name}.responses-ridge", files, source, store=DataStore(path.parent), quick=quick)
