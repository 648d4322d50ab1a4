"""Show stimuli to a model and keep what its layers do at every step, in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import h5netcdf
import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr
from numpy.typing import NDArray

from neurocnnf.clock import StepClock
from neurocnnf.model import CNNF
from neurocnnf.progress import Progress
from neurocnnf.stimuli import Stimuli
from neurocnnf.validation import check_n_steps

# ITU-R 601 luma, as PIL's "L".
LUMA = (0.299, 0.587, 0.114)
CHUNK = 32
DEFAULT_BUDGET = 4_000_000_000


def record(
    model: CNNF,
    stimuli: Stimuli,
    layers: Sequence[str] | None = None,
    n_steps: int = 5,
    *,
    path: Path | None = None,
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
        ``layer``, ``unit`` (index within the layer, channel-major); attrs say which model, weights and stimuli.

    Raises
    ------
    ValueError
        For an unknown layer or number of steps, or if the recording would not fit in the budget.
    """
    check_n_steps(n_steps, model)
    layers = model.check_layers(model.layer_names if layers is None else layers)
    sizes = layer_sizes(model, layers)
    shape = (n_steps + 1, len(stimuli), sum(sizes.values()))
    if path is None:
        needed = int(np.prod(shape)) * 4
        if needed > memory_budget:
            raise ValueError(
                f"record: expected at most {memory_budget / 1e9:.1f} GB, got {needed / 1e9:.1f} GB ({len(stimuli)} "
                f"presentations × {shape[2]} neuroids × {shape[0]} steps). Pass path=..., fewer layers, or a larger "
                "memory_budget."
            )
        values = np.empty(shape, np.float32)
        _fill(values, model, stimuli, layers, n_steps, progress)
        return _assembly(values, model, stimuli, sizes, clock)
    partial = path.with_suffix(path.suffix + ".partial")
    empty = np.broadcast_to(np.float32(0), (n_steps + 1, 0, shape[2]))
    frame = _assembly(empty, model, stimuli.subset(slice(0, 0)), sizes, clock)
    _write(partial, frame, shape, model, stimuli, layers, n_steps, progress)
    partial.replace(path)
    return xr.open_dataarray(path, engine="h5netcdf")


def each_layer(
    model: CNNF, stimuli: Stimuli, layers: Sequence[str], n_steps: int, progress: Progress | None = None
) -> dict[str, NDArray[np.float32]]:
    """Return layer -> float32 (step, presentation, unit), all in memory: the form that scoring wants."""
    check_n_steps(n_steps, model)
    layers = model.check_layers(layers)
    sizes = layer_sizes(model, layers)
    out = {layer: np.empty((n_steps + 1, len(stimuli), size), np.float32) for layer, size in sizes.items()}
    for step, rows, activations in stream(model, stimuli, layers, n_steps, progress):
        for layer, values in activations.items():
            out[layer][step, rows] = values
    return out


def stream(
    model: CNNF, stimuli: Stimuli, layers: Sequence[str], n_steps: int, progress: Progress | None = None
) -> Iterator[tuple[int, slice, dict[str, NDArray[np.float32]]]]:
    """Yield (step, presentations, layer -> (presentation, unit)) in chunks of presentations.

    Parameters
    ----------
    model, stimuli, layers, n_steps, progress
        As in `record`.
    """
    layers = model.check_layers(layers)
    with torch.inference_mode():
        for start in range(0, len(stimuli), CHUNK):
            rows = slice(start, min(start + CHUNK, len(stimuli)))
            images = prepare(stimuli.images[rows], model)
            if start == 0:
                model.unroll(images[:1], n_steps)  # checks what needs checking, once
            for out in model.steps(images, n_steps, layers=layers):
                yield out.step, rows, {name: a.flatten(1).numpy() for name, a in out.activations.items()}
            if progress:
                progress("record", rows.stop, len(stimuli))


def prepare(images: NDArray[np.uint8], model: CNNF) -> torch.Tensor:
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
    x = torch.from_numpy(np.ascontiguousarray(images)).to(weight).permute(0, 3, 1, 2)
    if model.channels == 1 and x.shape[1] == 3:
        x = torch.einsum("icyx,c->iyx", x, torch.tensor(LUMA).to(x))[:, None]
    elif model.channels == 3 and x.shape[1] == 1:
        x = x.expand(-1, 3, -1, -1)
    size = (model.image_size, model.image_size)
    if x.shape[2:] != size:
        x = F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
    return (x / 127.5 - 1).clamp(-1, 1)


def layer_sizes(model: CNNF, layers: Sequence[str]) -> dict[str, int]:
    """Return layer -> number of units."""
    weight = next(model.parameters())
    blank = torch.zeros(1, model.channels, model.image_size, model.image_size).to(weight)
    with torch.no_grad():
        (out,) = model.steps(blank, 0, layers=tuple(layers))
    return {layer: out.activations[layer].numel() for layer in layers}


def _fill(values, model, stimuli, layers, n_steps, progress, offset: int = 0) -> None:
    """Write activations into `values` (step, presentation, neuroid), whose row 0 is presentation `offset`."""
    edges = np.cumsum([0, *layer_sizes(model, layers).values()])
    for step, rows, activations in stream(model, stimuli, layers, n_steps, progress):
        here = slice(rows.start - offset, rows.stop - offset)
        for layer, first, last in zip(layers, edges[:-1], edges[1:], strict=True):
            values[step, here, first:last] = activations[layer]


def _assembly(values, model: CNNF, stimuli: Stimuli, sizes: dict[str, int], clock: StepClock | None) -> xr.DataArray:
    n_steps = values.shape[0] - 1
    coords = {column: ("presentation", stimuli.table[column].to_numpy()) for column in stimuli.table}
    layer = np.repeat(list(sizes), list(sizes.values()))
    unit = np.concatenate([np.arange(size) for size in sizes.values()])
    coords["neuroid_id"] = ("neuroid", np.char.add(np.char.add(layer, "."), unit.astype(str)))
    coords["layer"], coords["unit"] = ("neuroid", layer), ("neuroid", unit)
    coords["step"] = ("step", np.arange(n_steps + 1))
    if clock:
        bins = clock.time_bins(n_steps)
        coords["time_bin_start"], coords["time_bin_end"] = ("step", bins[:, 0]), ("step", bins[:, 1])
    attrs = {
        "model": model.name,
        "weights_sha256": model.card.get("sha256", "untrained or changed"),
        "feedback_to": model.feedback_to,
        "feedback_rate": model.feedback_rate,
        "stimuli": stimuli.identifier,
    }
    array = xr.DataArray(
        values, dims=("step", "presentation", "neuroid"), coords=coords, attrs=attrs, name="activation"
    )
    return array.transpose("presentation", "neuroid", "step")


def _write(path: Path, frame, shape, model, stimuli, layers, n_steps, progress) -> None:
    """Stream into a NetCDF file with the coordinates of `frame`; whole presentations are contiguous on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n_presentations = shape[1]
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {"step": shape[0], "presentation": n_presentations, "neuroid": shape[2]}
        for name, coordinate in frame.coords.items():
            values = coordinate.values if "presentation" not in coordinate.dims else stimuli.table[name].to_numpy()
            _write_coordinate(file, str(name), coordinate.dims, values)
        variable = file.create_variable(
            "activation", ("presentation", "neuroid", "step"), np.float32, chunks=(1, shape[2], 1)
        )
        variable.attrs["coordinates"] = " ".join(str(n) for n in frame.coords if n not in frame.dims)
        for key, value in frame.attrs.items():
            variable.attrs[key] = value
        buffer = np.empty((shape[0], CHUNK, shape[2]), np.float32)
        for start in range(0, n_presentations, CHUNK):
            part = stimuli.subset(slice(start, start + CHUNK))
            _fill(buffer, model, part, layers, n_steps, None)
            for step in range(shape[0]):
                variable[start : start + len(part), :, step] = buffer[step, : len(part)]
            if progress:
                progress("record", start + len(part), n_presentations)


def _write_coordinate(file, name: str, dims, values) -> None:
    if values.dtype.kind in "OU":
        import h5py

        variable = file.create_variable(name, dims, h5py.string_dtype())
        variable[...] = values.astype(object)
    elif values.dtype == bool:  # NetCDF has none; this is how xarray keeps and reads them
        variable = file.create_variable(name, dims, np.int8)
        variable[...] = values.astype(np.int8)
        variable.attrs["dtype"] = "bool"
    else:
        file.create_variable(name, dims, values.dtype)[...] = values
