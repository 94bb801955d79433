"""Forecasts are shown in the terminal, whichever way they are named."""

import json

import numpy as np
import pandas as pd
import pytest

from foreseq.errors import ConfigError
from foreseq.pipelines.cli import look
from foreseq.series import panel

WIDTH = 80
DAYS = pd.date_range("2024-03-01", periods=7, freq="D")


def forecasts(folder, names, version="shop/1", data="none"):
    """Write a folder of forecasts as `writer` does."""
    folder.mkdir(parents=True)
    rows = [pd.DataFrame({"unique_id": name, "ds": DAYS, "y_hat": 5.0}) for name in names]
    table = pd.concat(rows).assign(q10=3.0, q50=5.0, q90=8.0, model_version=version)
    table.to_parquet(folder / "part-00000.parquet")
    made = {"model_version": version, "data": data, "horizon": 7, "series": len(names)}
    made |= {"rows": len(table), "parts": {"part-00000.parquet": ""}}
    (folder / look.MANIFEST).write_text(json.dumps(made))


@pytest.fixture
def shown(tmp_path, monkeypatch, capsys):
    """Work in an empty folder; return what shows something there, as lines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORESEQ_DATA", "data")

    def lines(*words):
        look.show(*words)
        return capsys.readouterr().out.splitlines()

    return lines


def test_a_forecast_is_drawn_after_its_history_and_listed(shown, tmp_path):
    past = panel.from_series({"a": np.arange(20.0)}, freq="D", season=7, start="2024-02-10")
    panel.save(past, tmp_path / "data" / "series" / "shop" / "digest")
    forecasts(tmp_path / "out", ["a"], data=past.fingerprint())
    lines = shown("out")
    assert lines[0] == "out: series a, 7 steps, by shop/1"
    assert max(map(len, lines)) <= WIDTH
    assert any(line.split() == ["2024-02-16", "2024-03-01", "2024-03-07"] for line in lines)
    assert lines[-1].split() == ["2024-03-07", "5", "3", "8"]
    assert "\x1b" not in "".join(lines)  # no colours in a pipe


def test_many_series_are_listed_and_one_of_them_is_shown(shown, tmp_path):
    forecasts(tmp_path / "out", [f"s{n:02}" for n in range(30)])
    assert shown("out")[-1] == "and 10 more; --series ID shows one of them"
    assert shown("out", "s17")[-1].split() == ["2024-03-07", "5", "3", "8"]
    with pytest.raises(ConfigError, match="no forecast of series s77; there is s27"):
        shown("out", "s77")


def test_series_whose_ids_are_integers_are_shown(shown, tmp_path):
    forecasts(tmp_path / "out", [7, 17])
    assert shown("out", "17")[0].startswith("out: series 17,")
    with pytest.raises(ConfigError, match=r"no forecast of series 07; there is 7$"):
        shown("out", "07")


def test_a_model_means_its_newest_forecast(shown, tmp_path):
    forecasts(tmp_path / "data" / "forecasts" / "shop" / "2024-02-29", ["a"], version="shop/2")
    assert shown("shop")[0].endswith("by shop/2")
    assert shown("shop@champion") == shown("shop/2") == shown("shop")
    with pytest.raises(ConfigError, match=r"nosuch: .*there are those of shop"):
        shown("nosuch")
