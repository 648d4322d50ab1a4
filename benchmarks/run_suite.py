"""Score a model against every benchmark, one after the other or several side by side."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurocnnf.progress import Progress
from neurocnnf.stage_inputs import file_hashes, stage_inputs, steps_taken
from neurocnnf.stages import provenance_path, run_stage

SCORED, NO_DATA, FAILED = "scored", "no data here", "failed"
NUMBERS = ("value", "low", "high", "raw", "ceiling", "n_used", "n_total")


@dataclass(frozen=True)
class Settings:
    """How every benchmark of a suite is run.

    Parameters
    ----------
    n_steps
        Feedback passes.
    seed
        Of everything drawn at random.
    quick
        A small subsample: a check, not a result.
    memory
        Bytes that a benchmark with such a bound may take; its own bound where None.
    """

    n_steps: int = 5
    seed: int = 0
    quick: bool = False
    memory: int | None = None


def score_stage(
    name: str, identifier: str, stem: Path, settings: Settings, progress: Progress | None = None, say=None
) -> bool:
    """Score one model against one benchmark into ``<stem>.*``, unless that stands there already.

    Parameters
    ----------
    name, identifier
        Of the model and of the benchmark.
    stem
        Where the score goes; see `benchmarks.Score.to_files`.
    settings
        How it is run.
    progress
        Called with (what, done, total).
    say
        Told where nothing had to be done; a line on stderr where None.

    Returns
    -------
    bool
        Whether it ran.

    Raises
    ------
    neurocnnf.datastore.DataError
        If a file is missing or corrupt.
    ValueError
        If there is no such model or benchmark.
    """
    from benchmarks import load_benchmark
    from neurocnnf import load_model
    from neurocnnf.datastore import DataStore

    store = DataStore()
    options: dict[str, Any] = {"quick": True} if settings.quick else {}
    if settings.memory is not None:
        options["memory"] = settings.memory
    net, benchmark = load_model(name), load_benchmark(identifier, store=store, **options)
    n_steps = steps_taken(net, settings.n_steps, settings.quick)
    asked = {"n_steps": n_steps, "seed": settings.seed, **options}

    def write() -> list[Path]:
        return benchmark(net, n_steps=n_steps, seed=settings.seed, progress=progress).to_files(stem)

    data = file_hashes(store, benchmark.studies)
    return run_stage(
        stem, stage_inputs(f"score {identifier}", data, asked, [net], package="benchmarks"), write, say=say
    )


def run_suite(
    model: str,
    identifiers: Sequence[str],
    folder: Path,
    settings: Settings,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Score a model against benchmarks; one that has no data, or fails, does not stop the others.

    What stands in the folder already, made from the same inputs, is not made again: a suite that was broken off
    goes on where it stopped. Every benchmark draws from the seed alone, so the scores do not depend on `workers`.

    Parameters
    ----------
    model
        Name, or a checkpoint's path.
    identifiers
        Of the benchmarks.
    folder
        Where the scores go: ``<model>.<benchmark>.*``.
    settings
        How they are run.
    workers
        Processes.
    progress
        Called with (what, done, total); of what goes on within a benchmark it hears only with one worker.

    Returns
    -------
    list of dict
        In the order asked for: benchmark, state ("scored", "no data here", "failed"), reason, value, low, high,
        raw, ceiling, n_used, n_total (None: missing).

    Raises
    ------
    ValueError
        If there is no such model.
    """
    from neurocnnf import load_model

    load_model(model)  # an unknown model is one error, not one per benchmark
    name = Path(model).stem if "/" in model else model
    jobs = {one: (model, one, Path(folder) / f"{name}.{one}", settings) for one in identifiers}
    rows: dict[str, dict[str, Any]] = {}

    def note(identifier: str, row: dict[str, Any]) -> None:
        rows[identifier] = row
        if progress:
            progress(f"{model}: benchmarks", len(rows), len(jobs))

    if workers == 1:
        for identifier, job in jobs.items():
            note(identifier, _row(*job, progress))
    else:
        # Not forked: a process that has run torch's threads cannot be copied safely.
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            futures = {pool.submit(_row, *job): identifier for identifier, job in jobs.items()}
            for future in as_completed(futures):
                note(futures[future], future.result())
    return [rows[identifier] for identifier in identifiers]


def _row(model, identifier, stem, settings, progress=None) -> dict[str, Any]:
    """Score, and say how it went."""
    from neurocnnf.datastore import DataMissing

    row: dict[str, Any] = {"benchmark": identifier, "state": SCORED, "reason": "", **dict.fromkeys(NUMBERS)}
    try:
        score_stage(model, identifier, stem, settings, progress, say=lambda line: None)
    except DataMissing as missing:
        return row | {"state": NO_DATA, "reason": f"{missing.name} is missing"}
    except Exception as error:  # the other benchmarks do not need this one
        return row | {"state": FAILED, "reason": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    summary = json.loads(provenance_path(stem).read_text())
    low, high = summary["interval"]
    return row | {name: summary[name] for name in NUMBERS if name in summary} | {"low": low, "high": high}
