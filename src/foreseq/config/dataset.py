"""Where series come from, and what is done about gaps, missing values and duplicates."""

import codecs
import re
from datetime import UTC, datetime, time
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    NaiveDatetime,
    NonNegativeFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from foreseq.config.fields import Config

PLAIN_PARAMETER = r"(?i)[?&;](?:\w*password|passwd|pwd)=(?!\$\{)"
"""Start of a password among the parameters of a URL."""


PLAIN_USERINFO = r"://[^/@]*:(?!\$\{)[^/@]+@|^(?!https?:)[\w+]+://[^/@:]*:(?!:|\$\{)[^@]+@"
"""Password before the host; of a database it may hold a slash."""


def _without_password(source: str) -> str:
    if re.search(PLAIN_USERINFO, source) or re.search(PLAIN_PARAMETER, source):
        raise ValueError(
            "a password here would be kept in every bundle and run; write ${NAME} for it, and set"
            " NAME in the environment"
        )
    return source


Source = Annotated[str, AfterValidator(_without_password)]
"""A path or URL; `${NAME}` in a URL stands for an environment variable, read at each use."""


def without_secrets(source: str) -> str:
    """Return a path or URL fit to be shown: no user, password, query or fragment.

    Example:
        >>> without_secrets("s3://key:secret@bucket/a.csv?token=1"), without_secrets("data/a?.csv")
        ('s3://bucket/a.csv', 'data/a?.csv')
        >>> without_secrets("zip://a.csv::https://me:p@ss@example.org/a.zip#token=1")
        'zip://a.csv::https://example.org/a.zip'
    """
    if "://" not in source:
        return source
    return re.sub(r"[?#].*$", "", re.sub(r"//[^/]*@", "//", source))


class ColumnsConfig(Config):
    """Names of the three columns in the user's file."""

    model_config = ConfigDict(coerce_numbers_to_str=True)  # YAML reads the name 2023 as a number

    unique_id: str = "unique_id"
    """Which series a row belongs to; a file without this column holds one series."""
    ds: str = "ds"
    """Time: a timestamp or an integer step."""
    y: str = "y"
    """The observed value."""


class CovariatesConfig(Config):
    """Columns beside y, by when they are known."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    past: tuple[str, ...] = ()
    """Known up to the cutoff, as sales of another shop are."""
    future: tuple[str, ...] = ()
    """Known ahead as well, as prices and promotions are."""
    static: tuple[str, ...] = ()
    """Fixed for a series, as the type of a shop is."""
    categories: tuple[str, ...] = ()
    """Of these columns, those whose numbers are names; text always is."""

    @model_validator(mode="after")
    def _each_has_one_role(self) -> Self:
        names = [*self.past, *self.future, *self.static]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"column {twice[0]} must have one role: past, future or static")
        if other := sorted(set(self.categories) - set(names)):
            raise ValueError(f"categories names {other[0]}, which is not past, future or static")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """All columns, those that change with time first."""
        return (*self.past, *self.future, *self.static)


class EventConfig(Config):
    """Something that happens for a while, such as a fair or a sale."""

    name: str = Field(pattern=r"^\w+$")
    """Of the column `event_NAME`; the same event may come again under it."""
    first: int | NaiveDatetime
    """Step, time, or day on which it begins."""
    last: int | NaiveDatetime
    """Step, time, or day on which it ends, included."""
    series: tuple[str, ...] = ()
    """Ids of the series concerned; empty: all."""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        try:
            is_ordered = self.first <= self.last  # type: ignore[operator] # that is the question
        except TypeError:
            raise ValueError("first and last must both be steps, or both be times") from None
        if not is_ordered:
            raise ValueError(f"last must not be before first, found {self.first} and {self.last}")
        return self

    @property
    def is_of_days(self) -> bool:
        """Whether both ends are written without a time of day."""
        ends = (self.first, self.last)
        return all(isinstance(end, datetime) and end.time() == time.min for end in ends)


class CsvConfig(Config):
    """How numbers, dates and text files are written; None: recognised from the file."""

    separator: str | None = Field(default=None, min_length=1, max_length=1)
    """Character between two cells; a tab may be written `\\t`."""
    decimal: Literal[".", ","] | None = None
    """Mark before decimals."""
    thousands: Literal[",", ".", " ", "'"] | None = None
    """Mark between groups of digits."""
    encoding: str | None = None
    """Such as `utf-8`, `cp1252` (Windows), `latin-1` or `utf-16`."""
    date_format: str | None = None
    """Such as `%d.%m.%Y` or `%m/%d/%Y %H:%M`; see `datetime.strftime`."""

    @field_validator("separator", mode="before")
    @classmethod
    def _unescape_tab(cls, separator: object) -> object:
        return "\t" if separator in ("\\t", "tab") else separator

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str | None) -> str | None:
        try:
            return encoding and codecs.lookup(encoding).name
        except LookupError:
            raise ValueError("is no encoding such as utf-8, cp1252 or utf-16") from None


class DatasetConfig(Config):
    """Where series come from, and what is done about their flaws."""

    name: str = Field(default="panel", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the panel in `data/series/` and of the model in the registry."""
    source: Source = ""
    """File, folder of Parquet files, fsspec URL or database; relative to the working directory. In
    a URL `${NAME}` is read from the environment at each use: for passwords and keys. Empty: the
    data are a frame in memory."""
    query: str = ""
    """Of a database, whose SQLAlchemy URL is the source, such as `sqlite:///shop.db`: a SELECT, or
    the name of a table."""
    layout: Literal["long", "wide"] = "long"
    """`long`: a row per series and time. `wide`: a time column and a column per series."""
    columns: ColumnsConfig = ColumnsConfig()
    """Names of the three columns in the file."""
    csv: CsvConfig = CsvConfig()
    """How numbers, dates and text files are written, where it is not recognised rightly."""
    covariates: CovariatesConfig | Literal["auto", "none"] = "auto"
    """Columns beside y. `auto`: every further column of the file; those constant within each series
    are static, those filled in beyond the last y are known ahead, others are of the past. `none`: y
    alone."""
    holidays: str = ""
    """Public holidays as covariates known ahead: of a country (`DE`), of a region (`DE-BY`), or of
    the country or region that this column names for each series. Needs foreseq[holidays]."""
    events: tuple[EventConfig, ...] = ()
    """Events as covariates known ahead, with `name`, `first` and `last`, and `series` if they are
    not of all: `[{name: fair, first: 2024-05-01, last: 2024-05-03}]`."""
    unknown_ahead: Literal["forecast", "refuse", "wait"] = "forecast"
    """Where values that should be known ahead have not arrived: `forecast` without them, `refuse`
    to, or `wait`: the same, but a schedule keeps the interval open and runs it with the next one.
    In each case it is said which are missing."""
    future: Source = ""
    """File of what is known ahead: rows of series and time after the last y, without y. Empty: such
    rows are in the source, if anywhere."""
    static: Source = ""
    """File with a row for each series: its static columns. Empty: they are in the source, if
    anywhere."""
    freq: str | PositiveInt | None = None
    """Pandas alias (`15min`, `h`, `D`, `B`, `W`, `MS`, `BME`, `SMS-15`), or the difference of
    integer steps. `MS-30`: the 30th of each month, or its last day. `30min[Mon-Fri 09:30-16:00]`,
    `D[Sun-Thu]`: only these times of a week exist. `4-4-5W[2024-03-31]`: periods of 4, 4 and 5
    weeks, with one on that day. `D@Europe/Berlin`: days on the clocks of that zone, in which times
    without a zone are then read. None: inferred from the data."""
    season: PositiveInt | None = None
    """Steps after which the pattern repeats; 1 means no season. None: inferred from the data."""
    horizon: PositiveInt
    """Steps to forecast after the last observation."""
    jitter: NonNegativeFloat = 5.0
    """Seconds by which times may miss the full minute that they are all near; they are then
    rounded to it. 0: times are never rounded."""
    gaps: Literal["mark", "interpolate", "zero", "refuse"] = "mark"
    """Steps without a row: `mark` them as unobserved, `interpolate` them linearly, read them as
    `zero` up to the newest time of any series, or `refuse` the data."""
    max_gap: PositiveInt | None = None
    """Most steps in a row for which no series has a row; more are taken for a mistyped time and
    refused. None: 5 times the steps of the rest, and 1,000 at least; for integer steps and steps
    shorter than a day 100 times, and 10,000 at least."""
    missing: Literal["mark", "interpolate", "zero", "refuse"] = "mark"
    """Rows with an empty y: as for `gaps`, or read as zero. With `mark` and `interpolate` a series
    begins with its first y and ends with its last one: rows after it are the horizon."""
    as_of: datetime | None = None
    """Use only observations before this time, in UTC if it has a time zone. None: all."""
    update: Literal["replace", "append"] = "replace"
    """`replace`: the source holds all rows; rows it lacks are dropped. `append`: it holds new and
    corrected rows only, which are added to the rows ingested before."""
    duplicates: Literal["equal", "first", "last", "mean", "sum", "refuse"] = "equal"
    """Rows of one series and time: `equal` merges rows with the same y and refuses others."""

    @field_validator("as_of")
    @classmethod
    def _in_utc_without_zone(cls, as_of: datetime | None) -> datetime | None:
        return as_of.astimezone(UTC).replace(tzinfo=None) if as_of and as_of.tzinfo else as_of


class ResolvedDataset(DatasetConfig):
    """The same with frequency and season known."""

    freq: str
    season: PositiveInt
