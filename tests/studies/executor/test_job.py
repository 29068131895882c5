"""A job is JSON, its name follows from what decides its result, and it can only do what this package can."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
from job_kinds import job

import ohlcv_factory
from ohlcv_factory.errors import DataError, UnknownNameError, UsageError, VerificationError
from ohlcv_factory.studies.executor.job import JobResult, JobSpec, job_function

SAME = {"study": "elsewhere", "dataset": "moved", "memory_gb": 3.0}
OTHER = {"config": {"name": "b"}, "digests": {"data": "2"}, "threads": 2, "code": "other", "kind": "train"}


@pytest.fixture
def spec(study) -> JobSpec:
    return JobSpec.made("test", config={"name": "a"}, digests={"data": "1"}, study=str(study), dataset="here")


def test_a_job_comes_back_from_json_as_it_was(spec) -> None:
    again = JobSpec.from_plain(json.loads(json.dumps(spec.plain())))
    assert again == spec
    assert again.id == spec.id
    assert len(spec.id) == 16


@pytest.mark.parametrize("key", SAME)
def test_where_things_lie_and_what_they_take_is_the_same_job(spec, key) -> None:
    assert spec.model_copy(update={key: SAME[key]}).id == spec.id


@pytest.mark.parametrize("key", OTHER)
def test_another_setting_or_other_data_or_code_is_another_job(spec, key) -> None:
    assert spec.model_copy(update={key: OTHER[key]}).id != spec.id


def test_a_job_that_was_changed_on_the_way_is_refused(spec) -> None:
    values = spec.plain()
    values["config"]["name"] = "b"
    with pytest.raises(VerificationError, match=f"job {spec.id} is .* by its content"):
        JobSpec.from_plain(values)


def test_a_key_that_is_not_one_of_a_job_is_refused(spec) -> None:
    with pytest.raises(UsageError, match="run_this: unknown key"):
        JobSpec.from_plain({**spec.plain(), "run_this": "os:system"})


def test_a_kind_that_is_not_in_the_table_is_refused(study) -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown kind of job 'trian'\. Did you mean 'train'\?"):
        JobSpec.made("trian", config={}, study=str(study))
    with pytest.raises(UnknownNameError, match="Unknown kind of job 'os:system'"):
        job_function("os:system")


def test_every_kind_is_a_function_of_this_package(monkeypatch) -> None:
    monkeypatch.undo()
    from ohlcv_factory.studies.executor import job

    for name, place in job.KINDS.items():
        module, _, function = place.partition(":")
        assert module.startswith("ohlcv_factory.studies."), name
        assert callable(getattr(importlib.import_module(module), function))


def test_the_text_of_a_plugin_file_is_part_of_the_job(study, tmp_path) -> None:
    plugin = tmp_path / "own.py"

    def named(text: str) -> str:
        plugin.write_text(text)
        return JobSpec.made("test", config={}, study=str(study), plugins=(str(plugin),)).id

    assert named("a = 1\n") == named("a = 1\n") != named("a = 2\n")


def test_a_job_has_a_folder_of_its_own_in_the_study(study) -> None:
    spec = job(study)
    assert spec.folder == study / "jobs" / spec.id


def test_a_result_comes_back_from_json_as_it_was() -> None:
    done = JobResult("1", "FINISHED", {"x": 1.5}, None, 2, False, {"seconds": 1.0}, ({"run_id": "r"},))
    assert JobResult.from_plain(json.loads(json.dumps(done.plain()))) == done
    failed = JobResult.failed("1", DataError("row 3 is odd.", help="mend it"))
    assert JobResult.from_plain(json.loads(json.dumps(failed.plain()))) == failed
    assert failed.error == {"error": "E-data", "what": "row 3 is odd.", "where": "", "help": "mend it", "exit_code": 65}


def test_paths_of_the_package_are_not_part_of_the_digest(spec) -> None:
    assert str(Path(ohlcv_factory.__file__).parent) not in json.dumps(spec.plain())
