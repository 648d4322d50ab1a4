"""What the outputs of a stage depend on: code, versions, weights, data and settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from neurocnnf.stages import package_versions, source_hash, weights_hash

VERSIONS = ("torch", "numpy", "scipy", "pandas", "xarray", "scikit-learn", "statsmodels")
QUICK_STEPS = 2
FLOW = ("neurocnnf", "benchmarks", "analysis")  # no package imports one after it: tests/test_imports_point_down.py


def steps_taken(model, n_steps: int, quick: bool) -> int:
    """Return the steps a model is unrolled for; a feedforward one takes none."""
    return min(n_steps, QUICK_STEPS if quick else n_steps) if model.recurrent else 0


def file_hashes(store, patterns: Iterable[str]) -> dict[str, str]:
    """Give file -> SHA-256 for the files that names or patterns stand for, fetching those that are not at hand."""
    names: set[str] = set()
    for pattern in patterns:
        here = store.glob(pattern) if store.root is not None else []
        names.update(here or store.registered(pattern))
    return {name: store.sha256(name) for name in sorted(names)}


def stage_inputs(
    command: str, data: Mapping[str, str], settings: Mapping[str, object], models: Iterable = (), *, package: str
) -> dict[str, str]:
    """Name all that a stage's outputs depend on.

    Parameters
    ----------
    command
        What the stage does.
    data
        File to SHA-256, from `file_hashes`.
    settings
        Name to value: seed, steps and the like.
    models
        Whose weights enter.
    package
        Where the stage's code stands, one of `FLOW`: its sources enter, and those of the packages before it. An edit of
        an analysis does not make benchmarks score again.

    Raises
    ------
    ValueError
        For another package.
    """
    if package not in FLOW:
        raise ValueError(
            f"package: expected one of {', '.join(FLOW)}, got {package!r}. Name the one of the stage's code."
        )
    root = Path(__file__).resolve().parents[1]
    inputs = {"command": command} | {name: str(value) for name, value in settings.items()}
    inputs["source"] = source_hash(root / name for name in FLOW[: FLOW.index(package) + 1])
    inputs |= {f"checkpoint:{model.name}": weights_hash(model) for model in models}
    return inputs | {f"data:{name}": sha256 for name, sha256 in data.items()} | package_versions(VERSIONS)


def parse_bytes(text: str) -> int:
    """Read an amount of memory such as "4GB" (1 GB = 10⁹ bytes), "500 MB" or plain bytes.

    Raises
    ------
    ValueError
        If it is no positive amount.
    """
    units = {"TB": 10**12, "GB": 10**9, "MB": 10**6, "KB": 10**3, "B": 1}
    number, factor = text.strip().upper(), 1
    for ending, size in units.items():
        if number.endswith(ending):
            number, factor = number.removesuffix(ending), size
            break
    try:
        amount = int(float(number) * factor)
    except (ValueError, OverflowError):
        amount = 0
    if amount <= 0:
        raise ValueError(f"memory: expected an amount such as 4GB or 500MB, got {text!r}. Write a number and a unit.")
    return amount
