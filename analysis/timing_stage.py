"""A stage of timing: models and a study in, tables and a note out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from analysis.tables import write_results
from neurocnnf import stages
from neurocnnf.datastore import DataMissing, DataStore
from neurocnnf.stage_inputs import file_hashes, stage_inputs

N_STEPS = 5
DIGITS = {"cnnf": "cnnf-digits", "cnn": "cnn-digits"}


def run_timing_stage(
    description: str,
    argv: Sequence[str] | None,
    files: tuple[str, ...],
    source: Callable,
    simulated_source: Callable,
    compute: Callable[..., dict[str, pd.DataFrame]],
    *,
    where_here: tuple[str, ...] = (),
) -> Path:
    """Read the command line, run the stage unless it is up to date, and return the stem of what it wrote.

    Parameters
    ----------
    description
        For the help.
    argv
        Arguments; those of the process where None.
    files
        Patterns of the study's files, for the note.
    source
        ``source(store, …)``: the study.
    simulated_source
        What takes its place where the study is missing and ``--simulate-missing`` is given; the models are then
        those of handwritten digits, and the name is "simulated".
    compute
        ``compute(models, source, n_steps, seed, quick=…)`` returns the tables.
    where_here
        Names of files that `source` reads only where they are at hand: what it gives depends on them, too.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("models", nargs="+", help="names or paths; of several, the last the control")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending; printed last")
    parser.add_argument("--n-steps", type=int, default=N_STEPS, help="feedback passes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything drawn at random (default: 0)")
    parser.add_argument("--quick", action="store_true", help="a small subsample: a check, not a result")
    parser.add_argument("--simulate-missing", action="store_true", help="simulate the study where it is missing")
    options = parser.parse_args(argv)
    store = DataStore()
    settings = {"n_steps": options.n_steps, "seed": options.seed, "quick": options.quick}
    try:
        real = partial(source, store=store, quick=options.quick)
        read = files + tuple(name for name in where_here if store.available(name))
        _write(options.models, options.out, settings, real, compute, store, read)
        return options.out
    except DataMissing as missing:
        if not options.simulate_missing:
            raise
        print(f"missing: {missing}\nsimulated recordings and handwritten digits are used instead", file=sys.stderr)
    out = options.out.with_name("simulated")
    models = list(dict.fromkeys(DIGITS["cnnf" if name.startswith("cnnf") else "cnn"] for name in options.models))
    _write(models, out, settings, simulated_source, compute, None, ())
    return out


def _write(names, out: Path, settings, source, compute, store, files) -> None:
    from neurocnnf import load_model

    models = [load_model(name) for name in names]
    data = {} if store is None else file_hashes(store, files)
    inputs = stage_inputs(f"{compute.__module__} of {', '.join(names)}", data, settings, models, package="analysis")

    def write() -> list[Path]:
        tables = compute(models, source, **settings)
        note = {"simulated": store is None, "models": [model.name for model in models], **settings}
        return write_results(out, tables, note)

    stages.run_stage(out, inputs, write)
