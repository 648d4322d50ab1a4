"""What `decode_stage` wrote of each model, put together; and the stages that start from it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.decoded_study import DecodedStudy
from analysis.tables import write_results
from neurocnnf import stages
from neurocnnf.stage_inputs import stage_inputs

PARTS = ("answers", "trials", "layers")
DECISION, MOVEMENT = "decision", "movement"
"""First word of the columns of decision values (then step and category) and of movement (then the step)."""


def answers_table(study: DecodedStudy, model: str) -> pd.DataFrame:
    """Give what one model answered: a row per presentation, `DecodedStudy.table` with values beside it.

    Columns "decision <step> <number of the category>" and "movement <step>"; see `DecodedStudy` for both.
    """
    decisions, movement = study.decisions[model], study.movement[model]
    n_steps, _, n_categories = decisions.shape
    columns = {f"{DECISION} {t} {c}": decisions[t, :, c] for t, c in np.ndindex(n_steps, n_categories)}
    columns |= {f"{MOVEMENT} {t}": values for t, values in enumerate(movement, start=1)}
    return pd.concat([study.table.reset_index(drop=True), pd.DataFrame(columns)], axis=1)


def read_decoded(stems: Sequence[Path]) -> DecodedStudy:
    """Put together what was decoded from several models.

    Parameters
    ----------
    stems
        Of the files of `decode_stage`, one per model.

    Raises
    ------
    ValueError
        If models were shown different stimuli, or decoded with other settings, or one of them comes twice.
    """
    decisions, movement, layers, notes, first = {}, {}, {}, [], None
    for stem in stems:
        notes.append(json.loads(stages.provenance_path(stem).read_text()))
        (name,) = notes[-1]["models"]
        if name in decisions and not notes[-1]["simulated"]:  # digits stand in for several models with the same ones
            raise ValueError(f"read_decoded: expected different models, got {name} twice. Name each once.")
        layers[name] = str(pd.read_csv(stem.with_name(f"{stem.name}.layers.csv"))["layer"].iloc[0])
        answers = pd.read_csv(stem.with_name(f"{stem.name}.answers.csv"))
        own = answers.columns.str.match(rf"({DECISION}|{MOVEMENT}) \d")
        table = answers.loc[:, ~own].drop(columns="simulated")
        first = table if first is None else first
        settings = [{k: note[k] for k in ("simulated", "n_steps", "seed", "quick")} for note in notes]
        if not table.equals(first) or settings[-1] != settings[0]:
            raise ValueError(
                f"read_decoded: expected {stem.name} to hold the stimuli and settings of {stems[0].name}, got others "
                f"({settings[-1]} beside {settings[0]}). Decode all models again, in the same way."
            )
        values = answers.filter(regex=rf"^{DECISION} ")
        n_categories = 1 + max(int(column.split()[2]) for column in values)
        values = values.to_numpy(np.float32).reshape(len(table), -1, n_categories)
        decisions[name] = values.transpose(1, 0, 2)
        movement[name] = answers.filter(regex=rf"^{MOVEMENT} ").to_numpy(float).T
    # Subjects may have numbers for names.
    trials = pd.read_csv(stems[0].with_name(f"{stems[0].name}.trials.csv"), dtype={"subject": str})
    return DecodedStudy(decisions, movement, first, trials.drop(columns="simulated"), {**settings[0], "layers": layers})


def run_decoded_stage(
    description: str, argv: Sequence[str] | None, compute: Callable[..., dict[str, pd.DataFrame]]
) -> Path:
    """Read the command line, run a stage on decoded models unless it is up to date, and return its stem.

    Parameters
    ----------
    description
        For the help.
    argv
        Arguments; those of the process where None.
    compute
        ``compute(study, control, seed, quick=…)`` returns the tables.

    Returns
    -------
    Path
        ``--out``, or "simulated" beside it where the recordings were.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = "stems of what decode_stage wrote, the control's last"
    parser.add_argument("--in", dest="stems", nargs="+", type=Path, required=True, metavar="STEM", help=what)
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending; printed last")
    options = parser.parse_args(argv)
    stems = options.stems
    notes = [json.loads(stages.provenance_path(stem).read_text()) for stem in stems]
    out = options.out.with_name("simulated") if notes[0]["simulated"] else options.out
    files = [stem.with_name(f"{stem.name}.{part}.csv") for stem in stems for part in PARTS]
    data = {str(file): stages.file_hash(file) for file in files}
    settings = {"seed": notes[0]["seed"], "quick": notes[0]["quick"]}

    def write() -> list[Path]:
        study = read_decoded(stems)
        tables = compute(study, notes[-1]["models"][0], **settings)
        return write_results(out, tables, {"models": list(study.decisions), **study.provenance})

    stages.run_stage(
        out,
        stage_inputs(f"{compute.__module__} of {', '.join(map(str, stems))}", data, settings, package="analysis"),
        write,
    )
    return out
