"""Tables as files: the same table gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from neurocnnf.stages import provenance_path, write_atomically


def as_csv(table: pd.DataFrame) -> bytes:
    """Return a table as a file's content, numbers with ten digits."""
    return table.to_csv(index=False, lineterminator="\n", float_format="%.10g").encode()


def write_tables(out: Path, tables: Mapping[str, pd.DataFrame]) -> list[Path]:
    """Write ``<out><ending>`` for each ending, such as ".summary.csv", and return the paths."""
    return [write_atomically(out.with_name(out.name + ending), as_csv(table)) for ending, table in tables.items()]


def write_results(out: Path, tables: Mapping[str, pd.DataFrame], note: Mapping[str, object]) -> list[Path]:
    """Write what a stage found: ``<out>.json``, the note, and ``<out>.<name>.csv`` for each table; return the tables'.

    Parameters
    ----------
    out
        Path without an ending.
    tables
        Name to table; each is given a column that says whether it is simulated.
    note
        With ``simulated``, whether the recordings were.
    """
    write_atomically(provenance_path(out), json.dumps(note).encode())
    return write_tables(out, {f".{name}.csv": one.assign(simulated=note["simulated"]) for name, one in tables.items()})
