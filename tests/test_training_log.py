"""The log's table and TensorBoard's curves tell the same, also of a run that was broken off."""

import csv
import shutil

import pytest

from neurocnnf.training_log import LOG_COLUMNS, TrainingLog


def write(log, batch, seconds, loss=2.0, accuracies=(0.25, 0.5)):
    log.write(batch, 32, seconds, accuracies, loss=loss, reconstruction_error=0.1, learning_rate=0.01)


def read_table(folder):
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_step_is_a_row_and_a_point_on_each_curve(tmp_path, read_curves):
    with TrainingLog(tmp_path, 0, 0.0) as log:
        write(log, 0, 4.0, loss=2.5, accuracies=[0.25])
        write(log, 1, 4.5, loss=1.5)
    rows = read_table(tmp_path)
    assert tuple(rows[0]) == LOG_COLUMNS
    assert [row["n_steps"] for row in rows] == ["0", "1"]
    assert [row["accuracy"] for row in rows] == ["0.25", "0.5"]
    assert [row["accuracy_by_step"] for row in rows] == ["0.2500", "0.2500 0.5000"]
    assert [row["images_per_second"] for row in rows] == ["8.0", "64.0"]  # 32 images in 4 seconds, then in half a one
    assert [row["seconds"] for row in rows] == ["4.0", "4.5"]
    assert read_curves(tmp_path) == {
        "loss": [(0, 2.5), (1, 1.5)],
        "reconstruction_error": [(0, pytest.approx(0.1)), (1, pytest.approx(0.1))],
        "learning_rate": [(0, pytest.approx(0.01)), (1, pytest.approx(0.01))],
        "images_per_second": [(0, 8.0), (1, 64.0)],
        "accuracy/step 0": [(0, 0.25), (1, 0.25)],
        "accuracy/step 1": [(1, 0.5)],
    }


def test_what_lies_before_a_saved_state_survives_the_end_of_the_process(tmp_path, read_curves):
    log = TrainingLog(tmp_path / "run", 0, 0.0)
    write(log, 0, 1.0, loss=4.0)
    log.flush()
    shutil.copytree(tmp_path / "run", tmp_path / "killed")  # as the disk has it: nothing was closed
    assert read_curves(tmp_path / "killed")["loss"] == [(0, 4.0)]
    assert len(read_table(tmp_path / "killed")) == 1


def test_a_table_with_other_columns_is_refused(tmp_path):
    (tmp_path / "log.csv").write_text("batch,loss,seconds\n0,2.5,1.0\n")
    with pytest.raises(ValueError, match=r"log.csv: expected the columns batch, n_steps, .* got batch,loss,seconds\. "):
        TrainingLog(tmp_path, 1, 1.0)
    assert "0,2.5,1.0" in (tmp_path / "log.csv").read_text()


def test_a_run_that_goes_on_forgets_the_steps_that_were_not_saved(tmp_path, read_curves):
    with TrainingLog(tmp_path, 0, 0.0) as log:
        for batch in range(4):
            write(log, batch, batch + 1.0, loss=9.0)
    with TrainingLog(tmp_path, 2, 2.0) as log:
        write(log, 2, 2.5, loss=1.0)
    assert [(row["batch"], row["loss"]) for row in read_table(tmp_path)] == [("0", "9.0"), ("1", "9.0"), ("2", "1.0")]
    assert read_curves(tmp_path)["loss"] == [(0, 9.0), (1, 9.0), (2, 1.0)]
    assert read_table(tmp_path)[-1]["images_per_second"] == "64.0"  # of the time since it went on
