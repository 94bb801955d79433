import runpy
from pathlib import Path

import pytest
from pydantic import ValidationError

from foreseq import config
from foreseq.config import (
    ExperimentConfig,
    ResolvedDataset,
    build_experiment,
    history_dataset,
    history_fields,
    load_experiment,
)
from foreseq.errors import ConfigError

PROJECT = Path(__file__).parents[2]
DATASET = {"source": "a.csv", "horizon": 12}


def refusal(raw: dict, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        build_experiment(raw, overrides, origin="shop.yaml")
    return str(caught.value)


def test_an_experiment_needs_only_a_source_and_a_horizon():
    experiment = build_experiment({"dataset": DATASET})
    assert experiment.network.cells.kind == "gru"
    assert experiment.model == "panel"


def test_an_experiment_says_what_it_was_told_and_no_more():
    raw = {"dataset": DATASET, "network": {"cells": {"units": [32]}}}
    assert build_experiment(raw).model_dump(mode="json", exclude_defaults=True) == raw


def test_dumping_and_building_gives_the_experiment_back():
    experiment = build_experiment({"dataset": DATASET | {"freq": 2}, "training": {"seed": 3}})
    assert build_experiment(experiment.model_dump(mode="json")) == experiment


def test_overrides_reach_fields_at_any_depth_in_order():
    experiment = build_experiment(
        {"dataset": DATASET},
        ["network.cells.units=[8, 4]", "training.seed=2", "name=shop", "training.seed=3"],
    )
    assert experiment.network.cells.units == (8, 4)
    assert (experiment.training.seed, experiment.model) == (3, "shop")


def test_overrides_leave_what_was_told_alone():
    raw = {"dataset": dict(DATASET)}
    build_experiment(raw, ["dataset.horizon=3"])
    assert raw == {"dataset": DATASET}


def test_an_override_may_empty_a_field():
    raw = {"dataset": DATASET | {"season": 7}}
    assert build_experiment(raw, ["dataset.season=null"]).dataset.season is None


@pytest.mark.parametrize("name", ["No", "2023", "% change", "[a]", "#", "a: b", " y", "null?"])
def test_the_name_of_a_column_is_what_is_typed(name):
    experiment = build_experiment({"dataset": DATASET}, [f"dataset.columns.y={name}"])
    assert experiment.dataset.columns.y == name


def test_a_quoted_name_goes_without_its_quotes():
    experiment = build_experiment({"dataset": DATASET}, ["dataset.columns.y='my sales'"])
    assert experiment.dataset.columns.y == "my sales"


def test_a_number_in_yaml_is_the_name_of_a_column():
    raw = {"dataset": DATASET | {"columns": {"y": 2023}}}
    assert build_experiment(raw).dataset.columns.y == "2023"


def test_histories_are_read_as_the_training_data_were_unless_told_otherwise():
    trained = ResolvedDataset(
        name="shop", source="a.csv", freq="D", season=7, horizon=3, duplicates="sum",
        update="append", columns={"ds": "when", "y": "sales"},
    )  # fmt: skip
    assert history_dataset(trained, None) == trained
    fields = history_fields("new/b.csv", ["dataset.columns.y=No", "dataset.season=1"])
    read = history_dataset(trained, fields)
    assert (read.name, read.source, read.duplicates, read.update) == (
        "b",
        "new/b.csv",
        "sum",
        "replace",
    )
    assert (read.columns.ds, read.columns.y) == ("when", "No")
    assert (read.freq, read.season, read.horizon) == ("D", 7, 3), "the model's"


def test_only_the_dataset_of_histories_can_be_set():
    with pytest.raises(ConfigError, match="only fields of dataset can be set here"):
        history_fields("b.csv", ["training.seed=1"])


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("training.seed", "write it as field.subfield=value"),
        ("=3", "write it as field.subfield=value"),
        ("training.speed=3", "shop.yaml: training.speed: no such field"),
        ("training.seed=-1", "shop.yaml: training.seed: Input should be greater than or equal"),
        ("dataset.source.name=x", "source holds no fields"),
        ("training.seed=[", "is not a YAML value"),
        ("network.cells.dropout=1", "less than 1, found 1"),
        ("network.cells.units=[]", "network.cells.units"),
        ("dataset.name=a b", "dataset.name"),
    ],
)
def test_a_wrong_override_is_refused_by_name(override, says):
    assert says in refusal({"dataset": DATASET}, override)


def test_all_mistakes_are_told_at_once():
    raw = refusal({"dataset": {"source": "a.csv"}, "gate": {"margin": "wide"}})
    assert "shop.yaml: dataset.horizon: is required" in raw
    assert "shop.yaml: gate.margin: " in raw


@pytest.mark.parametrize("levels", [[0.9, 0.5], [0.1, 0.9], [0.5, 0.5]])
def test_quantiles_ascend_around_the_median(levels):
    raw = {"dataset": DATASET, "network": {"quantiles": levels}}
    assert "quantiles must ascend and hold 0.5" in refusal(raw)


def test_the_context_holds_whole_patches():
    raw = {"dataset": DATASET, "network": {"context": 25, "patch": 12}}
    assert "context 25 is not a multiple of patch 12" in refusal(raw)


def test_a_config_is_a_value():
    experiment = build_experiment({"dataset": DATASET})
    with pytest.raises(ValidationError, match="frozen"):
        experiment.name = "other"
    assert hash(experiment) == hash(build_experiment({"dataset": DATASET}))


def test_an_experiment_may_name_the_file_of_its_dataset(tmp_path):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "shop.yaml").write_text("source: a.csv\nhorizon: 12\n")
    path = tmp_path / "shop.yaml"
    path.write_text("dataset: datasets/shop.yaml\n")
    assert load_experiment(path, ["dataset.horizon=3"]).dataset.horizon == 3


@pytest.mark.parametrize(
    ("text", "says"), [("a: [", "is not YAML"), ("- a\n", "found list"), ("", "found NoneType")]
)
def test_a_file_that_holds_no_fields_is_refused(tmp_path, text, says):
    (tmp_path / "shop.yaml").write_text(text)
    with pytest.raises(ConfigError, match=says):
        load_experiment(tmp_path / "shop.yaml")


def test_a_file_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"nowhere.yaml: cannot be read \(No such file"):
        load_experiment(Path("nowhere.yaml"))


def test_every_field_has_its_sentence():
    for kind in vars(config).values():
        if (
            isinstance(kind, type)
            and issubclass(kind, config.Config)
            and not kind.__name__.startswith("Resolved")  # as in the open config
        ):
            assert kind.__doc__
            for name, field in kind.model_fields.items():
                assert field.description, f"{kind.__name__}.{name}"


def test_every_default_is_within_its_bounds():
    raw = build_experiment({"dataset": DATASET}).model_dump()
    assert ExperimentConfig.model_validate(raw).model_dump() == raw


def test_the_page_of_configs_tells_every_field_as_it_is():
    fields = runpy.run_path(str(PROJECT / ".ci" / "fields.py"))
    page = (PROJECT / "configs" / "README.md").read_text(encoding="utf-8")
    assert fields["page"](page) == page, "run `make fields`"


def test_the_levels_of_the_forecast_table_are_those_told_or_the_networks_or_the_usual():
    plain = build_experiment({"dataset": DATASET})
    assert plain.levels == (0.1, 0.5, 0.9)
    assert build_experiment({"dataset": DATASET}, ["network.quantiles=[0.2,0.5]"]).levels == (
        0.2,
        0.5,
    )
    both = ["network.quantiles=[0.2,0.5]", "intervals.levels=[]"]
    assert build_experiment({"dataset": DATASET}, both).levels == ()
    raw = {"dataset": DATASET, "intervals": {"levels": [0.9, 0.1]}}
    assert "levels must ascend and hold 0.5" in refusal(raw)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (["network.decoder=recursive"], "recursive with gru cells does not have"),
        (["network.decoder=segment", "network.cells.kind=lstm"], "segment with lstm cells"),
    ],
)
def test_several_cutoffs_need_the_states_at_each_of_them(raw, says):
    dataset = {"dataset": {"source": "s.csv", "horizon": 3}}
    build_experiment(dataset, raw)
    with pytest.raises(ConfigError, match=says):
        build_experiment(dataset, [*raw, "training.cutoffs_per_window=2"])


def test_synthetic_series_do_not_go_with_series_that_are_read_together():
    raw = {"dataset": {"source": "s.csv", "horizon": 3}, "network": {"multivariate": "all"}}
    with pytest.raises(ConfigError, match=r"not supported with network\.multivariate"):
        build_experiment(raw, ["training.synthetic=0.5"])
