import numpy as np
import pytest

from foreseq.config import build_experiment
from foreseq.errors import SeriesTooShort
from foreseq.selection.choose import by_rules
from foreseq.series.panel import from_series
from foreseq.training import batches, model_cache


def make_experiment(panel, *overrides):
    fields = {"dataset": {"source": "memory", "horizon": 3}}
    small = ("network.cells.units=[4]", "training.batch_size=10", "network.context=12", *overrides)
    return by_rules(build_experiment(fields, small), panel).experiment


def make_panel():
    wave = np.arange(60) % 4 + 10.0
    return from_series({"a": wave, "b": wave + 1}, freq="1", season=4)


def drawn(share, *, step=0):
    panel = make_panel()
    experiment = make_experiment(panel, f"training.synthetic={share}")
    pools = batches.pools(panel, panel.lengths, 100, experiment)
    return pools, batches.BatchSampler(pools, experiment, 1)(step, model_cache.build(experiment))


def test_without_a_share_all_windows_are_real():
    pools, batch = drawn(0.0)
    assert [source.size for source in pools] == [10]
    assert batch.inputs["past"].shape == (10, 12, 1)
    assert set(np.unique(batch.target[..., 0])) <= set(range(10, 15))


def test_a_share_of_each_batch_is_made_up():
    pools, batch = drawn(0.7)
    assert [source.size for source in pools] == [3, 7]
    assert batch.inputs["past"].shape == (10, 12, 1)
    assert batch.target.shape == (10, 1, 1, 3, 2)
    assert set(np.unique(batch.target[:3, ..., 0])) <= set(range(10, 15))
    assert (batch.target[3:, ..., 0] < 9).all()  # those made up are not far from zero


def test_however_large_the_share_a_real_window_is_left():
    pools, _ = drawn(0.99)
    assert [source.size for source in pools] == [1, 9]


def test_a_batch_depends_on_its_number_alone():
    first, again, next_one = (drawn(0.5, step=step)[1] for step in (4, 4, 5))
    assert np.array_equal(first.inputs["past"], again.inputs["past"])
    assert not np.array_equal(first.inputs["past"], next_one.inputs["past"])


def test_steps_after_the_ends_are_not_read():
    panel = make_panel()
    panel.values[30:60] = panel.values[90:] = 1e6
    experiment = make_experiment(panel, "training.synthetic=0.5")
    pools = batches.pools(panel, np.array([30, 30]), 20, experiment)
    draw, model = batches.BatchSampler(pools, experiment, 1), model_cache.build(experiment)
    drawn = [draw(step, model) for step in range(20)]
    assert max(batch.target[..., 0].max() for batch in drawn) < 1e6
    assert max(batch.inputs["past"].max() for batch in drawn) < 1e6


def test_no_more_series_are_made_up_than_teach_several_windows():
    panel = make_panel()
    experiment = make_experiment(panel, "training.synthetic=0.5")
    _, made = batches.pools(panel, panel.lengths, 6, experiment)
    assert made.panel.n_series == 4  # of 30 windows


def test_every_cutoff_of_a_window_is_to_be_answered_by_what_came_after_it():
    panel = from_series({"a": np.arange(100.0)}, freq="1", season=4)
    experiment = make_experiment(
        panel, "training.synthetic=0", "training.cutoffs_per_window=3", "network.patch=4"
    )
    pools = batches.pools(panel, panel.lengths, 100, experiment)
    model = model_cache.build(experiment, cutoffs=3)
    batch = batches.BatchSampler(pools, experiment, 1)(0, model)
    assert batch.inputs["past"].shape == (10, 12 + 2 * 4, 1)
    assert batch.target.shape == (10, 3, 1, 3, 2)
    newest = batch.inputs["past"][:, -1, 0]
    for place, back in enumerate((8, 4, 0)):
        cutoff = newest + 1 - back
        asked = cutoff >= 2
        assert (batch.weight[:, place, 0].all(axis=1) == asked).all()
        expected = cutoff[asked, None] + np.arange(3)
        assert np.array_equal(batch.target[asked, place, 0, :, 0], expected)


def test_series_that_are_read_together_are_to_be_answered_together():
    panel = make_panel()
    experiment = make_experiment(panel, "network.multivariate=all")
    pools = batches.pools(panel, panel.lengths, 100, experiment)
    batch = batches.BatchSampler(pools, experiment, 1)(0, model_cache.build(experiment))
    assert batch.inputs["past"].shape == (10, 12, 2)
    assert batch.target.shape == (10, 1, 2, 3, 2)
    apart = batch.target[:, 0, 1, :, 0] - batch.target[:, 0, 0, :, 0]
    assert (apart == 1).all()  # `b` is one above `a`


def test_upside_down_twice_is_as_before():
    rng = np.random.default_rng(1)
    past, y = rng.lognormal(size=(5, 12, 2)), rng.lognormal(size=(5, 3, 2, 4))
    past[1] -= 1  # some negative
    past[2, :7] = y[3, 0] = np.nan
    turned = batches.flip(past, y)
    assert (turned[0][0].argmin(axis=0) == past[0].argmax(axis=0)).all()
    for again, before in zip(batches.flip(*turned), (past, y), strict=True):
        np.testing.assert_allclose(again, before)


def test_about_half_of_the_windows_are_turned_and_each_keeps_its_mean():
    rng = np.random.default_rng(1)
    panel = from_series({"a": 100 + rng.normal(size=300).cumsum()}, freq="1", season=1)
    overrides = ("training.synthetic=0", "training.batch_size=400", "network.context=8")
    straight, mirrored = (
        batches.BatchSampler(batches.pools(panel, panel.lengths, 1, each), each, 1)(
            0, model_cache.build(each)
        )
        for each in (
            make_experiment(panel, *overrides, f"training.sign_flip={turn}")
            for turn in (False, True)
        )
    )
    same = (straight.inputs["past"] == mirrored.inputs["past"]).all(axis=(1, 2))
    assert 150 < same.sum() < 250
    before, after = (
        np.log(np.where(batch.inputs["observed"] > 0, batch.inputs["past"], 1)).mean(axis=1)
        for batch in (straight, mirrored)
    )
    np.testing.assert_allclose(after, before, rtol=1e-4)
    assert (mirrored.target[..., 0][mirrored.weight > 0] > 0).all()


def test_series_too_short_to_learn_from_are_told_as_such():
    panel = from_series({"a": [1.0, 2.0, 3.0]}, freq="1", season=1)
    experiment = make_experiment(make_panel(), "training.synthetic=0.5")
    pools = batches.pools(panel, panel.lengths, 10, experiment)
    with pytest.raises(SeriesTooShort):
        batches.BatchSampler(pools, experiment, 1)


def pool_of(**series):
    panel = from_series(series, freq="1", season=4)
    experiment = make_experiment(panel, "training.synthetic=0", "training.loss=mase")
    return batches.pools(panel, panel.lengths, 20, experiment)[0]


def test_a_series_without_noise_does_not_outweigh_the_others(rng):
    wave = np.tile([1.0, 5.0, 3.0, 7.0], 15)
    pool = pool_of(exact=wave + 1e-15 * rng.normal(size=60), noisy=wave + rng.normal(size=60))
    assert pool.weight[0] < 1e3 * pool.weight[1]


@pytest.mark.parametrize("absurd", [-3.4e38, 1e300])
def test_an_absurd_value_is_neither_read_nor_learned(rng, absurd):
    series = 20 + rng.normal(size=60)
    broken = np.array(series)
    broken[30] = absurd
    expected, pool = pool_of(a=np.where(broken == absurd, np.nan, series)), pool_of(a=broken)
    assert pool.weight.tolist() == expected.weight.tolist()
    assert pool.panel.observed.tolist() == expected.panel.observed.tolist()
