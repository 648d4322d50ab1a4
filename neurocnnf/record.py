"""Show stimuli to a model and keep what its layers do at every step, in one pass."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr
from numpy.typing import NDArray

from neurocnnf.clock import StepClock
from neurocnnf.progress import Progress
from neurocnnf.stages import package_versions, weights_hash, write_atomically
from neurocnnf.stimuli import ImageArray, Stimuli
from neurocnnf.unrolled import UnrolledModel
from neurocnnf.validation import check_n_steps

# ITU-R 601 luma, as PIL's "L".
LUMA = (0.299, 0.587, 0.114)
CHUNK = 32
PIECE = 8  # presentations in one piece on disk; the last piece is padded
DEFAULT_BUDGET = 4_000_000_000

Blocks = Iterator[tuple[int, slice, dict[str, torch.Tensor]]]


def record(
    model: UnrolledModel,
    stimuli: Stimuli,
    layers: Sequence[str] | None = None,
    n_steps: int = 5,
    *,
    path: str | Path | None = None,
    clock: StepClock | None = None,
    memory_budget: int = DEFAULT_BUDGET,
    progress: Progress | None = None,
) -> xr.DataArray:
    """Record layers at every step.

    Parameters
    ----------
    model
        What to record from.
    stimuli
        What to show; resized and converted to the model's size and colours by `prepare`.
    layers
        Names; all of them where None.
    n_steps
        Number of feedback passes.
    path
        Write to this NetCDF file, 32 presentations at a time, and return it opened: memory then does not grow with the
        number of images.
    clock
        Adds ``time_bin_start`` and ``time_bin_end`` (ms) to each step. There is none by default.
    memory_budget
        Bytes that a recording without a `path` may take.
    progress
        Called with ("record", presentations done, all presentations).

    Returns
    -------
    xarray.DataArray
        float32, dims (presentation, neuroid, step); presentation: the table's columns; neuroid: ``neuroid_id``,
        ``layer``, ``unit`` (index within the layer, channel-major); attrs: ``model``, ``feedback_to``,
        ``feedback_rate``, ``n_steps``, ``weights_sha256`` (as `neurocnnf.stages.weights_hash`), ``stimuli``,
        ``images_sha256`` (of the stimuli's uint8 images, in their order) and ``neurocnnf_version``.

    Raises
    ------
    ValueError
        For no layer, a repeated or an unknown one, a number of steps that the model cannot take, or if the recording
        would not fit in the budget.
    """
    check_n_steps(n_steps, model)
    layers = model.check_layers(model.layer_names if layers is None else layers)
    sizes = layer_sizes(model, layers)
    shape = (n_steps + 1, len(stimuli), sum(sizes.values()))
    if path is None:
        _check_budget(shape, memory_budget)
    images = _Hashed(stimuli.images)
    blocks = _activations(model, replace(stimuli, images=images), layers, n_steps, progress)
    coords = _coordinates(stimuli, sizes, n_steps, clock)
    attrs = _provenance(model, stimuli, n_steps)
    if path is not None:
        path = write_atomically(Path(path), lambda part: _write(part, blocks, shape, coords, attrs, images))
        return xr.open_dataarray(path, engine="h5netcdf")
    values = np.empty(shape, np.float32)
    for step, rows, activations in blocks:
        _fill(values[step, rows], activations)
    attrs["images_sha256"] = images.digest.hexdigest()
    dims = ("step", "presentation", "neuroid")
    return xr.DataArray(values, coords, dims, "activation", attrs).transpose("presentation", "neuroid", "step")


def each_layer(
    model: UnrolledModel, stimuli: Stimuli, layers: Sequence[str], n_steps: int, progress: Progress | None = None
) -> dict[str, NDArray[np.float32]]:
    """Return layer -> float32 (step, presentation, unit), all in memory: the form that scoring wants."""
    check_n_steps(n_steps, model)
    layers = model.check_layers(layers)
    sizes = layer_sizes(model, layers)
    out = {layer: np.empty((n_steps + 1, len(stimuli), size), np.float32) for layer, size in sizes.items()}
    for step, rows, activations in _activations(model, stimuli, layers, n_steps, progress):
        for layer, values in activations.items():
            _fill(out[layer][step, rows], {layer: values})
    return out


def stream(
    model: UnrolledModel, stimuli: Stimuli, layers: Sequence[str], n_steps: int, progress: Progress | None = None
) -> Iterator[tuple[int, slice, dict[str, NDArray[np.float32]]]]:
    """Yield (step, presentations, layer -> (presentation, unit)) in chunks of presentations.

    Parameters
    ----------
    model, stimuli, layers, n_steps, progress
        As in `record`.
    """
    for step, rows, activations in _activations(model, stimuli, layers, n_steps, progress):
        # numpy knows no bfloat16, and cannot read a GPU's memory
        yield step, rows, {name: a.flatten(1).float().cpu().numpy() for name, a in activations.items()}


def _activations(model, stimuli, layers, n_steps, progress) -> Blocks:
    check_n_steps(n_steps, model)
    layers = model.check_layers(layers)
    with torch.inference_mode():
        for start in range(0, len(stimuli), CHUNK):
            rows = slice(start, min(start + CHUNK, len(stimuli)))
            images = prepare(stimuli.images[rows], model)
            for out in model.steps(images, n_steps, layers=layers):
                yield out.step, rows, out.activations
            if progress:
                progress("record", rows.stop, len(stimuli))


def prepare(images: NDArray[np.uint8], model) -> torch.Tensor:
    """Bring uint8 images (image, y, x, channel) to a model's size, colours and range [-1, 1].

    Colour becomes luma (ITU-R 601) for a gray model, gray is repeated for a colour model; resizing is bilinear with
    antialiasing.

    Raises
    ------
    TypeError
        If the images are not uint8.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise TypeError(
            f"images: expected uint8 (image, y, x, channel 1 or 3), got {images.dtype} {images.shape}. "
            "Scale to 0 … 255 and add the channel axis."
        )
    weight = next(model.parameters())
    precision = torch.promote_types(weight.dtype, torch.float32)  # half precision cannot be resized everywhere
    x = torch.from_numpy(np.ascontiguousarray(images)).to(weight.device, precision).permute(0, 3, 1, 2)
    if model.channels == 1 and x.shape[1] == 3:
        x = torch.einsum("icyx,c->iyx", x, torch.tensor(LUMA).to(x))[:, None]
    elif model.channels == 3 and x.shape[1] == 1:
        x = x.expand(-1, 3, -1, -1)
    size = (model.image_size, model.image_size)
    if x.shape[2:] != size:
        x = F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
    return (x / 127.5 - 1).clamp(-1, 1).to(weight)


def layer_sizes(model: UnrolledModel, layers: Sequence[str]) -> dict[str, int]:
    """Return layer -> number of units."""
    weight = next(model.parameters())
    blank = torch.zeros(1, model.channels, model.image_size, model.image_size).to(weight)
    with torch.no_grad():
        (out,) = model.steps(blank, 0, layers=tuple(layers))
    return {layer: out.activations[layer].numel() for layer in layers}


def _check_budget(shape: tuple[int, int, int], memory_budget: int) -> None:
    needed = int(np.prod(shape)) * 4
    if needed > memory_budget:
        raise ValueError(
            f"record: expected at most {memory_budget / 1e9:.1f} GB, got {needed / 1e9:.1f} GB ({shape[1]} "
            f"presentations × {shape[2]} neuroids × {shape[0]} steps). Pass path=..., fewer layers, or a larger "
            "memory_budget."
        )


class _Hashed:
    """Images that are hashed as they are read: `stream` reads each once, in their order."""

    def __init__(self, images: ImageArray):
        self.images, self.digest = images, hashlib.sha256()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index) -> NDArray[np.uint8]:
        images = self.images[index]
        self.digest.update(images.tobytes())
        return images


def _fill(out: NDArray[np.float32], activations: Mapping[str, torch.Tensor]) -> None:
    """Write layers' activations (presentation, ...) side by side into (presentation, neuroid), in a single copy."""
    to, start = torch.from_numpy(out), 0
    for activation in activations.values():
        units = activation[0].numel()
        to[:, start : start + units].unflatten(1, activation.shape[1:]).copy_(activation)
        start += units


def _coordinates(
    stimuli: Stimuli, sizes: Mapping[str, int], n_steps: int, clock: StepClock | None
) -> dict[str, tuple[str, NDArray]]:
    """Return name -> (dimension, values)."""
    coords = {str(column): ("presentation", stimuli.table[column].to_numpy()) for column in stimuli.table}
    coords["neuroid_id"] = ("neuroid", np.array([f"{name}.{i}" for name, size in sizes.items() for i in range(size)]))
    coords["layer"] = ("neuroid", np.repeat(list(sizes), list(sizes.values())))
    coords["unit"] = ("neuroid", np.concatenate([np.arange(size) for size in sizes.values()]))
    coords["step"] = ("step", np.arange(n_steps + 1))
    if clock:
        bins = clock.time_bins(n_steps)
        coords["time_bin_start"], coords["time_bin_end"] = ("step", bins[:, 0]), ("step", bins[:, 1])
    return coords


def _provenance(model: UnrolledModel, stimuli: Stimuli, n_steps: int) -> dict[str, Any]:
    return {
        "model": model.name,
        "weights_sha256": weights_hash(model),
        "feedback_to": model.feedback_to,
        "feedback_rate": model.feedback_rate,
        "n_steps": int(n_steps),
        "stimuli": stimuli.identifier,
        "neurocnnf_version": package_versions(["neurocnnf"])["version:neurocnnf"],
    }


def _write(path: Path, blocks: Blocks, shape: tuple[int, int, int], coords, attrs, images: _Hashed) -> None:
    """Stream into a NetCDF file, whose pieces hold all neuroids of a few presentations at one step."""
    n_steps, n_presentations, n_neuroids = shape
    rows_of_piece = max(1, min(math.gcd(PIECE, CHUNK), n_presentations))
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {"step": n_steps, "presentation": n_presentations, "neuroid": n_neuroids}
        for name, (dimension, values) in coords.items():
            _write_coordinate(file, name, dimension, values)
        dims = ("presentation", "neuroid", "step")
        variable = file.create_variable("activation", dims, np.float32, chunks=(rows_of_piece, n_neuroids, 1))
        variable.attrs.update({**attrs, "coordinates": " ".join(name for name in coords if name not in dims)})
    buffer = np.zeros((CHUNK, n_neuroids), np.float32)
    with h5py.File(path, "r+") as file:
        values = file["activation"]
        for step, rows, activations in blocks:
            _fill(buffer[: rows.stop - rows.start], activations)
            # Whole pieces, past HDF5's selections, which would go element by element: the last axis is one step.
            for first in range(rows.start, rows.stop, rows_of_piece):
                piece = buffer[first - rows.start :][:rows_of_piece]
                values.id.write_direct_chunk((first, 0, step), piece.data)
        values.attrs["images_sha256"] = images.digest.hexdigest()


def _write_coordinate(file, name: str, dimension: str, values) -> None:
    if values.dtype.kind in "OU":
        variable = file.create_variable(name, (dimension,), h5py.string_dtype())
        variable[...] = values.astype(object)
    elif values.dtype == bool:  # NetCDF has none; this is how xarray keeps and reads them
        variable = file.create_variable(name, (dimension,), np.int8)
        variable[...] = values.astype(np.int8)
        variable.attrs["dtype"] = "bool"
    else:
        file.create_variable(name, (dimension,), values.dtype)[...] = values
