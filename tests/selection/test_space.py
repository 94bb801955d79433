import pytest
from builders import resolved

from foreseq.config import build_experiment, change
from foreseq.config.fields import get
from foreseq.errors import ConfigError
from foreseq.selection.space import MEMBERS, SPACE, Space, open_space, read_space

DATASET = {"dataset": {"source": "memory", "horizon": 4}}


class Drawn:
    """Draws the given value of a field, else the upper end."""

    def __init__(self, **given):
        self.given = given

    def suggest_float(self, name, low, high, *, log=False):
        assert not log or low > 0
        return self.given.get(name, high)

    def suggest_int(self, name, low, high):
        assert low == 0
        return self.given.get(name, high)

    def suggest_categorical(self, name, choices):
        return self.given.get(name, choices[-1])


def make_experiment(*overrides):
    settling = (
        "network.cells.units=[128, 128]", "network.context=12", "network.patch=4",
        "network.naive_lags=[4]", "network.log=false", "training.loss=mase",
        "training.learning_rate=0.001", "training.batch_size=32",
    )  # fmt: skip
    return resolved(DATASET, [*settling, *overrides])


def test_every_field_there_is_to_tune_exists():
    given = make_experiment().model_dump()
    for field in SPACE.root:
        get(given, field)


def test_what_is_drawn_makes_a_valid_experiment():
    drawn = change(make_experiment(), SPACE.suggest(Drawn(), make_experiment()))
    assert drawn.network.cells.units == (256, 256)
    assert drawn.network.context == 24
    assert drawn.training.learning_rate == 1e-2


def test_the_rules_own_values_are_found_again():
    experiment = make_experiment()
    found = SPACE.find(experiment)
    assert change(experiment, SPACE.suggest(Drawn(**found), experiment)) == experiment


def test_values_outside_every_range_are_not_found():
    assert SPACE.find(make_experiment("training.learning_rate=1.0")) is None


def test_a_context_holds_whole_patches_and_the_baseline():
    space = Space.model_validate({"network.context": {"times": [0.1]}})
    drawn = space.suggest(Drawn(), make_experiment("network.naive_lags=[1, 7]"))
    assert drawn == {"network.context": 8}


def test_what_the_user_told_is_not_varied():
    experiment = build_experiment(DATASET, ["network.cells.kind=lstm", "training.batch_size=64"])
    left = set(SPACE.root) - set(open_space(experiment).root)
    assert left == {"network.cells.kind", "training.batch_size"}


def test_a_space_can_be_read_from_yaml(tmp_path):
    file = tmp_path / "space.yaml"
    file.write_text("training.batch_size: {one_of: [8, 16], ordered: true}\n")
    assert read_space(file).suggest(Drawn(), make_experiment()) == {"training.batch_size": 16}


@pytest.mark.parametrize(
    "text",
    [
        "training.batch_size: {low: 9, high: 1}",
        "training.batch_size: {one_of: []}",
        "training.batch_size: {times: [1]}",
        "split.test_windows: {one_of: [1, 2]}",
        f"{MEMBERS}: {{one_of: [1, 2]}}",
        "training.batch_size: 3",
    ],
)
def test_a_range_that_is_none_is_refused(tmp_path, text):
    file = tmp_path / "space.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"space\.yaml"):
        read_space(file)


def test_an_unknown_field_is_refused():
    space = Space.model_validate({"training.speed": {"one_of": [1]}})
    with pytest.raises(ConfigError, match=r"training\.speed: no such field"):
        space.find(make_experiment())


def test_values_that_do_not_go_together_are_refused():
    with pytest.raises(ConfigError, match="multiple of patch"):
        change(make_experiment(), {"network.context": 13})
