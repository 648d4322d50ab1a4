"""What feedback does to single images: reconstructions, answers and confidences at every step.

Run ``python -m analysis.feedback_examples cnnf-mnist --out build/examples/cnnf-mnist``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.tables import write_tables
from neurocnnf import stages
from neurocnnf.datastore import DataMissing

DEGRADATIONS = ("clean", "noise", "blur", "occlusion")
N_EXAMPLES, N_STEPS = 2, 5
RULE = "the first test image of each of some classes, which the seed draws"


@dataclass(frozen=True)
class FeedbackExamples:
    """Some images, clean and degraded, and what a model made of them.

    Parameters
    ----------
    images
        float32, (example, degradation, column, channel, y, x). Column 0: what the model was shown, in [-1, 1].
        Column k: the reconstruction made in step k, carried to the pixels; its scale is arbitrary.
    answer
        str, (example, degradation, step), name of the class with the largest logit of that step.
    confidence
        (example, degradation, step), its softmax probability.
    true_class
        str, (example,).
    image_index
        int64, (example,), place in the set of images.
    level
        (degradation,), strength; 0 for clean.
    model, data
        Names.
    provenance
        Seed, rule, hashes.
    """

    images: NDArray[np.float32]
    answer: NDArray[np.str_]
    confidence: NDArray[np.float64]
    true_class: NDArray[np.str_]
    image_index: NDArray[np.int64]
    level: NDArray[np.float64]
    model: str
    data: str
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def table(self) -> pd.DataFrame:
        """Tidy: a row per example, degradation and step, with what is known of it and ``correct``."""
        example, row, step = (i.ravel() for i in np.indices(self.answer.shape))
        table = pd.DataFrame({"example": example, "image_index": self.image_index[example]})
        table["true_class"] = self.true_class[example]
        table["degradation"], table["level"] = np.array(DEGRADATIONS)[row], self.level[row]
        table["step"], table["answer"], table["confidence"] = step, self.answer.ravel(), self.confidence.ravel()
        table["correct"] = table["answer"] == table["true_class"]
        return table.assign(model=self.model, data=self.data)

    def to_npz(self, path: Path) -> Path:
        """Write all but the provenance to one file, ``.npz``, under a temporary name first."""
        names = ("images", "answer", "confidence", "true_class", "image_index", "level", "model", "data")
        arrays = {name: np.asarray(getattr(self, name)) for name in names}
        return stages.write_atomically(path, lambda part: np.savez(part, degradation=np.array(DEGRADATIONS), **arrays))

    def to_files(self, stem: Path) -> list[Path]:
        """Write ``<stem>.npz`` (everything), ``<stem>.csv`` (`table`) and ``<stem>.json`` (provenance)."""
        stem = Path(stem)
        note = json.dumps(self.provenance, indent=1, sort_keys=True) + "\n"
        return [
            self.to_npz(stem.with_name(stem.name + ".npz")),
            *write_tables(stem, {".csv": self.table}),
            stages.write_atomically(stages.provenance_path(stem), note.encode()),
        ]


def read_examples(path: Path) -> FeedbackExamples:
    """Read what `FeedbackExamples.to_npz` wrote.

    Raises
    ------
    ValueError
        If the file holds something else.
    """
    with np.load(path) as file:
        found = {name: file[name] for name in file.files}
    if tuple(found.pop("degradation", ())) != DEGRADATIONS or "confidence" not in found:
        raise ValueError(
            f"{Path(path).name}: expected examples under {', '.join(DEGRADATIONS)}, got {', '.join(found)}. "
            "Run python -m analysis.feedback_examples."
        )
    return FeedbackExamples(**{**found, "model": str(found["model"]), "data": str(found["data"])})


def choose_images(labels: NDArray[np.int64], n_examples: int = N_EXAMPLES, seed: int = 0) -> NDArray[np.int64]:
    """Choose the first image of each of `n_examples` classes, which the seed draws: indices, in order of class.

    Parameters
    ----------
    labels
        (image,).

    Raises
    ------
    ValueError
        If there are fewer classes than examples.
    """
    classes, first = np.unique(labels, return_index=True)
    if not 1 <= n_examples <= len(classes):
        raise ValueError(
            f"n_examples: expected 1 to {len(classes)} (the number of classes), got {n_examples}. Ask for fewer."
        )
    return first[np.sort(np.random.default_rng(seed).choice(len(classes), n_examples, replace=False))]


def feedback_examples(
    model,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    n_steps: int = N_STEPS,
    seed: int = 0,
    *,
    n_examples: int = N_EXAMPLES,
    class_names: Sequence[str] | None = None,
    data: str = "",
) -> FeedbackExamples:
    """Show a model some images, clean, noisy, blurred and occluded, and keep what it reconstructs and answers.

    Parameters
    ----------
    model
        Recurrent.
    images, labels
        Test set: uint8 (image, y, x, channel), and (image,).
    n_steps
        Feedback passes, at least 1.
    seed
        Of the choice of images (see `choose_images`) and of the degradations, at the middle of their three levels.
    n_examples
        Number of images.
    class_names
        A name per label; the labels themselves where None.
    data
        Name of the set, for the table.

    Raises
    ------
    ValueError
        If images and labels differ in number, or there is no feedback to look at.
    """
    import torch

    from neurocnnf.degradations import DEGRADATION_LEVELS, degrade
    from neurocnnf.record import prepare

    if len(images) != len(labels):
        raise ValueError(f"labels: expected {len(images)}, one per image, got {len(labels)}. Pass the same split.")
    if not model.recurrent or n_steps < 1:
        raise ValueError(
            f"feedback_examples: expected a recurrent model and n_steps >= 1, got {model.name} and {n_steps}. "
            "Pass a cnnf model: a feedforward one reconstructs nothing."
        )
    index = choose_images(labels, n_examples, seed)
    whole = prepare(np.asarray(images)[index], model)
    generator = torch.Generator().manual_seed(seed)
    levels = [0.0] + [float(DEGRADATION_LEVELS[kind][1]) for kind in DEGRADATIONS[1:]]
    shown, pixels, logits = [], [], []
    with torch.no_grad():
        for kind, level in zip(DEGRADATIONS, levels, strict=True):
            shown.append(whole if kind == "clean" else degrade(whole, kind, level, generator))
            trajectory = model.unroll(shown[-1], n_steps)
            pixels.append(torch.cat([shown[-1][None], trajectory.pixel_reconstructions]))
            logits.append(trajectory.logits)
        likely = torch.stack(logits).double().softmax(-1).permute(2, 0, 1, 3).numpy()
    names = np.array(class_names if class_names else [str(k) for k in range(model.n_classes)])
    provenance = {"rule": RULE, "seed": seed, "n_steps": n_steps, "model": model.name, "data": data}
    return FeedbackExamples(
        images=torch.stack(pixels).permute(2, 0, 1, 3, 4, 5).float().numpy(),
        answer=names[likely.argmax(-1)],
        confidence=likely.max(-1),
        true_class=names[np.asarray(labels)[index]],
        image_index=index,
        level=np.array(levels),
        model=model.name,
        data=data,
        provenance=provenance,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Write the examples of a model on the test images of its own data, unless they are up to date."""
    parser = argparse.ArgumentParser(description="Compute what figures.feedback_examples draws.")
    parser.add_argument("model", help="name or path of a recurrent model, e.g. cnnf-mnist")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending; printed last")
    parser.add_argument("--n-steps", type=int, default=N_STEPS, help="feedback passes (default: %(default)s)")
    parser.add_argument("--n-examples", type=int, default=N_EXAMPLES, help="images (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything drawn at random (default: 0)")
    parser.add_argument("--simulate-missing", action="store_true", help="take digits where the data are missing")
    options = parser.parse_args(argv)
    settings, out = {"n_steps": options.n_steps, "seed": options.seed, "n_examples": options.n_examples}, options.out
    try:
        write_examples(options.model, out, settings)
    except DataMissing as missing:
        if not options.simulate_missing:
            raise
        print(f"missing: {missing}\nhandwritten digits are shown instead", file=sys.stderr)
        out = out.with_name("cnnf-digits")
        write_examples(out.name, out, settings)
    print(out)


def write_examples(name: str, out: Path, settings: dict[str, int]) -> bool:
    """Run the stage: model and data in, ``<out>.npz``, ``.csv`` and ``.json`` out; say whether it ran."""
    from neurocnnf import load_model
    from neurocnnf.images import CIFAR10_CLASSES, load_training_set, training_set_provenance

    model = load_model(name)
    data = model.card["data"]
    images, labels = load_training_set(data, "test")
    root = Path(__file__).resolve().parents[1]
    inputs = {key: str(value) for key, value in settings.items()} | stages.package_versions(("torch", "numpy"))
    inputs |= {"model": model.name, "checkpoint": stages.weights_hash(model)}
    inputs["source"] = stages.source_hash([root / "neurocnnf", root / "analysis"])
    inputs |= {f"data:{file}": sha for file, sha in training_set_provenance(data)["sha256"].items()}
    names = CIFAR10_CLASSES if data.startswith("cifar") else None

    def write() -> list[Path]:
        return feedback_examples(model, images, labels, **settings, class_names=names, data=data).to_files(out)

    return stages.run_stage(out, inputs, write)


if __name__ == "__main__":
    main()
