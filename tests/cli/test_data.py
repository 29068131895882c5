"""`data check` says what was assumed of every file; `data dialects` lists who is known."""

from __future__ import annotations

from command_line import succeed

from ohlcv_factory.bars.dialects import DIALECTS

KRAKEN = "1704153600,1,2,1,1.5,5,2\n1704153660,1,2,1,1.25,6,2\n"


def test_every_dialect_is_listed_with_its_zone_and_stamp():
    said = succeed("data", "dialects").out
    assert [line.split()[0] for line in said.splitlines()[2:]] == [dialect.name for dialect in DIALECTS]
    listed = {each["dialect"]: each for each in succeed("data", "dialects", "--json").json}
    assert (listed["histdata"]["zone"], listed["histdata"]["stamp"]) == ("Etc/GMT+5", "open")
    assert (listed["ninjatrader"]["zone"], listed["ninjatrader"]["stamp"]) == ("UTC", "close")
    assert listed["alphavantage"]["detected"] is False


def test_a_check_prints_what_was_assumed(tmp_path):
    (tmp_path / "XBTUSD_1.csv").write_text(KRAKEN)
    (tmp_path / "XBTUSD_2.csv").write_text(
        KRAKEN.replace("1704153600", "1704153720").replace("1704153660", "1704153780")
    )
    assert succeed("data", "check", tmp_path / "XBTUSD_1.csv").out.splitlines() == [
        "XBTUSD_1.csv: 2 bars of XBTUSD, 2024-01-02T00:00:00Z to 2024-01-02T00:01:00Z",
        "  assumed: dialect: kraken (by its content)",
        "  assumed: no header: columns time, open, high, low, close, volume, trades",
        "  assumed: symbol: XBTUSD (from the name XBTUSD_1.csv)",
        "  assumed: times: epoch in s (by their digits)",
        "  assumed: zone: UTC (epoch)",
        "  assumed: stamp: open of the bar",
        "  assumed: bar size: 1min (most common step)",
        "  assumed: order: ascending, as it came",
        "  assumed: columns: 'time', 'open', 'high', 'low', 'close', 'volume'; dropped: 'trades'",
    ]
    said = succeed("data", "check", tmp_path).out
    assert "2 files, XBTUSD_1.csv to XBTUSD_2.csv: 4 bars of XBTUSD" in said
    assert "  file: XBTUSD_2.csv, 2 rows" in said
