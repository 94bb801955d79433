import numpy as np
import pandas as pd
import pytest

from foreseq.config import DatasetConfig
from foreseq.errors import ConfigError
from foreseq.ingest.table import to_panel
from foreseq.series.panel import to_frame

holidays = pytest.importorskip("holidays")


def days(start="2023-12-20", steps=10, freq="D", series=("a",)):
    times = pd.date_range(start, periods=steps, freq=freq)
    rows = [
        pd.DataFrame({"unique_id": n, "ds": times, "y": np.arange(steps) + 1.0}) for n in series
    ]
    return pd.concat(rows, ignore_index=True)


def panel(table, **fields):
    return to_panel(table, DatasetConfig(horizon=4, **fields))[0]


def test_holidays_are_known_a_horizon_ahead():
    frame = to_frame(panel(days(), holidays="DE")).set_index("ds")
    assert frame.index.max() == pd.Timestamp("2024-01-02")
    assert frame.index[frame["public_holiday"] == 1].strftime("%m-%d").tolist() == [
        "12-25",
        "12-26",
        "01-01",
    ]
    assert frame["public_holiday_near"].loc[["2023-12-24", "2023-12-27", "2024-01-02"]].all()
    assert not frame["public_holiday_near"].loc["2023-12-28"]
    assert frame["public_holiday_name"].nunique() == 4  # with none


def test_hours_of_a_holiday_are_those_of_its_day_on_the_clocks():
    table = days("2023-12-24 22:00", 30, "h").assign(
        ds=lambda t: t["ds"].dt.tz_localize("Europe/Berlin")
    )
    frame = to_frame(panel(table, holidays="DE"))
    assert frame["public_holiday"].tolist()[:3] == [0, 0, 1]


def test_each_series_may_have_a_country_of_its_own():
    table = days(series=("a", "b")).assign(
        land=lambda t: t["unique_id"].map({"a": "DE", "b": "US"})
    )
    frame = to_frame(panel(table, holidays="land")).set_index(["unique_id", "ds"])
    second = pd.Timestamp("2023-12-26")
    assert frame.loc[("a", second), "public_holiday"] == 1
    assert frame.loc[("b", second), "public_holiday"] == 0


def test_they_join_the_covariates_that_there_are():
    table = days().assign(price=lambda t: t["y"] * 2)
    made = panel(table, holidays="DE", covariates={"past": ["price"]})
    assert [column.role for column in made.covariates.columns] == ["past", *["future"] * 3]
    assert np.isnan(made.covariates.by_step(0)[10:]).all()
    assert np.isfinite(made.covariates.by_step(1)).all()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"holidays": "XX"}, "there are none of XX"),
        ({"holidays": "DE-ZZ"}, "there are none of DE-ZZ"),
    ],
)
def test_an_unknown_country_is_refused(fields, says):
    with pytest.raises(ConfigError, match=says):
        panel(days(), **fields)


def test_longer_steps_have_no_holidays():
    with pytest.raises(ConfigError, match="steps of a day or less"):
        panel(days(freq="MS"), holidays="DE")
