"""A job is done once, its result is trusted only when it is whole, and what stops it is written down."""

from __future__ import annotations

import os

import pytest
from job_kinds import job

from ohlcv_factory.errors import FactoryWarning, StorageError
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.locks import folder_lock
from ohlcv_factory.studies.executor import work
from ohlcv_factory.studies.executor.job import JobSpec
from ohlcv_factory.studies.executor.work import finished_result, printing_to, run_job


def begun(study) -> int:
    return len(list((study / "trace").glob("*.begun")))


def test_a_finished_job_is_found_and_not_done_again(study) -> None:
    first, second = run_job(job(study)), run_job(job(study))
    assert (first.state, first.found, second.state, second.found) == ("FINISHED", False, "FINISHED", True)
    assert second.values == first.values
    assert second.values["name"] == "a"
    assert second.cost == first.cost
    assert set(first.cost) == {"seconds", "cpu_seconds", "peak_memory_mb"}
    assert begun(study) == 1


def test_the_result_holds_nothing_of_the_process_that_made_it(study, tmp_path) -> None:
    run_job(job(study))
    run_job(job(tmp_path / "other"))
    results = [read_json(job(place).folder / "result.json") for place in (study, tmp_path / "other")]
    assert results[0] == results[1]
    assert set(results[0]) == {"id", "kind", "state", "values", "error"}


@pytest.mark.parametrize(("name", "text"), [("made/a.txt", "aaa"), ("jobs/{id}/result.json", '"name": "a"')])
def test_a_file_that_was_changed_makes_the_job_undone(study, name, text) -> None:
    run_job(job(study))
    path = study / name.format(id=job(study).id)
    path.write_text(path.read_text().replace(text, text.replace("a", "b")))
    with pytest.warns(FactoryWarning, match=r"is done again: .* is not the file that was written"):
        assert run_job(job(study)).found is False
    assert run_job(job(study)).found is True
    assert begun(study) == 2


@pytest.mark.parametrize("name", ["made/a.txt", "jobs/{id}/record.json"])
def test_a_file_that_is_missing_makes_the_job_undone(study, name) -> None:
    run_job(job(study))
    (study / name.format(id=job(study).id)).unlink()
    with pytest.warns(FactoryWarning, match="is done again"):
        assert finished_result(job(study)) is None


def test_a_result_cut_in_half_makes_the_job_undone(study) -> None:
    run_job(job(study))
    path = job(study).folder / "result.json"
    path.write_text(path.read_text()[:20])
    with pytest.warns(FactoryWarning, match=r"is done again: result\.json is not valid JSON"):
        assert finished_result(job(study)) is None


def test_files_that_came_later_are_left_alone(study) -> None:
    run_job(job(study))
    (study / "made" / "note.txt").write_text("mine")
    assert run_job(job(study)).found is True


@pytest.mark.parametrize(
    ("how", "code", "exit_code", "words"),
    [
        ("refused", "E-data", 65, "row 3 is odd."),
        ("defect", "E-internal", 70, "ZeroDivisionError: a defect"),
        ("memory", "E-memory", 70, "memory ran out: too much."),
    ],
)
def test_an_error_makes_a_job_failed_and_the_next_time_it_is_tried_again(study, how, code, exit_code, words) -> None:
    spec = job(study, how=how, until=2)
    failed = run_job(spec)
    assert (failed.state, failed.values, failed.attempts) == ("FAILED", {}, 1)
    assert (failed.error["error"], failed.error["exit_code"], failed.error["what"]) == (code, exit_code, words)
    assert read_json(spec.folder / "result.json")["error"] == failed.error
    again = run_job(spec)
    assert (again.state, again.attempts) == ("FINISHED", 2)


def test_an_error_of_disk_or_network_goes_to_whoever_tries_again(study, monkeypatch) -> None:
    with pytest.raises(OSError, match="stale file handle"):
        run_job(job(study, how="disk", until=2))
    assert not (job(study, how="disk", until=2).folder / "result.json").exists()
    full = StorageError("no space left.", where="x", help="make room")
    monkeypatch.setattr(work, "job_function", lambda kind: lambda spec: (_ for _ in ()).throw(full))
    with pytest.raises(StorageError, match="no space left"):
        run_job(job(study, "b"))


def test_another_code_on_the_worker_is_refused(study) -> None:
    spec = job(study).model_copy(update={"code": "0" * 64})
    result = run_job(spec)
    assert result.error["error"] == "E-verify"
    assert "this worker runs other code" in result.error["what"]
    assert begun(study) == 0


def test_a_plugin_file_that_was_changed_after_the_start_is_refused_and_not_run(study, tmp_path) -> None:
    plugin = tmp_path / "own.py"
    plugin.write_text("raise SystemExit('it ran')\n")
    spec = JobSpec.made("test", config={"name": "a"}, study=str(study), plugins=(str(plugin),))
    plugin.write_text("raise SystemExit('it ran, changed')\n")
    assert run_job(spec).error["what"] == "a plugin file has changed."


def test_a_job_that_another_process_works_on_is_left_to_it(study, monkeypatch) -> None:
    monkeypatch.setattr(work, "PATIENCE_SECONDS", 0.2)
    spec = job(study)
    spec.folder.mkdir(parents=True)
    with folder_lock(spec.folder, "another"):
        result = run_job(spec)
    assert (result.state, result.error["exit_code"]) == ("FAILED", 75)
    assert not (spec.folder / "result.json").exists()


def test_what_a_job_prints_goes_to_its_log_whoever_prints_it(tmp_path) -> None:
    log = tmp_path / "jobs" / "log.txt"
    for word in ("one", "two"):
        with printing_to(log):
            os.write(1, f"{word}\n".encode())
            os.system(f"echo {word} of a child >&2")
    assert log.read_text() == "one\none of a child\ntwo\ntwo of a child\n"
