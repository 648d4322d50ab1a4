"""What every figure script reads and writes: tables in; vector, raster, table and caption out, as the same bytes."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from analysis.tables import as_csv
from neurocnnf.stages import write_atomically

DPI = 300
# Without dates and versions, the same drawing gives the same bytes.
METADATA: dict[str, dict] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


def arguments(description: str, inputs: str, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line of a figure script.

    Parameters
    ----------
    description
        First lines of the help.
    inputs
        What ``--in`` takes.
    argv
        Arguments; those of the process where None.

    Returns
    -------
    argparse.Namespace
        ``inputs``, a list of paths, and ``out``, a path without an ending.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--in", dest="inputs", nargs="+", type=Path, required=True, metavar="PATH", help=inputs)
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending")
    return parser.parse_args(argv)


def find_tables(inputs: Iterable[Path], endings: Sequence[str] = (".csv",)) -> list[Path]:
    """Turn files, folders and stems into files.

    Parameters
    ----------
    inputs
        A file is taken as it is; a folder stands for the files in it with these endings, sorted by name; anything
        else for itself with each ending added.
    endings
        Of the files wanted.

    Returns
    -------
    list of Path
        Files that exist, at least one.

    Raises
    ------
    FileNotFoundError
        If one does not exist, or a folder holds none.
    """
    found: list[Path] = []
    for path in map(Path, inputs):
        if path.is_dir():
            here = sorted(p for p in path.iterdir() if p.name.endswith(tuple(endings)))
        else:
            here = [path] if path.is_file() else [path.with_name(path.name + ending) for ending in endings]
        missing = [p.name for p in here if not p.is_file()]
        if missing or not here:
            raise FileNotFoundError(
                f"--in {path}: expected a table, a folder of tables, or the beginning of their names "
                f"({', '.join(endings)}), got {f'no {missing[0]}' if missing else 'nothing'}. "
                "Run the stage that makes them first."
            )
        found += here
    return found


def check_columns(table: pd.DataFrame, needed: Iterable[str], source: str) -> pd.DataFrame:
    """Return the table if it has rows and the columns needed.

    Raises
    ------
    ValueError
        If it has not, naming those that are missing.
    """
    missing = [column for column in needed if column not in table]
    if missing or table.empty:
        raise ValueError(
            f"{source}: expected rows with the column(s) {', '.join(missing or needed)}, got {len(table)} rows with "
            f"{', '.join(map(str, table.columns))}. Run the stage that makes the table again."
        )
    return table


def read_tables(inputs: Iterable[Path], columns: Sequence[str]) -> list[pd.DataFrame]:
    """Read tables that all have certain columns; see `find_tables` and `check_columns` for what is refused."""
    return [check_columns(pd.read_csv(path), columns, path.name) for path in find_tables(inputs)]


def read_parts(stems: Iterable[Path], columns: Mapping[str, Sequence[str]]) -> dict[str, pd.DataFrame]:
    """Read the tables ``<stem>.<part>.csv`` of a stage.

    Parameters
    ----------
    stems
        One path without an ending.
    columns
        Part to the columns that it has to have.

    Raises
    ------
    FileNotFoundError
        If a part is missing.
    ValueError
        If one lacks a column.
    """
    paths = find_tables(stems, [f".{part}.csv" for part in columns])
    return {
        part: check_columns(pd.read_csv(path), needed, path.name)
        for (part, needed), path in zip(columns.items(), paths, strict=True)
    }


def joined(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Put a figure's tables below one another, to be saved beside it, each with its name as ``part``."""
    return pd.concat([table.assign(part=name) for name, table in parts.items()], ignore_index=True)


def is_simulated(*tables: pd.DataFrame) -> bool:
    """Say whether any row of any table is flagged as simulated; a table without the flag is not."""
    return any(bool(table["simulated"].eq(True).any()) for table in tables if "simulated" in table)


def save(figure: Figure, stem: Path, table: pd.DataFrame, caption: str) -> list[Path]:
    """Write ``<stem>.svg``, ``.pdf``, ``.png`` (300 dpi), ``.csv`` (the table drawn) and ``.txt`` (the caption).

    Parameters
    ----------
    figure
        Drawn within `style.styled`, which has to be on still.
    stem
        Folder and beginning of the names; dots in it are kept.
    table, caption
        What goes beside the figure.

    Returns
    -------
    list of Path
        The files, each written under a temporary name and renamed.
    """
    paths = []
    settle(figure)
    for kind, metadata in METADATA.items():

        def draw(path: Path, kind: str = kind, metadata: dict = metadata) -> None:
            figure.savefig(path, format=kind, dpi=DPI, metadata=metadata)

        paths.append(write_atomically(beside(stem, kind), draw))
    paths.append(write_atomically(beside(stem, "csv"), as_csv(table)))
    paths.append(write_atomically(beside(stem, "txt"), (" ".join(caption.split()) + "\n").encode()))
    return paths


def settle(figure: Figure) -> None:
    """Lay a figure out, once for all formats, and round the places of its axes.

    The layout's solver gives last digits that differ from run to run, and an SVG file's names of clip paths are made
    from them.
    """
    if figure.get_layout_engine() is None:
        return
    figure.set_dpi(DPI)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position([round(float(place), 6) for place in axes.get_position().bounds])


def beside(stem: Path, ending: str) -> Path:
    """Return ``<stem>.<ending>``."""
    return Path(stem).with_name(f"{Path(stem).name}.{ending}")
