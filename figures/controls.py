"""Figure: accuracy of CNN-F and its controls over seeds, clean, corrupted and under attack.

Run ``python -m figures.controls --in build/controls/spread --out build/figures/controls``.
"""

from __future__ import annotations

from collections.abc import Sequence

from figures.files import arguments, joined, read_parts, save
from figures.seed_spread import SCORES, SUMMARY, draw
from figures.style import styled

CAPTION = """Accuracy of CNN-F and its controls, three seeds of each, at the last step. Left: each seed (small), and
their mean. Right: difference from the feedforward control of the same seed, which shares the feedforward part of its
training: each seed's (small), mean, and 95 % interval (Student's t over seeds, the same images; not corrected for the
number of rows). Corruptions: means over three levels. Under attack, the answers of the last step's own logits; PGD e2e
and SPSA e2e: through all steps; any: right only where no attack changed the answer. Numbers on the right: seeds
measured, of all; p of no difference, Holm over the table. Feedback that is shuffled over images is not attacked."""


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from the tables."""
    options = arguments(CAPTION.split(".")[0], "tables of analysis.accuracy_spread, without an ending", argv)
    parts = read_parts(options.inputs, {"scores": SCORES, "summary": SUMMARY})
    with styled():
        save(draw(**parts, quantity="accuracy"), options.out, joined(parts), CAPTION)


if __name__ == "__main__":
    main()
