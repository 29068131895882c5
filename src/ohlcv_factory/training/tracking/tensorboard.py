"""TensorBoard: one event file per run, under `<folder>/<project>/<experiment>/<run>/`.

What the file holds is a function of the run folder, record by record, so the file itself says how far it has come: whole
records are counted, a torn one is cut off, the rest is appended.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ohlcv_factory.errors import InputMissingError
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.formats import told_as_damage
from ohlcv_factory.storage.regular_files import open_or_make, read_regular
from ohlcv_factory.training.tracking.tracked_run import TrackedRun

EVENTS = "events.out.tfevents.{seconds}.ohlcv-factory"
LENGTH = struct.Struct("<Q")
AROUND = LENGTH.size + 4 + 4
"""Bytes of a record beside its content: length, checksum of the length, checksum of the content."""
PNG = b"\x89PNG\r\n\x1a\n"
MOST_PICTURE_BYTES, MOST_EVENT_BYTES = 64 << 20, 4 << 30


class TensorBoardTracker:
    """A `Tracker` that shows a run in a folder of TensorBoard."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def deliver(self, run: TrackedRun, known: Mapping[str, Any]) -> dict[str, Any]:
        """See `Tracker`. Raises DataError (65) for a link or a pipe in its place, StorageError (74) or AccessError (77)."""
        place = self.folder / folder_name(run.experiment.project_name) / folder_name(run.experiment_name)
        path = place / folder_name(run.name) / EVENTS.format(seconds=f"{run.began_ms // 1000:010d}")
        records = list(_records(run))
        with atomic.storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _append(path, records)
        return {"records": len(records), "state": run.state, "path": str(path)}


def folder_name(name: str) -> str:
    """A name as one that every file system takes."""
    return "".join(letter if letter.isalnum() or letter in "-_. " else "_" for letter in name).strip(". ") or "_"


def _append(path: Path, records: Sequence[bytes]) -> None:
    from tensorboard.summary.writer.record_writer import RecordWriter

    there, size = _whole_records(path)
    if there > len(records):  # of a run that was trained anew under this name
        there, size = 0, 0
    with os.fdopen(open_or_make(path), "r+b") as stream:
        stream.truncate(size)
        stream.seek(size)
        writer = RecordWriter(stream)
        for record in records[there:]:
            writer.write(record)
        writer.flush()


def _whole_records(path: Path) -> tuple[int, int]:
    """How many records of a file are whole, and how many bytes they take."""
    try:
        content = read_regular(path, MOST_EVENT_BYTES)
    except InputMissingError:
        content = b""
    count, position = 0, 0
    while len(content) - position >= LENGTH.size:
        end = position + LENGTH.unpack_from(content, position)[0] + AROUND
        if end > len(content):
            break
        count, position = count + 1, end
    return count, position


def _records(run: TrackedRun) -> Iterator[bytes]:
    """The content of the event file: curves first, and all that is known at the end last, so that it only grows."""
    from tensorboard.compat.proto.event_pb2 import Event

    yield Event(wall_time=run.began_ms / 1000, file_version="brain.Event:2").SerializeToString()
    shown = run.experiment
    for epoch in run.epochs if shown.log_metrics else ():
        yield _scalars(epoch.step, epoch.time_ms, epoch.metrics)
    if not run.is_finished:
        return
    if shown.log_metrics:
        for epoch in run.series()[len(run.epochs) :]:
            yield _scalars(epoch.step, epoch.time_ms, epoch.metrics)
        yield _scalars(0, run.updated_ms, run.scores())
    if shown.log_params:
        yield _table("settings", run.updated_ms, run.params())
    yield _table("tags", run.updated_ms, run.tags())
    for path in run.pictures() if shown.log_artifacts else ():
        yield _picture(path, run.updated_ms)


def _scalars(step: int, time_ms: int, metrics: Mapping[str, float]) -> bytes:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    values = [Summary.Value(tag=name, simple_value=value) for name, value in metrics.items()]
    event = Event(wall_time=time_ms / 1000, step=step, summary=Summary(value=values))
    return bytes(event.SerializeToString())


def _table(tag: str, time_ms: int, values: Mapping[str, str]) -> bytes:
    """Names and values as a table of the text page."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

    rows = [f"| {name} | {value.replace('|', ' ')} |" for name, value in values.items()]
    text = "\n".join(["| name | value |", "| --- | --- |", *rows])
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    tensor = TensorProto(dtype="DT_STRING", string_val=[text.encode()], tensor_shape=shape)
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    value = Summary.Value(tag=tag, metadata=metadata, tensor=tensor)
    return bytes(Event(wall_time=time_ms / 1000, summary=Summary(value=[value])).SerializeToString())


def _picture(path: Path, time_ms: int) -> bytes:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    png = read_regular(path, MOST_PICTURE_BYTES)
    with told_as_damage(path):
        if not png.startswith(PNG):
            raise ValueError("it is no PNG")
        width, height = struct.unpack(">II", png[16:24])  # of the header that every PNG begins with
    image = Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=png)
    value = Summary.Value(tag=f"plots/{path.stem}", image=image)
    return bytes(Event(wall_time=time_ms / 1000, summary=Summary(value=[value])).SerializeToString())
