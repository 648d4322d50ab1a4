"""Figure: accuracy of CNN-F and its controls over seeds, clean, corrupted and under attack.

Run ``python -m figures.controls --in build/controls/spread --out build/figures/controls``.
"""

from __future__ import annotations

from collections.abc import Sequence

from figures.files import arguments, joined, read_parts, save
from figures.seed_spread import SCORES, SUMMARY, draw
from figures.style import styled

CAPTION = """Accuracy of CNN-F and its controls over seeds, at the last step compared. Left: each seed (small), and
their mean. Right: difference from the feedforward control of the same seed, whose training shares its feedforward part
(of the wide control: initial seed and order of images alone): each seed's (small), mean, and 95 % interval (Student's t
over seeds, the same images; none where all seeds differ alike; not corrected for the number of rows). Corruptions:
means over three levels. Under attack, the answers of the last step's own logits, attacked through all steps; smooth:
hard functions of feedback replaced by smooth ones in the backward pass; any attack: right only where none of the others
changed the answer, of the images that all attacked. n: images. Numbers on the right: seeds measured, of all; p of no
difference, Holm over a model's conditions. Missing: not attacked."""


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from the tables."""
    options = arguments(CAPTION.split(".")[0], "tables of analysis.accuracy_spread, without an ending", argv)
    parts = read_parts(options.inputs, {"scores": SCORES, "summary": SUMMARY})
    with styled():
        save(draw(**parts, quantity="accuracy"), options.out, joined(parts), CAPTION)


if __name__ == "__main__":
    main()
