"""MATLAB `dataset` tables, which no Python library reads: SciPy shows where they lie within a MAT file."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
from scipy.io import loadmat

WORKSPACE = "__function_workspace__"


def read_dataset(path: Path) -> pd.DataFrame:
    """Read the only `dataset` of a MAT file (version 5).

    MATLAB keeps objects apart from the variables, as a MAT file within the file, whose cells hold the names of the
    columns and then the columns.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    pandas.DataFrame
        A row per observation; a column of n numbers becomes n columns, ``<name>0`` to ``<name><n - 1>``.

    Raises
    ------
    ValueError
        If the file holds no `dataset`.
    """
    try:
        cells = _objects(path)
        texts = [cell.ravel() for cell in cells if cell.dtype == object]
        names, columns = next(cell for cell in texts if cell[0].dtype.kind == "U"), texts[1]
    except (KeyError, IndexError, StopIteration) as error:
        raise ValueError(
            f"{Path(path).name}: expected a MAT file with a MATLAB dataset, got none. Fetch the authors' file again."
        ) from error
    table = {}
    for name, column in zip(names, columns, strict=True):
        wide = column.shape[1] > 1
        table |= {f"{name.item()}{i if wide else ''}": column[:, i] for i in range(column.shape[1])}
    return pd.DataFrame(table)


def _objects(path: Path):
    """Give the cells of the objects of a MAT file."""
    workspace = loadmat(path)[WORKSPACE].tobytes()
    # Version and byte order, then one element of a stated size.
    end = 16 + int.from_bytes(workspace[12:16], "little")
    inner = io.BytesIO(b"MATLAB".ljust(124) + workspace[:4] + workspace[8:end])
    return loadmat(inner)[WORKSPACE].flat[0]["MCOS"].flat[0]["arr"].ravel()
