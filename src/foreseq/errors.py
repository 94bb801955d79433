"""What can go wrong, as a tree; every leaf has an exit code.

ForeseqError                1
├── ConfigError             2   the command or the configuration is wrong
├── DataRefused             3   the data break a rule
│   ├── SeriesTooShort      3   not one window fits
│   └── NotYet              3   what should be known ahead has not arrived
├── BundleRefused           3   a saved forecaster is damaged or not ours
├── NotFitted               1   a forecaster must be fitted first
├── NotPublished            4   the gate rejected a challenger
├── CheckFailed             4   a proof or a comparison failed
├── DoneInPart              5   some series have a forecast, others do not
└── Unavailable             6   a server or a worker process does not answer
"""

from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, ClassVar


def visible(text: str) -> str:
    r"""Return a line with all that is not seen, or moves the cursor, written as Python does.

    An id or a cell can hold anything, such as a newline that forges a line of output.

    Example:
        >>> print(visible("shop\x1b[2K\nfake \u202e"))
        shop\x1b[2K\nfake \u202e
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def nearest(path: Path) -> str:
    """Return a question after the name that is there and most like one that is not; or nothing."""
    with suppress(OSError):
        names = [file.name for file in path.parent.iterdir()]
        for name in get_close_matches(path.name, names, n=1):
            return f"; did you mean {path.with_name(name)}?"
    return ""


class ForeseqError(Exception):
    """An expected failure: its text is all that a person needs to see."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *lines: str) -> None:
        """Compose the message.

        Args:
            lines: Most messages have one.
        """
        super().__init__(*map(visible, lines))

    def __str__(self) -> str:
        """Return the message."""
        return "\n".join(self.args)


class ConfigError(ForeseqError):
    """The command or the configuration cannot be carried out as written."""

    exit_code = 2


class DataRefused(ForeseqError):
    """The data break a rule.

    Example:
        >>> print(DataRefused("y must be a number", found="'abc'", file="s.csv", series="A",
        ...                   row=7, remedy="correct the cell or drop the row"))
        s.csv, series A, row 7: y must be a number, found 'abc'; correct the cell or drop the row
    """

    exit_code = 3

    def __init__(  # noqa: PLR0913 - a refusal is a rule, a remedy and four words for the place
        self,
        rule: str,
        *,
        remedy: str,
        found: str = "",
        file: str = "",
        series: str = "",
        row: int | None = None,
    ) -> None:
        """Compose the one message a person reads.

        Args:
            rule: What must hold.
            remedy: What the user can do about it.
            found: What was there instead.
            file: The file or URL.
            series: The id of the first series that breaks the rule.
            row: Line of the file, the header being line 1; rows of Parquet count from 1.
        """
        self.rule, self.remedy, self.found = rule, remedy, found
        self.file, self.series, self.row = file, series, row
        place = [
            file,
            f"series {series}" if series else "",
            f"row {row}" if row is not None else "",
        ]
        where = ", ".join(part for part in place if part)
        what = f"{rule}, found {found}" if found else rule
        super().__init__(f"{where}: {what}; {remedy}" if where else f"{what}; {remedy}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what makes it anew in another process."""
        fields = {name: value for name, value in vars(self).items() if name != "rule"}
        return partial(type(self), self.rule, **fields), ()


class SeriesTooShort(DataRefused):
    """Not one window of any series fits."""


class NotYet(DataRefused):
    """What should be known ahead has not arrived; a schedule waits for it."""


class BundleRefused(ForeseqError):
    """A saved forecaster is damaged, incomplete or not one of ours."""

    exit_code = 3


class NotFitted(ForeseqError):
    """A forecaster is asked for what only a fitted one has."""


class NotPublished(ForeseqError):
    """The gate kept the old champion."""

    exit_code = 4


class CheckFailed(ForeseqError):
    """What `verify` or `reproduce` checks does not hold."""

    exit_code = 4


class Unavailable(ForeseqError):
    """A server or a process that is needed does not answer."""

    exit_code = 6


class DoneInPart(ForeseqError):
    """Some series were answered, others were not."""

    exit_code = 5
