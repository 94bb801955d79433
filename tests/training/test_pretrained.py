"""The pretrained networks: made from made-up series, read for any horizon."""

import numpy as np
import pytest
from builders import resolved

from foreseq.errors import BundleRefused, ConfigError
from foreseq.network import predict
from foreseq.series import windows
from foreseq.series.panel import from_series
from foreseq.training import model_cache, network_weights, pretrained, pretraining
from foreseq.training.pretraining import Recipe

LARGEST = 10_000_000
"""Bytes of all networks together."""
YEARLY = pretrained.needed(1)


def _forecast(family, horizon, panel):
    fields = {"dataset": {"source": "x", "horizon": horizon, "season": family.season}}
    fields["network"] = family.network().model_dump()
    experiment = resolved({**fields, "training": {"start": "pretrained"}})
    model = model_cache.build(experiment)
    network_weights.set_weights(model, pretrained.start(experiment)[0])
    return predict.predict(model, panel, windows.newest(panel))


def _waves(season, length=120):
    steps = np.arange(length)
    return from_series(
        {"a": 10 + np.sin(2 * np.pi * steps / max(season, 2)), "b": 5 + steps / length},
        freq="1",
        season=season,
    )


@pytest.mark.parametrize("family", pretrained.FAMILIES, ids=lambda family: family.name)
def test_each_network_is_in_the_package_whole_and_forecasts(family):
    forecast = _forecast(family, 3, _waves(family.season))
    assert forecast.shape == (2, 3, len(pretrained.LEVELS))
    assert np.isfinite(forecast).all()


def test_all_networks_together_are_small():
    sizes = [file.stat().st_size for file in pretrained.FOLDER.rglob("*") if file.is_file()]
    assert 0 < sum(sizes) < LARGEST


def test_a_shorter_horizon_is_the_beginning_of_a_longer_one():
    panel = _waves(1)
    shorter, longer = (_forecast(YEARLY, horizon, panel) for horizon in (6, 14))
    np.testing.assert_allclose(shorter, longer[:, :6], rtol=1e-5)


def test_beyond_the_horizon_of_pretraining_the_last_patch_is_repeated():
    steps = YEARLY.horizon + 2 * YEARLY.patch
    forecast = _forecast(YEARLY, steps, _waves(1))
    assert np.isfinite(forecast).all()
    reach = {name: w.shape for name, w in pretrained.load(YEARLY).items()}
    assert reach["place/kernel"][0] * YEARLY.patch == YEARLY.horizon


def test_a_season_without_a_network_is_refused_with_those_there_are():
    assert pretrained.family(48) is None
    with pytest.raises(ConfigError, match="season of 48 steps; there are some for 1, 4, 7, 12"):
        pretrained.needed(48)


def test_a_damaged_network_is_refused(tmp_path):
    weights = pretrained.load(YEARLY)
    folder = pretrained.save(YEARLY, weights, {}, tmp_path)
    assert pretrained.load(YEARLY, tmp_path).keys() == weights.keys()
    pretrained.load.cache_clear()
    with (folder / pretrained.WEIGHTS).open("r+b") as file:
        file.seek(1000)
        file.write(b"x")
    with pytest.raises(BundleRefused, match="differs from what the manifest vouches for"):
        pretrained.load(YEARLY, tmp_path)


@pytest.mark.slow
def test_pretraining_resumes_with_the_same_weights_and_learns(tmp_path):
    recipe = Recipe(YEARLY, steps=40)
    whole = pretraining.pretrain(recipe)
    file = tmp_path / "network.npz"

    class Stop(Exception):
        pass

    def stop(point):
        if point.step == 20:
            raise Stop

    with pytest.raises(Stop):
        pretraining.pretrain(recipe, checkpoint=file, report=stop)
    resumed = pretraining.pretrain(recipe, checkpoint=file)
    for one, other in zip(whole.weights, resumed.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert whole.curve[-1].validation < whole.curve[0].validation
    card = pretraining.card(recipe, whole)
    assert (card["steps"], card["seed"]) == (40, 1)
