"""Figure 1, what feedback does to single images.

Run ``python -m figures.feedback_examples --in build/examples/cnnf-mnist.npz --out build/figures/feedback_examples``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.feedback_examples import DEGRADATIONS, FeedbackExamples, read_examples
from figures.files import arguments, beside, find_tables, save
from figures.style import FAINT, INK, PAGE_MM, WRONG, WRONG_INK, styled

CAPTION = """What feedback does. Each panel is one test image: the first of its class, classes drawn by a seed. Rows:
the image as it is, with Gaussian noise, blurred, and behind gray squares (at the middle one of three levels). First
column: what the model was shown, and below it the answer of the feedforward sweep (step 0) with its confidence, the
largest softmax probability of that step. Further columns: the reconstruction made in each step, carried from the level
that is reconstructed to the pixels, and below it the answer after that step. Reconstructions have an arbitrary scale:
each is shown with a gray scale of its own, symmetric about zero (black the negative, white the positive of its largest
absolute value). A wrong answer has a cross, and an orange frame. Single images show what happens, not how often: for
that, see accuracy by step."""
UNITS = {"clean": "clean", "noise": "noise\nSD {:g}", "blur": "blur\n{:g} px", "occlusion": "occluded\n{:.0%}"}
LONG = 8  # letters of a name that fit below a picture
IMAGE_MM, PITCH_X_MM, PITCH_Y_MM = 12.2, 13.6, 19.6
LEFT_MM, TOP_MM, HEAD_MM, BETWEEN_MM, PER_ROW = 13.2, 8.0, 11.5, 3.0, 2


def as_shown(picture: NDArray[np.float32], column: int) -> NDArray[np.float32]:
    """Scale a picture (channel, y, x) to [0, 1], (y, x, channel), for display.

    What was shown (column 0) spans [-1, 1]; a reconstruction spans its own largest absolute value, both ways.
    """
    reach = 1.0 if column == 0 else max(float(np.abs(picture).max()), np.finfo(np.float32).tiny)
    return np.clip((picture.transpose(1, 2, 0) / reach + 1) / 2, 0, 1)


def percent(confidence: float) -> str:
    """Format a confidence; no softmax probability reads as certainty."""
    return ">99%" if confidence >= 0.995 else f"{confidence:.0%}"


def draw(examples: FeedbackExamples) -> Figure:
    """Draw a panel per example, two in a row."""
    n_examples, n_rows, n_columns = examples.answer.shape
    block = n_columns * PITCH_X_MM
    across, down = min(n_examples, PER_ROW), -(-n_examples // PER_ROW)
    width = LEFT_MM + across * block + (across - 1) * BETWEEN_MM
    pitch = HEAD_MM + n_rows * PITCH_Y_MM + BETWEEN_MM
    height = TOP_MM + down * pitch - BETWEEN_MM
    figure = Figure(figsize=(max(width, PAGE_MM / 2) / 25.4, height / 25.4))
    title = f"What feedback reconstructs and answers, step by step: {examples.model}"
    figure.text(0.8 / width, 1 - 1.5 / height, title, fontsize=8, fontweight="bold", va="top")
    for example in range(n_examples):
        row, column = divmod(example, PER_ROW)
        x = LEFT_MM + column * (block + BETWEEN_MM)
        _panel(figure, examples, example, (x, TOP_MM + row * pitch))
    return figure


def _panel(figure: Figure, examples: FeedbackExamples, example: int, corner: tuple[float, float]) -> None:
    """Draw one example; `corner` is its upper left one in mm from that of the figure."""
    width, height = figure.get_size_inches() * 25.4
    (x0, y0), n_columns = corner, examples.answer.shape[2]

    def words(x: float, y: float, text: str, **style) -> None:
        figure.text(x / width, 1 - y / height, text, **{"va": "top", "ha": "center", **style})

    name = "abcdefghij"[example]
    words(x0 - 0.8, y0, name, fontsize=9, fontweight="bold", ha="left")
    words(x0 + 3, y0 + 0.3, f"true class: {examples.true_class[example]}", fontsize=7.5, ha="left")
    for column in range(n_columns):
        middle = x0 + column * PITCH_X_MM + IMAGE_MM / 2
        words(middle, y0 + 10.4, f"step {column}", color=FAINT, va="baseline")
    words(x0 + IMAGE_MM / 2, y0 + 7.3, "input", color=FAINT, va="baseline")
    words(x0 + PITCH_X_MM, y0 + 7.3, "reconstruction, normalised one by one", color=FAINT, va="baseline", ha="left")
    for row, kind in enumerate(DEGRADATIONS):
        top = y0 + HEAD_MM + row * PITCH_Y_MM
        if x0 == LEFT_MM:
            label = UNITS[kind].format(examples.level[row])
            words(x0 - 1, top + IMAGE_MM / 2, label, ha="right", va="center")
        for column in range(n_columns):
            left = x0 + column * PITCH_X_MM
            place = (left / width, 1 - (top + IMAGE_MM) / height, IMAGE_MM / width, IMAGE_MM / height)
            answer = str(examples.answer[example, row, column])
            right = answer == examples.true_class[example]
            _image(figure.add_axes(place), as_shown(examples.images[example, row, column], column), right)
            ink, size = INK if right else WRONG_INK, 7 if len(answer) <= LONG else 6
            sure = percent(examples.confidence[example, row, column])
            lines = ((3.0, answer, size), (5.9, sure if right else f"✗ {sure}", 7))
            for below, text, points in lines:
                style = {"color": ink, "fontsize": points, "va": "baseline"}
                words(left + IMAGE_MM / 2, top + IMAGE_MM + below, text, **style)


def _image(axes: Axes, picture: NDArray[np.float32], right: bool) -> None:
    """Show a picture (y, x, channel) in [0, 1]; a frame tells where the answer below is wrong."""
    gray = picture.shape[-1] == 1
    shown = picture[..., 0] if gray else picture
    axes.imshow(shown, cmap="gray" if gray else None, vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, color="#BBBBBB" if right else WRONG, linewidth=0.5 if right else 1.8)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from the file that analysis.feedback_examples wrote; the pictures go beside it."""
    options = arguments(str(__doc__), "examples (.npz)", argv)
    paths = find_tables(options.inputs, (".npz",))
    if len(paths) != 1:
        raise ValueError(f"--in: expected one file of examples, got {len(paths)}. Name the one to draw.")
    examples = read_examples(paths[0])
    with styled():
        save(draw(examples), options.out, examples.table, CAPTION)
    examples.to_npz(beside(options.out, "npz"))


if __name__ == "__main__":
    main()
