"""Write the table of all config fields into configs/README.md: `make fields`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from foreseq.config import Config, ExperimentConfig

PAGE = Path(__file__).parents[1] / "configs" / "README.md"
BEGIN = "<!-- fields: written by `make fields` from src/foreseq/config -->\n"

NAMES = {"array": "list", "string": "text", "boolean": "true, false"}
BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


def main() -> None:
    """Replace the page from the mark on."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def page(text: str) -> str:
    """Return the page with its tables made anew."""
    return text.partition(BEGIN)[0] + BEGIN + "".join(tables(ExperimentConfig, ""))


def tables(config: type[Config], prefix: str) -> Iterator[str]:
    """Yield a table of the fields of a config, then those of the configs inside it."""
    schema = config.model_json_schema()["properties"]
    inner = []
    rows = ["| field | values | default | meaning |", "|---|---|---|---|"]
    for name, field in config.model_fields.items():
        if _is(field.annotation):
            inner.append((field.annotation, f"{prefix}{name}."))
            continue
        inner += [(kind, f"{prefix}{name}.") for kind in get_args(field.annotation) if _is(kind)]
        default = "required" if field.is_required() else f"`{json.dumps(field.default)}`"
        default = default.replace("`null`", "chosen")
        meaning = " ".join((field.description or "").split())
        rows.append(f"| `{prefix}{name}` | {_values(schema[name])} | {default} | {meaning} |")
    title = f"## `{prefix[:-1]}`" if prefix else "## The experiment"
    yield f"\n{title}\n\n{config.__doc__}\n\n" + "\n".join(rows) + "\n"
    for other, path in inner:
        yield from tables(other, path)


def _is(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Config)


def _values(schema: dict[str, Any]) -> str:
    """Return what a field takes, with its bounds.

    Example:
        >>> _values({"type": "number", "minimum": 0, "exclusiveMaximum": 1})
        'number, >= 0, < 1'
    """
    if "anyOf" in schema:
        choices = (_values(choice) for choice in schema["anyOf"] if choice.get("type") != "null")
        return " or ".join(choices)
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "$ref" in schema:
        return "fields, see below"
    if "const" in schema:
        return f"`{schema['const']}`"
    bounds = [f"{sign} {schema[word]}" for word, sign in BOUNDS.items() if word in schema]
    return ", ".join([NAMES.get(schema["type"], schema["type"]), *bounds])


if __name__ == "__main__":
    main()
