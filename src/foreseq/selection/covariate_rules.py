"""Rules for what a network reads beside y, and how y is scaled where covariates explain it.

Each returns a value and the reason, as those of `rules`, which applies them.
"""

from foreseq.config import Covariate, DatasetConfig
from foreseq.errors import ConfigError
from foreseq.selection import facts as data
from foreseq.selection.facts import Facts
from foreseq.selection.start import Fields
from foreseq.series import covariates
from foreseq.series.panel import Panel

CHANGING, HALF_LIVES = 5_000, 4
"""Steps of a typical history in which what covariates tell may change, and half-lives in it
(covariates.py, validation: errors fall by 5% in Germany, 4% in Belgium, rise by 2% in the North).
"""


def check(dataset: DatasetConfig, panel: Panel) -> None:
    """Check that all columns that the dataset names are there.

    Raises:
        ConfigError: If one is not.
    """
    if isinstance(dataset.covariates, str):
        return
    there = {column.name for column in panel.covariates.columns} if panel.covariates else set()
    if absent := [name for name in dataset.covariates.names if name not in there]:
        raise ConfigError(
            f"dataset.covariates names {absent[0]}, which the data lack or leave empty; they have"
            f" {', '.join(sorted(there)) or 'none that can be used'}"
        )


def reads(facts: Facts, _: Fields) -> tuple[tuple[Covariate, ...], str]:
    """Read every column that varies, as the training span shows it."""
    beside = facts.panel.covariates
    described = covariates.describe(beside, facts.split.train_ends) if beside else ()
    if beside and len(described) < len(beside.columns):
        constant = {column.name for column in beside.columns} - {one.name for one in described}
        return described, f"{', '.join(sorted(constant))} never vary in the training span"
    return described, "all that the data have"


def cold_start(facts: Facts, fields: Fields) -> tuple[tuple[float, ...], str]:
    """Return the quartiles of y where a series can be forecast without any."""
    network = fields["network"]
    reads = [Covariate.model_validate(one) for one in network["covariates"]]
    if all(one.role == "past" for one in reads):
        return (), "nothing is known of a series without y"
    if facts.is_trained_on.sum() == 1 or network["multivariate"]:
        return (), "there are no other series to go by"
    return _quartiles(facts, fields, "quartiles of y, for series without any")


def fixed_scale(facts: Facts, fields: Fields) -> tuple[tuple[float, ...], str]:
    """Return the quartiles of y where there is a single series."""
    if facts.is_trained_on.sum() != 1 or fields["network"]["multivariate"]:
        return (), "series are on scales of their own"
    return _quartiles(facts, fields, "quartiles of y")


def half_life(facts: Facts, fields: Fields) -> tuple[int, str]:
    """Let old windows count less in long histories."""
    if fields["network"]["covariates"] and facts.typical >= CHANGING:
        return facts.typical // HALF_LIVES, "what covariates tell may change over so long a time"
    return 0, "old windows teach as much as new ones"


def _quartiles(facts: Facts, fields: Fields, reason: str) -> tuple[tuple[float, ...], str]:
    low, middle, high = data.quartiles(facts)
    if not low < high or (fields["network"]["log"] and low <= 0):
        return (), "values do not vary"
    return (low, middle, high), reason
