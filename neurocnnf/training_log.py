"""What training says of each optimiser step: a row of ``log.csv``, and a point on TensorBoard's curves."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

LOG, EVENTS = "log.csv", "events.out.tfevents.*"
LOG_COLUMNS = (
    "batch", "n_steps", "loss", "reconstruction_error", "accuracy", "accuracy_by_step", "learning_rate",
    "images_per_second", "seconds",
)  # fmt: skip
_CURVES = ("loss", "reconstruction_error", "learning_rate", "images_per_second")


class TrainingLog:
    """The log of one run, opened anew where it goes on; a context manager, which closes TensorBoard's file.

    Parameters
    ----------
    folder
        Where ``log.csv`` and TensorBoard's events go (``tensorboard --logdir`` takes it, or the folder above).
    done
        Optimiser steps that were saved. Rows of later ones, which will be taken again, are dropped; TensorBoard is
        told to forget them.
    seconds
        Of training, up to there.

    Raises
    ------
    ValueError
        If ``log.csv`` there has other columns.
    """

    def __init__(self, folder: Path, done: int, seconds: float):
        from torch.utils.tensorboard import SummaryWriter  # a second to import, for training alone

        self._path, self._seconds = folder / LOG, seconds
        self._forget(done)
        self._events = SummaryWriter(folder, purge_step=done, flush_secs=10)

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(self, *exception: object) -> None:
        self._events.close()

    def write(self, batch: int, n_images: int, seconds: float, accuracies: Sequence[float], **values: float) -> None:
        """Add an optimiser step.

        Parameters
        ----------
        batch, n_images
            Its number, from 0, and how many images of the training set it saw.
        seconds
            Of training, up to its end.
        accuracies
            Of its clean images, by step.
        **values
            ``loss``, ``reconstruction_error`` and ``learning_rate``.
        """
        values["images_per_second"] = round(n_images / max(seconds - self._seconds, 1e-9), 1)
        self._seconds = seconds
        by_step = " ".join(f"{accuracy:.4f}" for accuracy in accuracies)
        row: dict[str, float | str] = {
            "batch": batch,
            "n_steps": len(accuracies) - 1,
            "accuracy": round(accuracies[-1], 5),
            "accuracy_by_step": by_step,
        }
        self._add_row(row | values | {"seconds": round(seconds, 2)})
        for name in _CURVES:
            self._events.add_scalar(name, values[name], batch)
        for step, accuracy in enumerate(accuracies):
            self._events.add_scalar(f"accuracy/step {step}", accuracy, batch)

    def flush(self) -> None:
        """Bring TensorBoard's file up to date; the table always is."""
        self._events.flush()

    def _forget(self, done: int) -> None:
        if self._path.exists():
            header, *rows = self._path.read_bytes().splitlines(keepends=True)
            if header.decode().strip() != ",".join(LOG_COLUMNS):
                raise ValueError(
                    f"{self._path}: expected the columns {', '.join(LOG_COLUMNS)}, got {header.decode().strip()}. "
                    "Finish the run with the version that began it, or start anew (--fresh)."
                )
            self._path.write_bytes(header + b"".join(row for row in rows if int(row.split(b",")[0]) < done))

    def _add_row(self, row: dict[str, float | str]) -> None:
        new = not self._path.exists()
        with self._path.open("a", newline="") as file:  # closed after each: a row is never lost
            writer = csv.DictWriter(file, LOG_COLUMNS)
            if new:
                writer.writeheader()
            writer.writerow(row)
