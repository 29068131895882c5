"""`predict` on bars that are not like those of the training."""

from __future__ import annotations

from command_line import call, succeed, train, write_bars


def test_49_bars_of_another_scale_are_predicted_with_a_warning(dataset, bar_csv, tmp_path):
    run = train(dataset, tmp_path / "runs")
    assert "warning" not in succeed("predict", run, bar_csv).err
    lines = bar_csv.read_text().splitlines()
    calm = [lines[0]]
    for line in lines[1:]:
        time, *prices, volume = line.split(",")
        calm.append(",".join([time, *(str(1000.0 + float(price) / 1e4) for price in prices), volume]))
    (tmp_path / "SYNTH_5min.csv").write_text("\n".join(calm) + "\n")
    answer = succeed("predict", run, tmp_path / "SYNTH_5min.csv")
    assert "warning: SYNTH" in answer.err and "outside the training range" in answer.err


def test_latest_is_predicted_and_evaluated_as_it_is_verified(dataset, bar_csv, tmp_path):
    train(dataset, tmp_path / "runs")
    newest = train(dataset, tmp_path / "runs")
    latest = tmp_path / "runs" / "latest"
    assert succeed("verify", latest, "--json").json["run"] == str(newest)
    assert succeed("predict", latest, bar_csv, "--json").json["run"] == str(newest)
    assert succeed("evaluate", latest, "--json").json["written"] == str(newest / "addenda" / "001")
    absent = call("predict", tmp_path / "nowhere" / "latest", bar_csv)
    assert (absent.code, "nowhere is no folder" in absent.err) == (66, True)


def test_49_coarser_bars_are_refused_with_both_sizes(dataset, tmp_path):
    run = train(dataset, tmp_path / "runs")
    coarse = write_bars(tmp_path / "SYNTH_15min.csv", 3000, bar_seconds=900)
    answer = call("predict", run, coarse)
    assert answer.code == 65
    assert "trained on 5min bars, got 15min bars" in answer.err
