"""A section of the recipe: frozen, strict, and known by its keys."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A part of the recipe: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_inner_sections(cls, values: Any) -> Any:
        # A section whose keys are all commented out is null in YAML: it means the defaults.
        if not isinstance(values, dict):
            return values
        return {k: {} if v is None and k in inner_sections(cls) else v for k, v in values.items()}


def inner_sections(section: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Return the sections that a section holds, by key."""
    fields = section.model_fields.items()
    return {
        name: field.annotation
        for name, field in fields
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def item_section(annotation: Any) -> type[BaseModel] | None:
    """Return the section that each item of a list is, where a key holds a list of sections."""
    for part in get_args(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None
