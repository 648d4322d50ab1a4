"""Figure: accuracy of CNN-F and its controls over seeds, answering by the mean over their steps.

Run ``python -m figures.averages --in build/averages/accuracy --out build/figures/averages``.
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.accuracy_spread import QUANTITY
from figures.files import arguments, joined, read_parts, save
from figures.seed_spread import SCORES, SUMMARY, draw
from figures.style import styled

CAPTION = """Accuracy of CNN-F and its controls over seeds, answering by the mean of the logits of all steps (of a
feedforward network: of its one). Left: each seed (small), and their mean. Right: difference from the feedforward
control of the same seed: each seed's (small), mean, and 95 % interval (Student's t over seeds, the same images; none
where all seeds differ alike; not corrected for the number of rows). Corruptions: means over three levels. n: images.
Numbers on the right: seeds measured, of all; p of no difference, Holm over a model's conditions."""


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from the tables."""
    options = arguments(CAPTION.split(".")[0], "tables of analysis.accuracy_spread, without an ending", argv)
    parts = read_parts(options.inputs, {"scores": SCORES, "summary": SUMMARY})
    if set(parts["scores"]["quantity"]) != {QUANTITY["average"]}:
        raise ValueError("expected accuracies by the mean over steps, got others. Use `evaluate --readout average`.")
    with styled():
        figure = draw(**parts, quantity="accuracy", heading="CNN-F and its controls, by the mean over steps")
        save(figure, options.out, joined(parts), CAPTION)


if __name__ == "__main__":
    main()
