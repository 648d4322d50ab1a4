"""What the README shows runs, and prints what it says."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run(code, **names):
    """Run a block; return its names and what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), names)
    return names, printed.getvalue()


def test_the_first_lines_run_and_print_the_number_they_promise():
    names, printed = run(BLOCKS[0])
    promised = float(re.search(r"print\(score\) +# value (0\.\d+)", BLOCKS[0])[1])
    # Another processor adds in another order.
    assert float(re.search(r"value +(0\.\d+)", printed)[1]) == pytest.approx(promised, abs=0.005)
    assert str(dict(names["assembly"].sizes)) in printed
    table = names["score"].table()
    layer, step = table.stack().idxmax()
    assert f"{layer}, step {step}" in BLOCKS[0]


def test_a_model_of_ones_own_is_scored_and_is_a_brain_model():
    names, printed = run(BLOCKS[1])
    assert "looped on simulated.V4-ridge" in printed
    assert "looped" in printed.splitlines()[-1]
    # The stem sees no other layer: it does the same at every step.
    raw = names["load_benchmark"]("simulated.V4-ridge", quick=True)(names["model"], n_steps=1, layers=("stem", "block"))
    stem = raw.table().loc["stem"]
    assert stem[0] == stem[1]


def test_recordings_of_ones_own_make_a_benchmark():
    _, printed = run(BLOCKS[2])
    assert "cnnf-digits on mine.responses-ridge" in printed


@pytest.mark.parametrize("name", re.findall(r"!\[[^]]*\]\(([^)]+)\)", README))
def test_every_picture_is_there(name):
    assert (ROOT / name).read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("page", ["README.md", "FINDINGS.md"])
def test_every_link_within_the_project_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]*)(#[^)]+)?\)", (ROOT / page).read_text())
    assert links
    for target, anchor in links:
        text = (ROOT / (target or page)).read_bytes()
        if anchor:
            heads = re.findall(r"^#+ (.*)", text.decode(), re.MULTILINE)
            assert anchor in {"#" + re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
