import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from PIL import Image

from foreseq.report.figures import canvas
from foreseq.report.figures.canvas import BLUE
from foreseq.report.figures.errors import best_median_worst, curves_figure, horizon_figure
from foreseq.report.figures.outlook import Outlook, forecast_figure, panel_figure


def drawn(figure):
    """Render the figure as anyone would, and return its pixels."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return np.asarray(Image.open(file).convert("RGB"))


def words(axes):
    return [text.get_text() for text in axes.texts]


def monthly(horizon=12, **options):
    times = pd.date_range("1955-01-01", periods=120 + horizon, freq="MS").to_numpy()
    values = 300 + 40 * np.sin(np.arange(120 + horizon) / 6 * np.pi)
    return Outlook(times[:120], values[:120], times[120:], values[120:] + 5, **options)


@pytest.mark.parametrize("freq", ["15min", "h", "D", "W", "MS", "QS", "YS", "1"])
@pytest.mark.parametrize("horizon", [1, 14, 48])
def test_every_frequency_and_horizon_is_drawn_without_a_warning(freq, horizon):
    steps = 60 + horizon
    times = np.arange(steps)
    if freq != "1":
        times = pd.date_range("2001-01-31 05:00", periods=steps, freq=freq).to_numpy()
    values = np.cos(np.arange(steps)) * 1e6
    outlook = Outlook(times[:60], values[:60], times[60:], values[60:], values[60:])
    image = drawn(forecast_figure(outlook, freq))
    assert image.shape == (504, 1200, 3)
    assert (image == np.array([0, 0x72, 0xB2])).all(axis=-1).any()  # the forecast's blue


def test_a_forecast_sets_out_from_the_last_observation():
    outlook = monthly(actual=np.full(12, 310.0))
    axes = forecast_figure(outlook).axes[0]
    _, past, forecast, actual = axes.lines
    for future in (forecast, actual):
        assert future.get_xydata()[0].tolist() == past.get_xydata()[-1].tolist()
        assert len(future.get_xydata()) == 13
    assert forecast.get_ydata()[1:].tolist() == outlook.forecast.tolist()


def test_only_the_newest_past_is_drawn():
    past = forecast_figure(monthly(horizon=12)).axes[0].lines[1]
    assert len(past.get_xydata()) == 5 * 12
    brief = forecast_figure(monthly(horizon=1)).axes[0].lines[1]
    assert len(brief.get_xydata()) == 30


def test_levels_as_far_from_the_median_bound_one_band():
    centre = monthly().forecast
    levels = {0.9: centre + 9, 0.1: centre - 9, 0.5: centre, 0.25: centre - 4, 0.75: centre + 4}
    axes = forecast_figure(monthly(quantiles=levels)).axes[0]
    assert words(axes) == ["80% interval", "50% interval", "forecast"]
    wide, narrow = (band.get_paths()[0].get_extents().height for band in axes.collections)
    assert wide > narrow


def test_a_level_without_its_counterpart_bounds_no_band():
    axes = forecast_figure(monthly(quantiles={0.1: np.zeros(12), 0.5: np.ones(12)})).axes[0]
    assert words(axes) == ["forecast"]


def test_gaps_and_futures_still_unknown_are_left_blank():
    outlook = monthly(actual=np.full(12, np.nan))
    outlook.past[-20:-10] = np.nan
    figure = forecast_figure(outlook, "a gap")
    assert words(figure.axes[0]) == ["forecast"]
    drawn(figure)


def test_nothing_known_at_all_is_still_a_picture():
    nothing = np.full(3, np.nan)
    drawn(forecast_figure(Outlook(np.arange(3), nothing, np.arange(3, 6), nothing)))
    drawn(curves_figure(np.arange(3), nothing, nothing))


def test_a_title_is_taken_as_written():
    figure = panel_figure({"$price_{usd": monthly(), "a_b^c": monthly()})
    assert figure.axes[0].get_title(loc="left") == "$price_{usd"
    drawn(figure)


def test_a_panel_has_one_picture_per_series_and_labels_the_last():
    names = ["best: A", "median: B", "worst: C"]
    figure = panel_figure(dict.fromkeys(names, monthly(actual=np.full(12, 310.0))))
    assert [axes.get_title(loc="left") for axes in figure.axes] == names
    assert [len(words(axes)) for axes in figure.axes] == [0, 0, 2]
    assert drawn(figure).shape == (408, 1200, 3)


def test_the_best_validation_error_is_marked():
    validation = [0.9, np.nan, 0.5, 0.7]
    figure = curves_figure([10, 20, 30, 40], [2.0, 1.0, 0.8, 0.6], validation)
    axes = figure.axes[0]
    assert words(axes) == ["best 0.5", "training", "validation"]
    assert axes.lines[-1].get_xydata().tolist() == [[30.0, 0.5]]
    assert axes.get_yscale() == "linear"
    drawn(figure)


def test_errors_that_fall_by_more_than_ten_times_get_a_logarithmic_axis():
    figure = curves_figure([1, 2, 3], [50.0, 4.0, 0.3], [60.0, 5.0, 0.9])
    assert figure.axes[0].get_yscale() == "log"
    drawn(figure)


def test_the_first_forecaster_stands_in_front():
    figure = horizon_figure({"ours": [1.0, 2.0], "naive": [3.0, np.nan]}, "MASE")
    ours, naive = figure.axes[0].lines
    assert ours.get_zorder() > naive.get_zorder()
    assert to_hex(ours.get_color()) == BLUE
    assert figure.axes[0].get_ylim()[0] == 0
    drawn(figure)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.01, 0.3))
def test_labels_keep_their_order_and_their_distance(heights, gap):
    moved = canvas.apart(np.array(heights), gap)
    order = np.argsort(heights, kind="stable")
    assert (np.diff(moved[order]) >= gap - 1e-9).all()
    assert np.mean(moved) == pytest.approx(np.mean(heights), abs=1e-9)


def test_labels_far_enough_apart_stay_where_they_are():
    assert canvas.apart(np.array([0.9, 0.1, 0.5]), 0.2).tolist() == [0.9, 0.1, 0.5]


def test_best_median_worst_leave_out_what_is_not_known():
    assert best_median_worst([np.nan, 5.0]) == (1, 1, 1)
    with pytest.raises(ValueError, match="no error is known"):
        best_median_worst([np.nan])


def test_figures_leave_no_state_behind():
    import matplotlib  # noqa: PLC0415 - what matters is the state at this moment

    before = dict(matplotlib.rcParams)
    drawn(forecast_figure(monthly(), "none"))
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("ticks", [4, 5, 8])
def test_days_of_every_span_have_ticks(ticks):
    for span in (2, 4, 30, 60, 85, 91, 92, 120):
        times = pd.date_range("2024-01-01", periods=span + 1, freq="D").to_numpy()
        figure, (axes,) = canvas.canvas([""], height=3)
        axes.plot(times, np.arange(span + 1))
        canvas.tick_times(axes, times, ticks)
        figure.draw_without_rendering()
        assert len(axes.get_xticks()) <= ticks + 1
