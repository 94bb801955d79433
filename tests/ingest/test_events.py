"""Events that the config names: when they last, of which series, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from foreseq.config import DatasetConfig, build_experiment
from foreseq.errors import ConfigError
from foreseq.ingest.store import ingest
from foreseq.ingest.table import to_panel
from foreseq.series import panel
from foreseq.series.panel import to_frame


def make_table(freq="D", steps=6, zone=None):
    times = pd.date_range("2024-05-01", periods=steps, freq=freq, tz=zone)
    rows = [pd.DataFrame({"unique_id": n, "ds": times, "y": np.arange(steps)}) for n in "ab"]
    return pd.concat(rows, ignore_index=True)


def made(table, *events, **fields):
    dataset = DatasetConfig.model_validate({"horizon": 3, "events": events, **fields})
    return to_frame(to_panel(table, dataset)[0]).set_index(["unique_id", "ds"])


def fair(first="2024-05-02", last="2024-05-03", **fields):
    return {"name": "fair", "first": first, "last": last, **fields}


def test_an_event_lasts_up_to_its_last_day_and_is_known_a_horizon_ahead():
    frame = made(make_table(), fair(), fair("2024-05-09", "2024-05-20"))
    assert frame.loc["a", "event_fair"].tolist() == [0, 1, 1, 0, 0, 0, 0, 0, 1]


def test_an_event_may_be_of_some_series():
    frame = made(make_table(), fair(series=["b"]), fair("2024-05-01", "2024-05-01", series=["a"]))
    assert frame.loc["a", "event_fair"].tolist() == [1, *[0] * 8]
    assert frame.loc["b", "event_fair"].tolist() == [0, 1, 1, *[0] * 6]


def test_times_of_an_event_are_those_of_the_clocks():
    table = make_table("h", 30, "Europe/Berlin")
    frame = made(table, fair("2024-05-01 07:00", "2024-05-01 09:00"))
    assert np.flatnonzero(frame.loc["a", "event_fair"]).tolist() == [7, 8, 9]


def test_a_day_of_hours_is_the_whole_day():
    frame = made(make_table("h", 30), fair("2024-05-01", "2024-05-01"))
    assert frame.loc["a", "event_fair"].tolist() == [1] * 24 + [0] * 9


def test_events_of_integer_steps_have_steps():
    table = make_table().assign(ds=lambda t: t["ds"].dt.day)
    assert made(table, fair(2, 3)).loc["a", "event_fair"].tolist() == [0, 1, 1] + [0] * 6
    with pytest.raises(ConfigError, match="fair needs steps"):
        made(table, fair())
    with pytest.raises(ConfigError, match="fair needs times"):
        made(make_table(), fair(2, 3))


def test_events_stand_beside_other_columns():
    frame = made(make_table().assign(price=lambda t: t["y"] * 2.0), fair())
    assert frame.loc["b", "price"].tolist()[:3] == [0, 2, 4]
    assert frame.loc["b", "event_fair"].sum() == 2


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (fair("2024-05-03", "2024-05-02"), "last must not be before first"),
        (fair(2, "2024-05-02"), "must both be steps, or both be times"),
        (fair(name="a fair"), "dataset.events"),
    ],
)
def test_events_that_make_no_sense_are_refused(event, why):
    with pytest.raises(ConfigError, match=why):
        build_experiment({"dataset": {"horizon": 3, "events": [event]}}, [])


def test_a_series_of_an_event_that_is_not_there_is_said():
    dataset = DatasetConfig.model_validate({"horizon": 3, "events": [fair(series=["a", "c"])]})
    _, repairs = to_panel(make_table(), dataset)
    assert repairs.covariates == ("event_fair: of series c, which is not there",)


@pytest.mark.parametrize("update", ["replace", "append"])
def test_a_new_event_makes_a_new_panel_of_the_same_rows(tmp_path, update):
    make_table().to_csv(tmp_path / "a.csv", index=False)
    fields = {"source": str(tmp_path / "a.csv"), "horizon": 3, "update": update}
    folders = [
        ingest(DatasetConfig(**fields, events=events), tmp_path / "store").folder
        for events in ((), (fair(),))
    ]
    lengths = [panel.load(folder).lengths.tolist() for folder in folders]
    assert lengths == [[6, 6]] * 2
    assert panel.load(folders[1]).covariates.values.sum() == 4
