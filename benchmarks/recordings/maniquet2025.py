"""Human recognition under 17 image manipulations, with and without a mask, and that of 15 published networks.

People named the category (8) of an object that was shown whole, in clutter, on phase-scrambled backgrounds, or
occluded; each took part in one of three experiments, so that no one saw all conditions. Maniquet, Op de Beeck,
Costantino (2025) Recurrent issues with deep neural network models of visual recognition, Sci Rep,
s41598-025-20245-w.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurocnnf.stimuli import Stimuli

FOLDER = "maniquet2025_recurrence"
CONTROL = "control"
N_CONDITIONS, N_CATEGORIES, N_OBSERVERS, N_RT_BINS, N_SEEDS = 17, 8, 218, 5, 20
N_ORIGINALS = 10
"""Pictures of each category in each condition."""
MASKING = {"all": "average", "masked": "mask", "unmasked": "no mask"}  # name here -> name in the files
CITATION = "Maniquet, Op de Beeck, Costantino (2025) Sci Rep, s41598-025-20245-w"
ARCHITECTURES = ("feedforward", "recurrent")
# The folders of the authors' stimuli and the names of their conditions; "occluder" is partial viewing there.
_FOLDERS = {
    "control": "control",
    "clutter/light_clutter": "clutter_light",
    "clutter/heavy_clutter": "clutter_heavy",
    "phase_scrambling/highpass": "scrambling_highpass",
    "phase_scrambling/lowpass": "scrambling_lowpass",
    **{
        f"occlusion/{size}/{folder}/{level}": f"occlusion_{size}_{kind}_{level}"
        for size in ("few_large", "many_small")
        for folder, kind in (("deletion", "deletion"), ("blobs", "blobs"), ("occluder", "partial_viewing"))
        for level in ("low", "high")
    },
}


@dataclass(frozen=True)
class Humans:
    """What people answered, and when. NaN: that observer was not shown that condition.

    Parameters
    ----------
    by_condition
        Dataset (masking, condition), masking "all", "masked", "unmasked": accuracy and accuracy_sem (proportion), rt_ms
        and rt_sem_ms (ms), pooled over trials; the standard errors are over trials, not over observers.
    accuracy
        (observer, condition), proportion right, masked and unmasked trials together.
    rt_ms
        (observer, condition), mean reaction time, ms.
    accuracy_by_rt_bin
        (rt_bin, condition), proportion right in fifths of the trials, 1 the fastest.
    confusions
        int64 (participant, category, answer), trials. The files list these participants in an order that is not that
        of `accuracy`, and do not say which.
    confusions_by_masking
        int64 (masking, category, answer), "masked" and "unmasked".
    confusions_by_rt_bin
        int64 (rt_bin, category, answer).
    """

    by_condition: xr.Dataset
    accuracy: xr.DataArray
    rt_ms: xr.DataArray
    accuracy_by_rt_bin: xr.DataArray
    confusions: xr.DataArray
    confusions_by_masking: xr.DataArray
    confusions_by_rt_bin: xr.DataArray


@dataclass(frozen=True)
class Networks:
    """What the published networks answered; 20 training seeds of each.

    Parameters
    ----------
    accuracy
        (network, seed, condition), proportion right; coordinates label (the paper's short name), architecture
        ("feedforward", "recurrent") and n_parameters along network.
    confusions
        int64 (network, seed, category, answer), pictures, all conditions together. The files do not say whether its
        seeds are in the order of `accuracy`.
    """

    accuracy: xr.DataArray
    confusions: xr.DataArray


@dataclass(frozen=True)
class Maniquet:
    """The study: what was shown, and what people and networks made of it.

    Parameters
    ----------
    stimuli
        1,360 pictures, uint8 (presentation, 128, 128, 1), made from the authors' 700 × 700; table columns stimulus_id,
        condition, category, number (1 to 10), original (category and number: what the manipulated versions of one
        picture share; the whole pictures of most buildings and buses are other pictures than were manipulated).
        People saw these. The networks were tested with ten times as many.
    humans, networks
        Answers.
    published_ceilings
        The authors' 100 resamples: figure, split, measure, resample, value; NaN where their resample has none.
    """

    stimuli: Stimuli
    humans: Humans
    networks: Networks
    published_ceilings: pd.DataFrame


def load(store) -> Maniquet:
    """Read the study.

    Parameters
    ----------
    store
        Data store that holds ``maniquet2025_recurrence/``.

    Raises
    ------
    ValueError
        If files lack conditions, observers or networks, or contradict one another.
    """
    lists = json.loads(store.fetch(f"{FOLDER}/lists.json").read_text())
    conditions, categories = lists["tasks"], lists["categories"]
    _expect(FOLDER, "conditions", N_CONDITIONS, len(set(conditions)))
    _expect(FOLDER, "categories", N_CATEGORIES, len(set(categories)))
    vectors = pd.read_csv(store.fetch(f"{FOLDER}/performance_by_observer.csv.gz"))
    with np.load(store.fetch(f"{FOLDER}/confusions.npz"), allow_pickle=False) as file:
        counts = {name: file[name] for name in file.files}
    if list(counts["categories"]) != categories:
        raise ValueError(
            f"{FOLDER}: expected the confusions' categories {categories}, got {list(counts['categories'])}. "
            "Use files of one version."
        )
    return Maniquet(
        load_stimuli(store, conditions, categories),
        _humans(store, vectors, counts, conditions, categories),
        _networks(vectors, counts, lists),
        pd.read_csv(store.fetch(f"{FOLDER}/noise_ceilings.csv.gz")),
    )


def load_stimuli(store, conditions, categories) -> Stimuli:
    """Read the pictures and what their names say; see `Maniquet`.

    Raises
    ------
    ValueError
        If a name is not one of the study's, or a condition lacks a picture of a category.
    """
    name = f"{FOLDER}/stimuli_gray128_derived.npz"
    with np.load(store.fetch(name), allow_pickle=False) as file:
        names, images = file["names"], file["images"]
    ending = r"(?P<category>" + "|".join(categories) + r")(?P<number>\d+)\.png$"
    table = pd.Series(names).str.extract(r"^stimuli/(?P<folder>.+)/[^/]*?" + ending)
    table["condition"] = table["folder"].map(_FOLDERS)
    unknown = table.isna().any(axis=1)
    if unknown.any():
        raise ValueError(
            f"{name}: expected names stimuli/<manipulation>/…<category><number>.png, got {names[unknown.argmax()]!r} "
            f"(and {unknown.sum() - 1} more). Use the study's names."
        )
    table["number"] = table["number"].astype(int)
    counts = pd.crosstab(table["condition"], table["category"]).reindex(index=conditions, columns=categories)
    if not (counts == N_ORIGINALS).to_numpy().all() or table.duplicated(["condition", "category", "number"]).any():
        raise ValueError(
            f"{name}: expected {N_ORIGINALS} pictures of each category in each of {len(conditions)} conditions, got "
            f"{counts.min().min()} to {counts.max().max()}, of {len(counts.dropna())} conditions. Use the study's file."
        )
    table["original"] = table["category"] + table["number"].astype(str)
    table.insert(0, "stimulus_id", [path.removeprefix("stimuli/").removesuffix(".png") for path in names])
    return Stimuli(images[..., None], table.drop(columns="folder"), "maniquet2025")


def _humans(store, vectors, counts, conditions, categories) -> Humans:
    bins = [f"bin{k}" for k in range(1, N_RT_BINS + 1)]
    by_bin = _pivot(vectors, "human_rt_bin", "accuracy", conditions)
    _expect(f"{FOLDER}: people's accuracy", "bins of reaction time", bins, list(by_bin.index))
    observers = [f"p{k}" for k in range(1, N_OBSERVERS + 1)]
    accuracy = _pivot(vectors, "human", "accuracy", conditions)
    rt = _pivot(vectors, "human", "rt_ms", conditions)
    _expect(f"{FOLDER}: people", "observers", set(observers), set(accuracy.index))
    if not (accuracy.notna() == rt.notna().reindex_like(accuracy)).to_numpy().all():
        raise ValueError(f"{FOLDER}: expected a time wherever there is an accuracy, got others. Use the study's files.")
    masked = np.stack([counts["human/mask"], counts["human/no_mask"]])
    binned = np.stack([counts[f"human/rt_bin_{k}"] for k in range(1, N_RT_BINS + 1)])
    everyone = counts["human/participants"]
    _expect(f"{FOLDER}: confusions", "participants", N_OBSERVERS, len(everyone))
    for what, part in (("masked and unmasked", masked), ("the bins of reaction time", binned)):
        if not np.array_equal(part.sum(axis=0), everyone.sum(axis=0)):
            raise ValueError(
                f"{FOLDER}: expected {what} to add up to all participants' {everyone.sum()} trials, got {part.sum()}. "
                "Use the study's confusions.npz."
            )
    number = {"rt_bin": np.arange(1, N_RT_BINS + 1)}
    return Humans(
        _by_condition(pd.read_csv(store.fetch(f"{FOLDER}/human_by_condition.csv")), conditions),
        _array(accuracy.loc[observers], {"observer": observers, "condition": conditions}, "proportion right"),
        _array(rt.loc[observers], {"observer": observers, "condition": conditions}, "ms"),
        _array(by_bin, {**number, "condition": conditions}, "proportion right"),
        _confusions(everyone, {"participant": np.arange(N_OBSERVERS)}, categories),
        _confusions(masked, {"masking": ["masked", "unmasked"]}, categories),
        _confusions(binned, number, categories),
    )


def _by_condition(table: pd.DataFrame, conditions) -> xr.Dataset:
    """Read the table that has a row per condition: accuracy and time, in all trials, masked and unmasked."""
    _expect(f"{FOLDER}/human_by_condition.csv", "conditions", set(conditions), set(table["task"]))
    table = table.set_index("task").loc[conditions]
    columns = {"accuracy": "{} accuracy", "accuracy_sem": "sem {} accuracy", "rt_ms": "{} RT", "rt_sem_ms": "sem {} RT"}
    coords = {"masking": list(MASKING), "condition": conditions}
    values = {
        name: _array(
            np.stack([table[column.format(word)] for word in MASKING.values()]),
            coords,
            "ms" if name.endswith("ms") else "proportion right",
        )
        for name, column in columns.items()
    }
    return xr.Dataset(values, attrs={"citation": CITATION})


def _networks(vectors, counts, lists) -> Networks:
    names, conditions = lists["models"], lists["tasks"]
    kinds = [lists["model_architectures"][name] for name in names]
    _expect(f"{FOLDER}: networks", "architectures", set(ARCHITECTURES), set(kinds))
    seeds = [f"seed{k}" for k in range(N_SEEDS)]
    accuracy = []
    for name in names:
        table = _pivot(vectors, name, "accuracy", conditions)
        _expect(f"{FOLDER}: {name}", "seeds", set(seeds), set(table.index))
        accuracy.append(table.loc[seeds].to_numpy())
    coords = {
        "network": names,
        "label": ("network", [lists["model_names"][name] for name in names]),
        "architecture": ("network", kinds),
        "n_parameters": ("network", [lists["model_sizes"][name] for name in names]),
    }
    confusions = np.stack([counts[f"model/{name}"] for name in names])
    values = _array(np.stack(accuracy), {"network": names, "seed": seeds, "condition": conditions}, "proportion right")
    by_seed = _confusions(confusions, {"network": names, "seed_place": np.arange(N_SEEDS)}, lists["categories"])
    return Networks(values.assign_coords(coords), by_seed.assign_coords(coords))


def _pivot(vectors, observer, measure, conditions) -> pd.DataFrame:
    """Lay out one kind of observer's values: replicate × condition, NaN where there is none."""
    rows = vectors[(vectors["observer"] == observer) & (vectors["measure"] == measure)]
    repeated = rows.duplicated(["replicate", "condition"])
    if rows.empty or repeated.any() or not set(rows["condition"]) <= set(conditions):
        raise ValueError(
            f"{FOLDER}: expected one {measure} of {observer} per replicate and condition, got {len(rows)} rows, "
            f"{repeated.sum()} repeated. Use the study's performance_by_observer.csv.gz."
        )
    good = rows["value"].between(0, 1 if measure == "accuracy" else np.inf)
    if not good.all():
        raise ValueError(
            f"{FOLDER}: expected {measure} of {observer} {'from 0 to 1' if measure == 'accuracy' else 'above 0'}, got "
            f"{rows['value'][~good].iloc[0]}. Use the study's performance_by_observer.csv.gz."
        )
    return rows.pivot(index="replicate", columns="condition", values="value").reindex(columns=conditions)


def _confusions(values: NDArray, coords, categories) -> xr.DataArray:
    sizes = tuple(len(labels) for labels in coords.values())
    _expect(f"{FOLDER}: confusions", "shape", (*sizes, N_CATEGORIES, N_CATEGORIES), values.shape)
    return _array(values, {**coords, "category": categories, "answer": categories}, "trials")


def _array(values, coords, units: str) -> xr.DataArray:
    return xr.DataArray(np.asarray(values), coords, tuple(coords), attrs={"units": units, "citation": CITATION})


def _expect(where: str, what: str, expected, got) -> None:
    if expected != got:
        raise ValueError(f"{where}: expected {what} {expected}, got {got}. Use the study's files, unchanged.")
