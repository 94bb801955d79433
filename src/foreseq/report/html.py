"""Rendering of pages: templates, embedded pictures, numbers for people."""

import base64
import io
from collections.abc import Mapping
from importlib.resources import files
from math import isfinite, isnan
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from matplotlib.figure import Figure


def render(template: str, **values: Any) -> str:
    """Return a page rendered from a template; values are escaped."""
    loaded = Environment(loader=PackageLoader("foreseq.report"), autoescape=True, trim_blocks=True)
    loaded.filters.update(number=number, percent=percent)
    loaded.globals.update(asset=asset)
    return loaded.get_template(template).render(values)


def asset(file: str) -> Markup:
    """Return a script or style sheet of the templates as it is."""
    text = files("foreseq.report").joinpath("templates", file).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 our own file


def picture(pictures: Mapping[str, Figure], file: str, caption: str) -> Markup:
    """Return a figure for a page, its data embedded; nothing where there is none."""
    shown = image(pictures, file, caption)
    parts = Markup("<figure>{}<figcaption>{}</figcaption></figure>")
    return parts.format(shown, caption) if shown else shown


def image(pictures: Mapping[str, Figure], file: str, alternative: str) -> Markup:
    """Return a picture alone, with a text for those who do not see it."""
    if file not in pictures:
        return Markup("")
    stream = io.BytesIO()
    pictures[file].savefig(stream, format="png", metadata={"Software": None})
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    return Markup('<img alt="{}" src="data:image/png;base64,{}">').format(alternative, data)


def percent(share: float, digits: int = 0) -> str:
    """Return a share as percent.

    Example:
        >>> percent(0.256), percent(0.9567, 1), percent(float("nan"))
        ('26%', '95.7%', 'unknown')
    """
    return f"{100 * share:.{digits}f}%" if isfinite(share) else "unknown"


def number(value: float | None) -> str:
    """Return a number with four significant digits.

    Example:
        >>> number(0.123456), number(12345.6), number(float("inf")), number(None)
        ('0.1235', '12,346', 'infinite', 'unknown')
    """
    if value is None or isnan(value):
        return "unknown"
    if not isfinite(value):
        return "infinite"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"  # noqa: PLR2004 four digits
