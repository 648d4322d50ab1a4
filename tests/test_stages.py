"""A stage runs once for the same inputs, and leaves whole files or none."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from neurocnnf import stages
from neurocnnf.stages import (
    file_hash,
    is_up_to_date,
    listing,
    package_versions,
    refresh,
    run_stage,
    source_hash,
    weights_hash,
    write_atomically,
)

INPUTS = {"checkpoint": "abc", "seed": "0"}


class Counter:
    """A stage that writes a table and counts how often it did."""

    def __init__(self, out: Path):
        self.out, self.n_runs = out, 0

    def __call__(self):
        self.n_runs += 1
        self.out.write_text(f"run {self.n_runs}\n")


@pytest.fixture
def stage(tmp_path):
    return Counter(tmp_path / "score.csv")


def test_a_stage_with_equal_inputs_runs_once_and_says_so(stage):
    said = []
    assert run_stage(stage.out, INPUTS, stage, say=said.append) is True
    assert said == []
    assert run_stage(stage.out, INPUTS, stage, say=said.append) is False
    assert stage.n_runs == 1
    assert said == [f"{stage.out}: up to date"]


def test_by_default_up_to_date_is_said_on_stderr(stage, capsys):
    run_stage(stage.out, INPUTS, stage)
    run_stage(stage.out, INPUTS, stage)
    captured = capsys.readouterr()
    assert "up to date" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("changed", [{**INPUTS, "seed": "1"}, {"seed": "0"}, {**INPUTS, "x": ""}])
def test_any_other_inputs_run_the_stage_again(stage, changed):
    run_stage(stage.out, INPUTS, stage)
    assert run_stage(stage.out, changed, stage) is True
    assert stage.n_runs == 2


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("run")])
def test_a_missing_or_altered_output_is_made_again(stage, spoil):
    run_stage(stage.out, INPUTS, stage)
    spoil(stage.out)
    assert run_stage(stage.out, INPUTS, stage) is True
    assert stage.out.read_text() == "run 2\n"


@pytest.mark.parametrize("text", ["{ not json", "[1, 2]", ""])
def test_a_broken_provenance_file_counts_as_none(stage, text):
    run_stage(stage.out, INPUTS, stage)
    stages.provenance_path(stage.out).write_text(text)
    assert not is_up_to_date(stage.out, INPUTS)


def test_provenance_holds_inputs_and_the_hashes_of_outputs(stage):
    run_stage(stage.out, INPUTS, stage)
    note = json.loads((stage.out.parent / "score.csv.json").read_text())
    assert note == {"inputs": INPUTS, "outputs": {"score.csv": hashlib.sha256(b"run 1\n").hexdigest()}}


def test_what_the_stage_itself_wrote_into_the_provenance_is_kept(tmp_path):
    stem = tmp_path / "model.study"

    def write():
        paths = stem.with_name("model.study.csv"), stem.with_name("model.study.json")
        paths[0].write_text("a\n")
        paths[1].write_text(json.dumps({"simulated": True}))
        return paths

    run_stage(stem, INPUTS, write)
    note = json.loads((tmp_path / "model.study.json").read_text())
    assert note["simulated"] is True
    assert list(note["outputs"]) == ["model.study.csv"]
    assert is_up_to_date(stem, INPUTS)


def test_a_stage_that_breaks_off_is_not_taken_for_the_older_one(stage):
    run_stage(stage.out, INPUTS, stage)

    def broken():
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        run_stage(stage.out, {"seed": "1"}, broken)
    assert not is_up_to_date(stage.out, INPUTS)


def test_a_stage_that_does_not_write_what_it_promised_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected the file\(s\) score.csv, got none"):
        run_stage(tmp_path / "score.csv", INPUTS, lambda: None)
    assert not is_up_to_date(tmp_path / "score.csv", INPUTS)


@pytest.mark.parametrize("content", [b"new", lambda path: path.write_bytes(b"new")])
def test_a_file_is_written_whole_and_nothing_else_is_left(tmp_path, content):
    path = write_atomically(tmp_path / "deep" / "a.csv", content)
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["a.csv"]


def test_a_broken_off_write_leaves_the_old_file_and_no_part(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")

    def broken(part):
        part.write_text("ha")
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_atomically(path, broken)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_a_writer_sees_the_ending_of_the_name(tmp_path):
    endings = []

    def write(part):
        endings.append(part.suffix)
        part.touch()

    write_atomically(tmp_path / "assembly.nc", write)
    assert endings == [".nc"]


def test_a_writer_that_writes_elsewhere_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected a\.csv to be written .* got no file"):
        write_atomically(tmp_path / "a.csv", lambda part: None)


def test_file_hash_agrees_with_hashlib_beyond_one_chunk(tmp_path):
    content = bytes(range(256)) * (stages.CHUNK_BYTES // 256 + 1)
    path = tmp_path / "a"
    path.write_bytes(content)
    assert file_hash(path) == hashlib.sha256(content).hexdigest()


def test_source_hash_follows_contents_and_names_of_python_files_only(tmp_path):
    package = tmp_path / "package"
    (package / "sub").mkdir(parents=True)
    (package / "sub" / "a.py").write_text("x = 1\n")
    first = source_hash([package])
    (package / "note.txt").write_text("no source")
    assert source_hash([package]) == first
    (package / "sub" / "a.py").rename(package / "sub" / "b.py")
    renamed = source_hash([package])
    (package / "sub" / "b.py").write_text("x = 2\n")
    assert len({first, renamed, source_hash([package])}) == 3


def test_weights_hash_changes_with_one_weight():
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(2, 2)
    first = weights_hash(layer)
    assert weights_hash(layer) == first
    with torch.no_grad():
        layer.bias[0] += 1
    assert weights_hash(layer) != first


def test_versions_name_python_and_packages_and_say_what_is_absent():
    found = package_versions(["pytest", "no-such-package"])
    assert found["version:python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["version:pytest"] == pytest.__version__
    assert found["version:no-such-package"] == "absent"


def test_refresh_touches_a_file_only_where_its_text_changes(tmp_path):
    path = tmp_path / "data"
    assert refresh(path, "a")
    os.utime(path, ns=(1, 1))
    assert not refresh(path, "a")
    assert path.stat().st_mtime_ns == 1
    assert refresh(path, "b")
    assert path.read_text() == "b"


def test_a_listing_follows_names_sizes_and_times(tmp_path):
    file = tmp_path / "study" / "a.csv"
    file.parent.mkdir()
    file.write_text("1")
    os.utime(file, ns=(5, 5))
    assert listing(str(tmp_path)) == f"NEUROCNNF_DATA={tmp_path}\nstudy/a.csv 1 5\n"
    assert listing(None) == listing("") == "NEUROCNNF_DATA is not set\n"


def test_make_can_run_the_file_by_itself_without_torch(tmp_path):
    out = tmp_path / ".data"
    command = [sys.executable, "-I", "-X", "importtime", stages.__file__, str(out)]
    environment = {**os.environ, "NEUROCNNF_DATA": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert out.read_text().startswith(f"NEUROCNNF_DATA={tmp_path}")
    assert "torch" not in done.stderr
    assert "numpy" not in done.stderr
