"""There is one champion, it changes only against the one the gate saw, and there is a way back."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from foreseq.config import build_experiment
from foreseq.errors import BundleRefused, ConfigError, NotPublished
from foreseq.forecasting import bundle
from foreseq.selection.choose import by_rules
from foreseq.series.panel import from_series
from foreseq.tracking import forecaster, registry, store
from foreseq.training import loop, model_cache, network_weights


@pytest.fixture(scope="module")
def run_ids(tmp_path_factory):
    """Return three runs with a bundle and one without, in a store of their own."""
    folder = tmp_path_factory.mktemp("registry")
    values = 50 + np.sin(np.arange(60.0))
    panel = from_series({"a": values}, freq="1", season=6)
    fields = {"dataset": {"name": "sine", "source": "s.csv", "horizon": 3}}
    experiment, _, _, _ = by_rules(build_experiment(fields, ["network.cells.units=[2]"]), panel)
    weights = network_weights.get_weights(model_cache.build(experiment))
    state = bundle.state(panel, panel.lengths, [loop.Fitted(weights, 1, ())])
    made = bundle.Bundle(
        experiment=experiment,
        origin=bundle.Origin(data=panel.fingerprint(), steps=(1,)),
        evaluated=state,
        final=state,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{(folder / 'mlflow.db').as_posix()}")
        ids = []
        for count in range(4):
            with forecaster.begin(experiment, panel) as run:
                if count:
                    forecaster.log_bundle(run, made)
            ids.append(run.id)
        yield [*ids[1:], ids[0]]


@pytest.fixture
def versions(run_ids, request):
    """Return three versions of a model that no other test knows."""
    name = request.node.name
    return [registry.register(run_id, name) for run_id in run_ids[:3]]


def test_registering_a_run_twice_gives_the_same_version(run_ids):
    first = registry.register(run_ids[0], "twice")
    assert registry.register(run_ids[0], "twice") == first
    assert str(first) == "twice/1"


def test_run_without_a_bundle_or_unknown_cannot_be_registered(run_ids):
    with pytest.raises(ConfigError, match="without a model"):
        registry.register(run_ids[3], "none")
    with pytest.raises(ConfigError, match="no such run"):
        registry.register("0" * 32, "none")


def test_champion_has_three_names(versions):
    name = versions[1].name
    assert registry.champion(name) is None
    registry.promote(versions[1], expected=None)
    for wanted in (name, f"{name}@champion", f"{name}/2"):
        assert registry.resolve(wanted) == versions[1]
    assert registry.resolve(f"{name}/3") == versions[2]


def test_an_unknown_name_is_refused_with_the_known_ones(versions):
    name = versions[0].name
    with pytest.raises(ConfigError, match=f"no version of {name} is published; .* {name}/1"):
        registry.resolve(name)
    registry.promote(versions[0], expected=None)
    for unknown in (f"{name}@challenger", f"{name}/9"):
        with pytest.raises(
            ConfigError,
            match=rf"no such version; .* {name}/1, {name}/2, {name}/3, {name}@champion",
        ):
            registry.resolve(unknown)
    with pytest.raises(ConfigError, match=f"no such model; .*the models.* {name}.*`foreseq run`"):
        registry.resolve("nobody")
    with pytest.raises(ConfigError, match="`foreseq text train`"):
        registry.resolve("nobody", trained_by="foreseq text train")
    with pytest.raises(ConfigError, match="NAME@champion"):
        registry.resolve("no such name")


def test_fetched_bundle_is_the_registered_one_read_in_place(versions):
    folder = registry.fetch(versions[0])
    assert bundle.digest(folder) == versions[0].digest
    assert bundle.load(folder).experiment.dataset.name == "sine"
    assert folder.is_relative_to(store.home() / "artifacts")


def test_bundle_exchanged_or_gone_is_not_fetched(run_ids):
    version = registry.register(run_ids[2], "exchanged")
    manifest = registry.fetch(version) / bundle.MANIFEST
    genuine = manifest.read_bytes()
    try:
        manifest.write_bytes(genuine + b" ")
        with pytest.raises(BundleRefused, match="another bundle"):
            registry.fetch(version)
        manifest.unlink()
        with pytest.raises(BundleRefused, match="no bundle"):
            registry.fetch(version)
    finally:
        manifest.write_bytes(genuine)


def test_champion_that_the_gate_did_not_see_is_not_replaced(versions):
    old, first, second = versions
    registry.promote(old, expected=None)
    registry.promote(first, expected=old)
    with pytest.raises(NotPublished, match=f"{old}, but now that is {first}"):
        registry.promote(second, expected=old)
    assert registry.champion(old.name) == first
    assert registry.previous(old.name) == old


def test_publishing_again_what_is_published_changes_nothing(versions):
    registry.promote(versions[0], expected=None)
    registry.promote(versions[1], expected=versions[0])
    registry.promote(versions[1], expected=versions[0])
    assert registry.previous(versions[0].name) == versions[0]


def test_of_several_that_publish_at_once_one_succeeds(versions):
    def publish(version):
        try:
            registry.promote(version, expected=None)
        except NotPublished:
            return None
        return version

    with ThreadPoolExecutor() as pool:
        winners = [version for version in pool.map(publish, versions) if version]
    assert winners == [registry.champion(versions[0].name)]


def test_rollback_brings_the_previous_champion_back_once(versions):
    registry.promote(versions[0], expected=None)
    with pytest.raises(ConfigError, match="no previous champion"):
        registry.rollback(versions[0].name)
    registry.promote(versions[1], expected=versions[0])
    assert registry.rollback(versions[0].name) == versions[0]
    assert registry.champion(versions[0].name) == versions[0]
    assert registry.previous(versions[0].name) is None
    with pytest.raises(ConfigError, match="no previous champion"):
        registry.rollback(versions[0].name)


def test_a_model_is_described_as_its_champion_is(versions):
    client, name = store.open_store(), versions[0].name
    assert "No version has been published" in client.get_registered_model(name).description
    for version in versions[:2]:
        registry.promote(version, expected=registry.champion(name))
    registry.rollback(name)
    described = client.get_registered_model(name).description
    assert described.startswith("Champion since")
    assert "**version 1**" in described
    assert f'load_model("models:/{name}/1")' in described


@pytest.mark.usefixtures("run_ids")
def test_a_model_that_foreseq_did_not_register_is_refused():
    client = store.open_store()
    client.create_registered_model("foreign")
    client.create_model_version("foreign", "s3://bucket/model")
    with pytest.raises(ConfigError, match="not registered by foreseq"):
        registry.resolve("foreign/1")


def test_moving_an_alias_does_not_import_tensorflow():
    code = "import sys, foreseq.tracking.registry; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 our own interpreter
