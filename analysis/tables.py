"""Tables as files: the same table gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from neurocnnf.stages import write_atomically


def as_csv(table: pd.DataFrame) -> bytes:
    """Return a table as a file's content, numbers with ten digits."""
    return table.to_csv(index=False, lineterminator="\n", float_format="%.10g").encode()


def write_tables(out: Path, tables: Mapping[str, pd.DataFrame]) -> list[Path]:
    """Write ``<out><ending>`` for each ending, such as ".summary.csv", and return the paths."""
    return [write_atomically(out.with_name(out.name + ending), as_csv(table)) for ending, table in tables.items()]
