"""When does a model know: readouts of time from answers over steps, one pure function each, right-censored.

Every function takes what the model said or did for each presentation and gives a step, with a flag where there is
none within the steps looked at. Crossings of a bound are interpolated linearly between steps. None of them looks at
human times; bounds come from outside (`analysis.bounds` fits them on other objects and subjects than are scored).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.solution_step import SolutionSteps


@dataclass(frozen=True)
class ModelTimes:
    """Times of presentations, in steps, right-censored.

    Parameters
    ----------
    step
        float64, (presentation,), the time where `reached`; elsewhere the last step looked at.
    reached
        bool, (presentation,).
    n_steps
        Last step looked at.
    """

    step: NDArray[np.float64]
    reached: NDArray[np.bool_]
    n_steps: int

    @property
    def reported(self) -> NDArray[np.float64]:
        """Time, (presentation,), NaN where it was not reached."""
        return np.where(self.reached, self.step, np.nan)

    @classmethod
    def from_solution(cls, steps: SolutionSteps) -> ModelTimes:
        """Take over solution steps (`analysis.solution_step.solution_steps`)."""
        return cls(steps.step.astype(np.float64), steps.solved, steps.n_steps)


def softmax(decisions: ArrayLike, temperature: float | NDArray = 1.0) -> NDArray[np.float64]:
    """Posteriors (..., category) from decision values or logits; `temperature` broadcasts against (..., category)."""
    scaled = np.asarray(decisions, np.float64) / temperature
    scaled = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return scaled / scaled.sum(axis=-1, keepdims=True)


def entropy(posteriors: NDArray) -> NDArray[np.float64]:
    """Entropy as a share of the largest there is, (step, presentation), 0 (sure) to 1 (knows nothing)."""
    p = _checked(posteriors)
    return -(p * np.log(np.maximum(p, np.finfo(float).tiny))).sum(axis=-1) / np.log(p.shape[-1])


def crossing(values: ArrayLike, bound: ArrayLike, first_step: int = 0) -> ModelTimes:
    """First time at which values rise to a bound, linear between steps.

    Parameters
    ----------
    values
        (step, presentation), finite.
    bound
        Number, or (presentation,). At `first_step` itself there is nothing before to interpolate from.
    first_step
        Step that the first row belongs to: 1 for differences between steps.

    Raises
    ------
    ValueError
        If values are not (step, presentation) or not finite.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError(
            f"crossing: expected finite values (step, presentation), got shape {values.shape} with "
            f"{np.count_nonzero(~np.isfinite(values))} not finite. Check the model's answers."
        )
    bound = np.broadcast_to(np.asarray(bound, np.float64), values.shape[1:])
    above = values >= bound
    reached, at, column = above.any(axis=0), above.argmax(axis=0), np.arange(values.shape[1])
    before = values[np.maximum(at - 1, 0), column]
    rise = values[at, column] - before
    share = np.where(at > 0, (bound - before) / np.where(rise > 0, rise, 1.0), 1.0)
    last = first_step + len(values) - 1
    step = np.where(at > 0, at - 1 + share, 0.0) + first_step
    return ModelTimes(np.where(reached, step, last), reached, last)


def observer_step(posteriors: NDArray, labels: ArrayLike, accuracy: ArrayLike) -> ModelTimes:
    """When the right answer's posterior reaches the observer's own accuracy.

    After the object solution time of Kar et al. (2019, Nat. Neurosci. 22:974): the time at which a decoder of IT is
    as good as the observer. There a population's trials give an image's accuracy at each time; here the calibrated
    posterior of one presentation stands for it. Assumes that posteriors are calibrated (`bounds.fit_temperature`). A
    rule on d′ is the same one: with a fixed number of alternatives d′ rises strictly with accuracy.

    Parameters
    ----------
    posteriors
        (step, presentation, category).
    labels
        (presentation,), index of the right category.
    accuracy
        The observers' accuracy to be reached, a number or (presentation,).
    """
    p = _checked(posteriors)
    return crossing(p[:, np.arange(p.shape[1]), np.asarray(labels)], accuracy)


def decision_step(
    posteriors: NDArray, bound: float, measure: Literal["entropy", "posterior"] = "entropy"
) -> ModelTimes:
    """When the answer is sure enough, right or wrong (Spoerer et al. 2020, PLoS Comput. Biol. 16:e1008215).

    Assumes one bound for all presentations that does not move in time.

    Parameters
    ----------
    posteriors
        (step, presentation, category).
    bound
        The time is the first at which the normalised entropy falls to it, or the largest posterior rises to it.
    measure
        ``"entropy"`` or ``"posterior"``.

    Raises
    ------
    ValueError
        If the measure is unknown.
    """
    if measure == "entropy":
        return crossing(-entropy(posteriors), -bound)
    if measure == "posterior":
        return crossing(_checked(posteriors).max(axis=2), bound)
    raise ValueError(f"decision_step: expected measure 'entropy' or 'posterior', got {measure!r}. Choose one.")


def evidence_step(
    posteriors: NDArray, bound: float, noise: float = 0.1, n_draws: int = 21, seed: int = 0
) -> ModelTimes:
    """When evidence, added up over steps, first carries one category to a bound: a race with noise.

    After RTNet (Rafiei et al. 2024, Nat. Hum. Behav. 8:1752), where evidence of noisy feedforward sweeps races to a
    bound; here each step's posterior is the evidence, with independent Gaussian noise added. The time is the median
    over draws, censored where most draws did not end. Nothing is accumulated before step 0, so the time starts at 0
    for what step 0 alone decides.

    Parameters
    ----------
    posteriors
        (step, presentation, category).
    bound
        In units of summed posterior.
    noise
        Standard deviation of the noise per step and category.
    n_draws, seed
        Draws of the noise (odd, for a median), and their seed.
    """
    p, rng, found = _checked(posteriors), np.random.default_rng(seed), []
    for _ in range(n_draws if noise else 1):
        total = np.cumsum(p + noise * rng.standard_normal(p.shape), axis=0).max(axis=2)
        times = crossing(total, bound)
        found.append(np.where(times.reached, times.step, np.inf))
    step = np.sort(np.array(found), axis=0)[len(found) // 2]
    reached = np.isfinite(step)
    return ModelTimes(np.where(reached, step, len(p) - 1.0), reached, len(p) - 1)


def commitment_step(decisions: NDArray) -> ModelTimes:
    """First step from which on the answer never changes; censored where it changed at the last step.

    What is answered is not asked. An answer given for the first time at the last step looked at may still change.

    Parameters
    ----------
    decisions
        (step, presentation, category), decision values, logits or posteriors; ties go to the first category.
    """
    answers = np.asarray(decisions).argmax(axis=2)
    changed = answers[1:] != answers[:-1]
    n_steps = len(answers) - 1
    last = np.where(changed.any(axis=0), n_steps - changed[::-1].argmax(axis=0), 0) if n_steps else answers[0] * 0
    return ModelTimes(last.astype(np.float64), (last < n_steps) | (n_steps == 0), n_steps)


def convergence_step(movement: NDArray, epsilon: float) -> ModelTimes:
    """When the model agrees with itself: the first step whose distance from the one before is ε or less.

    CNN-F's own time: its iterations seek a fixed point of feedforward and feedback pass (Huang et al. 2020). Assumes
    that a small distance means convergence and not a slow drift.

    Parameters
    ----------
    movement
        (step - 1, presentation), distance of steps 1 … from the ones before: `decoded_study.relative_movement` of
        features, or `answer_divergence`.
    epsilon
        In units of `movement`.
    """
    return crossing(-np.asarray(movement, np.float64), -epsilon, first_step=1)


def answer_divergence(posteriors: NDArray) -> NDArray[np.float64]:
    """KL(p_t ‖ p_{t−1}) of answers, nats, (step - 1, presentation)."""
    log = np.log(np.maximum(_checked(posteriors), np.finfo(float).tiny))
    return (np.exp(log[1:]) * (log[1:] - log[:-1])).sum(axis=2)


def uncertainty_area(posteriors: NDArray) -> ModelTimes:
    """ξ, the area under uncertainty over steps (Goetschalckx et al. 2023, NeurIPS 36).

    Their uncertainty comes from an evidential readout trained for it; here it is the posterior's normalised entropy.
    Trapezoids between steps; in steps, 0 to n_steps. Defined for every presentation, so never censored.
    """
    h = entropy(posteriors)
    return ModelTimes((h[1:] + h[:-1]).sum(axis=0) / 2, np.ones(h.shape[1], bool), len(h) - 1)


def feedforward_time(posteriors: NDArray) -> ModelTimes:
    """Time that the feedforward sweep would claim from its confidence alone: the null that recurrence must beat.

    The normalised entropy at step 0: less sure, later. Its unit is not a step; only its order and its linear relation
    to other times are used. Never censored.
    """
    return ModelTimes(entropy(np.asarray(posteriors)[:1])[0], np.ones(np.shape(posteriors)[1], bool), 0)


def _checked(posteriors) -> NDArray[np.float64]:
    p = np.asarray(posteriors, np.float64)
    if p.ndim != 3 or not np.isfinite(p).all() or (p < 0).any() or not np.allclose(p.sum(axis=-1), 1, atol=1e-6):
        raise ValueError(
            f"posteriors: expected (step, presentation, category) of 0 or more that sum to 1, got shape {p.shape}. "
            "Pass decision values through `softmax` first."
        )
    return p
