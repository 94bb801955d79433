from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foreseq.config import SplitConfig
from foreseq.errors import SeriesTooShort
from foreseq.series import windows
from foreseq.series.panel import from_series
from foreseq.series.windows import Span, Windows, WindowSampler


def make_panel(lengths, *, seed=1, freq="1", season=1):
    """Return series of random values, about a fifth of them unobserved."""
    rng = np.random.default_rng(seed)
    series = {}
    for number, length in enumerate(lengths):
        values = rng.normal(size=length)
        values[rng.random(length) < 0.2] = np.nan
        series[f"s{number:03}"] = values
    start = 0 if freq == "1" else "2020-01-01"
    return from_series(series, freq=freq, season=season, start=start)


def altered_from(panel, steps):
    """Return the panel with other values, and other gaps, from a step of each series on."""
    values, observed = panel.values.copy(), panel.observed.copy()
    for start, end, step in zip(panel.offsets[:-1], panel.offsets[1:], steps, strict=True):
        values[start + step : end] = -999 - values[start + step : end]
        observed[start + step : end] ^= True
    return replace(panel, values=values, observed=observed)


def steps_of(chosen, position, horizon):
    """Return the steps of one series that its windows must answer for, in order."""
    cutoffs = chosen.cutoff[chosen.series == position]
    return [int(cutoff) + ahead for cutoff in cutoffs for ahead in range(horizon)]


lengths = st.lists(st.integers(1, 60), min_size=1, max_size=5)


@st.composite
def splits(draw):
    panel, horizon = make_panel(draw(lengths)), draw(st.integers(1, 6))
    plan = SplitConfig(
        test_windows=draw(st.none() | st.integers(1, 3)),
        stride=draw(st.none() | st.integers(1, horizon)),
        validation_windows=draw(st.none() | st.integers(1, 3)),
        validation_stride=draw(st.none() | st.integers(1, horizon)),
    )
    return panel, horizon, plan


@given(splits())
def test_the_futures_of_all_parts_follow_each_other_and_rebuild_the_series(case):
    panel, horizon, plan = case
    try:
        parts = windows.split(panel, horizon, plan)
    except SeriesTooShort:
        return
    for position, length in enumerate(panel.lengths.tolist()):
        trained, validated = parts.train_ends[position], parts.validation_ends[position]
        assert 0 <= trained <= validated <= length
        tested_steps = set(steps_of(parts.test, position, horizon))
        validated_steps = set(steps_of(parts.validation, position, horizon))
        assert tested_steps in (set(), set(range(validated, length)))
        assert validated_steps in (set(), set(range(trained, validated)))


@given(splits())
def test_a_settled_plan_splits_alike(case):
    panel, horizon, plan = case
    test, validation = windows.spans(panel, horizon, plan)
    fields = SplitConfig(
        test_windows=test.cutoffs,
        stride=test.stride,
        validation_windows=validation.cutoffs,
        validation_stride=validation.stride,
    )
    assert windows.spans(panel, horizon, fields) == (test, validation)


@given(lengths, st.integers(1, 9), st.integers(1, 4), st.randoms(use_true_random=False))
def test_a_batch_holds_the_steps_before_its_cutoff_and_the_future_those_after(
    lengths, context, horizon, random
):
    panel = make_panel(lengths)
    series = [random.randrange(panel.n_series) for _ in range(6)]
    cutoff = [random.randint(0, lengths[position]) for position in series]
    chosen = Windows(np.array(series), np.array(cutoff))
    batch = windows.gather(panel, chosen, context, horizon, dates=False)
    futures = windows.futures(panel, chosen, horizon)
    for row, (position, end) in enumerate(zip(series, cutoff, strict=True)):
        whole = np.where(panel.seen(position), panel.series(position), np.nan)
        padded = np.concatenate([np.full(context, np.nan), whole, np.full(horizon, np.nan)])
        past, future = np.split(padded[end : end + context + horizon], [context])
        np.testing.assert_array_equal(batch.observed[row, :, 0], ~np.isnan(past))
        np.testing.assert_array_equal(batch.past[row, :, 0], np.nan_to_num(past))
        np.testing.assert_array_equal(futures[row], future)


@given(lengths, st.integers(1, 9))
def test_no_batch_holds_anything_from_after_its_cutoff(lengths, context):
    panel = make_panel(lengths, freq="D")
    cutoff = panel.lengths // 2
    chosen = Windows(np.arange(panel.n_series), cutoff)
    before = windows.gather(panel, chosen, context, 3, dates=True)
    after = windows.gather(altered_from(panel, cutoff), chosen, context, 3, dates=True)
    for one, other in zip(before, after, strict=True):
        assert one.tobytes() == other.tobytes()


def test_the_calendar_of_a_batch_runs_through_past_and_future():
    panel = make_panel([30, 30], freq="D")
    chosen = Windows(np.array([0, 1]), np.array([20, 3]))
    batch = windows.gather(panel, chosen, 7, 7, dates=True)
    assert batch.calendar.shape == (2, 14, 4)
    np.testing.assert_allclose(batch.calendar[:, :7, :2], batch.calendar[:, 7:, :2], atol=1e-6)


def test_integer_steps_have_no_calendar():
    batch = windows.gather(make_panel([9]), windows.newest(make_panel([9])), 4, 2, dates=False)
    assert batch.calendar.shape == (1, 6, 0)


def test_a_short_series_is_neither_tested_nor_trained_on_in_the_days_of_the_test():
    plan = SplitConfig(test_windows=1, validation_windows=1)
    parts = windows.split(make_panel([40, 5]), 4, plan)
    assert parts.test.series.tolist() == [0]
    assert parts.train_ends.tolist() == [32, 0]


def test_a_panel_of_short_series_is_refused_with_what_it_needs():
    with pytest.raises(SeriesTooShort, match=r"series s001: a series needs 14 steps .* found 13"):
        windows.split(make_panel([12, 13]), 4, SplitConfig())
    windows.split(make_panel([12, 14]), 4, SplitConfig())


def test_a_panel_without_series_is_refused():
    with pytest.raises(SeriesTooShort, match="found no series"):
        windows.split(from_series({}, freq="1", season=1), 4, SplitConfig())


@pytest.mark.parametrize(
    ("lengths", "horizon", "expected"),
    [
        pytest.param([144], 12, Span(5, 3), id="one-series-a-fifth-of-its-history"),
        pytest.param([1000] * 414, 48, Span(5, 12), id="many-series-five-moments"),
        pytest.param([1000] * 5, 8, Span(7, 2), id="five-series-seven-windows-each"),
        pytest.param([96], 12, Span(5, 3), id="short-history-two-horizons"),
        pytest.param([20], 4, Span(2, 1), id="shorter-a-third-of-it"),
        pytest.param([10], 4, Span(1, 1), id="too-short-for-any"),
    ],
)
def test_validation_takes_several_moments_and_more_of_few_series(lengths, horizon, expected):
    plan = SplitConfig(test_windows=1)
    assert windows.spans(make_panel(lengths), horizon, plan)[1] == expected


@pytest.mark.parametrize(
    ("lengths", "horizon", "cutoffs"),
    [
        pytest.param([144], 12, 6, id="one-series-half-of-its-history"),
        pytest.param([144], 1, 20, id="one-series-twenty-in-a-fifth-of-it"),
        pytest.param([10_000], 24, 20, id="one-long-series"),
        pytest.param([144] * 100, 12, 3, id="many-series-three"),
        pytest.param([1000] * 414, 48, 4, id="many-long-series-a-fifth-of-their-history"),
        pytest.param([48] * 3, 12, 1, id="as-many-as-leave-enough-to-train-and-validate"),
        pytest.param([14], 4, 1, id="one-at-least"),
    ],
)
def test_the_test_takes_several_times_and_more_of_few_series(lengths, horizon, cutoffs):
    panel = make_panel(lengths)
    assert windows.spans(panel, horizon, SplitConfig())[0] == Span(cutoffs, horizon)
    windows.split(panel, horizon, SplitConfig())  # which is not refused


def test_what_the_plan_tells_is_not_changed():
    plan = SplitConfig(test_windows=2, stride=5, validation_windows=3, validation_stride=7)
    assert windows.spans(make_panel([200]), 12, plan) == (Span(2, 5), Span(3, 7))


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=6),
    st.integers(1, 8),
    st.integers(0, 2**40),
    st.integers(0, 1000),
)
def test_a_draw_is_a_function_of_seed_and_step_and_stays_before_the_ends(ends, horizon, seed, step):
    ends = np.array(ends)
    if ends.max() < horizon + windows.MIN_PAST:
        with pytest.raises(SeriesTooShort):
            WindowSampler(ends, horizon, seed)
        return
    draw = WindowSampler(ends, horizon, seed)
    draw(step + 1, 8)  # what was drawn before does not matter
    one, other = draw(step, 16), WindowSampler(ends, horizon, seed)(step, 16)
    np.testing.assert_array_equal(one.series, other.series)
    np.testing.assert_array_equal(one.cutoff, other.cutoff)
    assert (one.cutoff + horizon <= ends[one.series]).all()
    assert (one.cutoff >= windows.MIN_PAST).all()


def test_other_seeds_and_other_steps_draw_other_windows():
    ends = np.full(5, 1000)
    drawn = [
        WindowSampler(ends, 4, seed)(step, 50).cutoff.tolist() for seed in (1, 2) for step in (0, 1)
    ]
    assert len({tuple(cutoffs) for cutoffs in drawn}) == 4


def test_series_are_drawn_with_the_root_of_their_windows_and_cutoffs_evenly():
    sampler = WindowSampler(np.array([105, 0, 405]), 4, seed=1)  # 100, none and 400 windows
    drawn = sampler(0, 60_000)
    share = np.bincount(drawn.series, minlength=3) / 60_000
    np.testing.assert_allclose(share, [1 / 3, 0, 2 / 3], atol=0.01)
    assert drawn.cutoff[drawn.series == 0].mean() == pytest.approx(2 + 99 / 2, abs=1)


def test_after_a_half_life_a_window_is_half_as_likely():
    ends = np.array([10_000, 3, 60])
    drawn = WindowSampler(ends, 4, seed=1, half_life=500)(0, 60_000)
    age = (ends[0] - 4) - drawn.cutoff[drawn.series == 0]
    assert age.min() == 0
    assert np.median(age) == pytest.approx(500, rel=0.03)
    assert (age < 1000).mean() == pytest.approx(0.75, abs=0.01)
    short = drawn.cutoff[drawn.series == 2]
    assert set(short) == set(range(2, 57))


def test_drawing_from_a_billion_steps_needs_two_numbers_a_series():
    draw = WindowSampler(np.full(3, 10**9), 24, seed=1)
    assert draw.counts.size == draw.share.size == 3
    assert draw(0, 128).cutoff.max() > 10**8


def test_an_index_is_two_integers_a_window_whatever_the_history():
    short, long = (
        windows.split(make_panel([steps] * 3), 4, SplitConfig(test_windows=10)).test
        for steps in (100, 5000)
    )
    assert short.series.nbytes + short.cutoff.nbytes == 3 * 10 * 16
    assert long.series.nbytes + long.cutoff.nbytes == 3 * 10 * 16


def test_batches_in_turn_are_the_windows():
    chosen = Windows(np.arange(7), np.arange(7) + 10)
    parts = list(windows.batches(chosen, 3))
    assert [part.count for part in parts] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate([part.cutoff for part in parts]), chosen.cutoff)
