"""Databento's binary files give the bars of their text; without the extra, the error says what to install."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable
from datetime import date
from types import SimpleNamespace

import databento_dbn as databento
import pytest

from ohlcv_factory.bars.load import BarFile
from ohlcv_factory.errors import DataError, MissingExtraError, UsageError
from ohlcv_factory.runtime import packages

START_NS = 1_704_153_600_000_000_000  # 2024-01-02 00:00 UTC
MINUTE_NS = 60_000_000_000


def dbn(*, rtype: int = 33, schema: object = databento.Schema.OHLCV_1M, compressed: bool = False) -> bytes:
    """Two bars of ESH4, in Databento's own encoding."""
    interval = SimpleNamespace(start_date=date(2024, 1, 1), end_date=date(2024, 1, 31), symbol="4916")
    metadata = databento.Metadata(
        dataset="GLBX.MDP3",
        start=START_NS,
        stype_in=databento.SType.RAW_SYMBOL,
        stype_out=databento.SType.INSTRUMENT_ID,
        schema=schema,
        symbols=["ESH4"],
        mappings=[SimpleNamespace(raw_symbol="ESH4", intervals=[interval])],
    )
    bars = [
        databento.OHLCVMsg(rtype, 1, 4916, START_NS, 2 * 10**9, 3 * 10**9, 10**9, 2_500_000_000, 7),
        databento.OHLCVMsg(rtype, 1, 4916, START_NS + MINUTE_NS, 2_500_000_000, 3 * 10**9, 10**9, 1_250_000_000, 8),
    ]
    content = bytes(metadata) + b"".join(bytes(bar) for bar in bars if schema == databento.Schema.OHLCV_1M)
    if not compressed:
        return content
    out = io.BytesIO()
    transcoder = databento.Transcoder(out, databento.Encoding.DBN, databento.Compression.ZSTD)
    transcoder.write(content)
    transcoder.finish()
    return out.getvalue()


@pytest.mark.parametrize(("name", "compressed"), [("a.dbn", False), ("a.dbn.zst", True)])
def test_a_binary_file_gives_its_bars(name: str, compressed: bool, read: Callable[..., BarFile]) -> None:
    result = read(dbn(compressed=compressed), name)
    bars = result.bars
    assert (bars.symbol, bars.contract_names, bars.bar_seconds) == ("ES", ("ESH4",), 60)
    assert bars.time_ns.tolist() == [START_NS, START_NS + MINUTE_NS]
    assert [bars.close.tolist(), bars.volume.tolist()] == [[2.5, 1.25], [7.0, 8.0]]
    assert result.account.files[0].dialect == "databento"


DAMAGED = {
    "cut in a record": (lambda: dbn()[:-10], "not a complete DBN file"),
    "cut in the metadata": (lambda: dbn()[:60], "not a complete DBN file"),
    "nonsense": (lambda: b"DBN\x03" + b"\xff" * 40, "not a complete DBN file"),
    "of a later version": (lambda: b"DBN\x09" + dbn()[4:], "a damaged DBN file: .*newer version"),
    "cut zstd": (lambda: dbn(compressed=True)[:-5], "not complete zstd"),
    "other zstd": (lambda: b"\x28\xb5\x2f\xfd" + b"garbage", "not complete zstd"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_binary_file_is_refused(case: str, read: Callable[..., BarFile]) -> None:
    content, what = DAMAGED[case]
    with pytest.raises(DataError, match=what) as caught:
        read(content(), "a.dbn")
    assert caught.value.help


def test_records_without_bars_are_refused(read: Callable[..., BarFile]) -> None:
    with pytest.raises(DataError, match=r"a\.dbn holds no OHLCV bars"):
        read(dbn(schema=databento.Schema.TRADES), "a.dbn")


def test_text_options_are_refused(read: Callable[..., BarFile]) -> None:
    with pytest.raises(UsageError, match="is no text file"):
        read(dbn(), "a.dbn", delimiter=";")


def test_without_the_extra_the_error_says_what_to_install(
    read: Callable[..., BarFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    hidden = lambda name, *rest: None if name == "databento_dbn" else found(name, *rest)  # noqa: E731
    monkeypatch.setattr(packages.importlib.util, "find_spec", hidden)
    with pytest.raises(MissingExtraError) as caught:
        read(dbn(), "a.dbn")
    assert (caught.value.exit_code, caught.value.help) == (69, "pip install 'ohlcv-model-factory[databento]'")
