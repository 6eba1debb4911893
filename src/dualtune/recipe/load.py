"""A recipe from YAML and the command line, and the list of its keys for the help text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from dualtune.errors import BadInput, nearest
from dualtune.recipe.recipe import Recipe
from dualtune.recipe.section import inner_sections, item_section


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply command-line overrides.

    Args:
        path: The YAML file.
        overrides: Pairs ``--section.key value`` (or ``--section.key=value``) as given on the
            command line; a value is read as YAML.

    Returns:
        The checked recipe.

    Raises:
        BadInput: If the file is missing or not YAML, a key is unknown, or a value does not fit.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(
            f"recipe not found: {file}. Give the path of a YAML file, such as recipes/demo.yaml."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read recipe {file}: {error}") from error
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadInput(f"{file} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise BadInput(f"{file} holds no mapping of sections (data, tasks, model, train, eval).")
    return parse_recipe(_overridden(values, overrides), where=str(file))


def recipe_for_data(path: str | Path, *, run: str, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe of a data file alone, every other key at its default.

    Args:
        path: The data file.
        run: The run folder.
        overrides: As for ``load_recipe``; ``--data.train.format`` forces a format.

    Raises:
        BadInput: If a key is unknown or a value does not fit.
    """
    values = {"data": {"train": {"path": str(path)}}, "run": run}
    return parse_recipe(_overridden(values, overrides), where=str(path))


def parse_recipe(values: Mapping[str, Any], *, where: str = "recipe") -> Recipe:
    """Check a nested mapping and return the Recipe that it describes.

    Raises:
        BadInput: With every problem found, one a line: key, value, what is expected.
    """
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        lines = [_explain(dict(e)) for e in error.errors()]
        raise BadInput(f"{where}: " + "; ".join(lines)) from None


def dump_recipe(recipe: Recipe) -> str:
    """Return the resolved recipe as YAML, with every default written out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def describe_keys(section: type[BaseModel] = Recipe, prefix: str = "") -> Iterator[tuple[str, ...]]:
    """List every key of the recipe.

    Yields:
        ``(key, type, default, meaning)`` for each leaf key, in file order.
    """
    inner = inner_sections(section)
    for name, field in section.model_fields.items():
        if name in inner:
            yield from describe_keys(inner[name], f"{prefix}{name}.")
            continue
        default = (
            "required" if field.is_required() else field.get_default(call_default_factory=True)
        )
        kind = _type_name(field.annotation)
        yield f"{prefix}{name}", kind, _shown(default), field.description or ""
        item = item_section(field.annotation)
        if item is not None:
            # One of a list, or one of a mapping whose keys are names of the user's choice.
            which = ".NAME" if get_origin(field.annotation) is dict else "[]"
            yield from describe_keys(item, f"{prefix}{name}{which}.")


def _type_name(annotation: Any) -> str:
    if hasattr(annotation, "__metadata__"):  # a bounded number
        return _type_name(annotation.__origin__)
    parts = get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    if annotation in (str, int, float, bool):
        return str(annotation.__name__)
    if parts and all(isinstance(p, str) for p in parts):
        return "|".join(parts)
    names = [_type_name(p) for p in parts if p is not type(None) and p is not Ellipsis]
    origin = getattr(annotation, "__origin__", None)
    if origin is tuple:
        return f"list of {names[0]}"
    if origin is dict:
        return f"{names[0]}: {names[1]}"
    return "|".join(names)


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(map(str, value)) + "]"
    return str(value)


def _pairs(overrides: Sequence[str]) -> Iterator[tuple[str, Any]]:
    rest = list(overrides)
    while rest:
        flag = rest.pop(0)
        if not flag.startswith("--"):
            raise BadInput(f"unexpected argument {flag!r}: overrides look like --train.epochs 3")
        key, equals, value = flag[2:].partition("=")
        if not equals:
            if not rest:
                raise BadInput(f"--{key} has no value: write --{key} VALUE")
            value = rest.pop(0)
        try:
            # YAML 1.1 reads 1e-4 as text; the schema turns it into a number.
            yield key, yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise BadInput(f"--{key} {value}: not a YAML value: {error}") from error


def _overridden(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    for key, value in _pairs(overrides):
        _put(values, key, value)
    return values


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for name in sections:
        if values.get(name) is None:
            values[name] = {}
        inner = values[name]
        if not isinstance(inner, dict):
            raise BadInput(f"--{key}: {name} is {inner!r}, not a section")
        values = inner
    values[last] = value


def _explain(error: dict[str, Any]) -> str:
    place = [str(p) for p in error["loc"]]
    key = ".".join(place)
    if error["type"] == "extra_forbidden":
        section: type[BaseModel] = Recipe
        for name in place[:-1]:
            field = section.model_fields.get(name)
            item = None if field is None else item_section(field.annotation)
            section = item or inner_sections(section).get(name, section)
        return f"unknown key {key!r}{nearest(place[-1], tuple(section.model_fields))}"
    if error["type"] == "missing":
        return f"missing key {key!r}"
    message = error["msg"].removeprefix("Value error, ")
    shown = repr(error.get("input"))
    return f"{key or 'recipe'}: {message} (got {shown[:80]})"
