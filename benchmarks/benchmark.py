"""What all benchmarks share: the files they need, and what surrounds a score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar

from benchmarks.inputs import EachLayer, as_model, default_each_layer, files_available, files_used, open_store
from benchmarks.score import Score, make_provenance, used_steps
from neurocnnf.progress import Progress


@dataclass(frozen=True)
class Run:
    """One model on its way through a benchmark.

    Parameters
    ----------
    model
        With ``name``, ``layer_names``, ``recurrent``.
    layers
        Names of the layers that are scored.
    n_steps
        Feedback passes; 0 for a feedforward model.
    seed
        Of everything drawn at random.
    each_layer
        What records the model.
    progress
        Called with (what, done, total); None: nobody listens.
    """

    model: Any
    layers: tuple[str, ...]
    n_steps: int
    seed: int
    each_layer: EachLayer
    progress: Progress | None = None

    def tell(self, what: str, done: int, total: int) -> None:
        """Report progress, if anybody listens."""
        if self.progress:
            self.progress(f"{self.model.name}: {what}", done, total)


@dataclass(frozen=True)
class Benchmark(ABC):
    """A benchmark; calling it scores a model.

    Parameters
    ----------
    identifier
        ``<study>.<what>``.
    studies
        Names, or patterns of names, of the files it needs from the data store.
    source
        ``source(store, model, n_steps, seed, each_layer)`` returns the recordings, and the stimuli that belong to
        them.
    simulated
        Whether the recordings are simulated.
    store
        Where the files are; a `DataStore` with its defaults where None.
    quick
        A small subsample, or fewer resamples: a check, not a result.
    each_layer
        What records the model; `neurocnnf.record.each_layer` where None.
    """

    QUICK_NOTE: ClassVar[str] = "quick: few resamples, not a result"
    READS_LAYERS: ClassVar[bool] = True

    identifier: str
    studies: tuple[str, ...]
    source: Callable[..., Any]
    _: KW_ONLY
    simulated: bool = False
    store: Any = None
    quick: bool = False
    each_layer: EachLayer | None = None

    def available(self, store=None) -> bool:
        """Say whether the files are at hand without downloading."""
        return files_available(self.studies, store or self.store)

    def __call__(
        self,
        model,
        n_steps: int = 5,
        seed: int = 0,
        progress: Progress | None = None,
        layers: tuple[str, ...] | None = None,
    ) -> Score:
        """Score a model at every step.

        Parameters
        ----------
        model
            With ``name``, ``layer_names``, ``recurrent``, or a Brain-Score ``BrainModel``; a feedforward one is scored
            at step 0.
        n_steps
            Feedback passes.
        seed
            Of everything drawn at random: folds, split halves, resamples.
        progress
            Called with (what, done, total).
        layers
            Names; all of the model's where None.

        Returns
        -------
        Score
            `value` at the last step; `chosen` says of which layer, and how that was chosen.

        Raises
        ------
        ValueError
            If layers are named to a benchmark that reads answers.
        """
        if layers is not None and not self.READS_LAYERS:
            raise ValueError(
                f"layers: expected None, got {layers!r}: {self.identifier} reads answers, not layers. Leave it out."
            )
        model = as_model(model)
        store = open_store(self.studies, self.store)
        run = Run(
            model,
            tuple(model.layer_names if layers is None else layers),
            used_steps(model, n_steps),
            seed,
            self.each_layer or default_each_layer(),
            progress,
        )
        score = self._score(run, self._read(run, store))
        return replace(
            score,
            notes=((self.QUICK_NOTE,) if self.quick else ()) + score.notes,
            provenance=make_provenance(model, run.n_steps, seed, store, files_used(self.studies, store)),
        )

    def _read(self, run: Run, store) -> Any:
        return self.source(store=store, model=run.model, n_steps=run.n_steps, seed=run.seed, each_layer=run.each_layer)

    @abstractmethod
    def _score(self, run: Run, data: Any) -> Score:
        """Score what the source gave; notes on `quick` and provenance are added by the caller."""
