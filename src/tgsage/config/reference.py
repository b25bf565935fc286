"""The configuration's reference page and JSON schema, generated from its types."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from ..plugins import alternatives
from ..store import write_text
from .run import RunConfig, held_models

PAGE = "config/README.md"
SCHEMA = "workflow/schemas/config.schema.json"

_INTRODUCTION = """\
# Configuration

Generated from the settings classes by `tgsage config-reference --write`; do not edit. Further
plugins add their sections.

A run reads one file: `config/config.yaml` by default, another with `--configfile`. Snakemake merges files
deeply, so the default is read only when no file is named. An unknown key is an error that names the nearest
valid one. `tgsage check-config FILE` checks a file without running anything. The same types as a JSON schema,
for editors: `workflow/schemas/config.schema.json`.

Scientific settings live here; cores, memory, partitions and GPUs belong to profiles (`workflow/profiles/`).
"""


def schema() -> str:
    """The JSON schema of a run's configuration."""
    return json.dumps(RunConfig.model_json_schema(), indent=1) + "\n"


def page() -> str:
    """The reference page, in Markdown: every section, key, type, default and meaning."""
    parts = [_INTRODUCTION]
    for model in held_models(RunConfig):
        parts.append(f"## {model.__name__}\n\n{inspect.cleandoc(model.__doc__ or '')}\n")
        parts.append("| key | type | default | meaning |\n|---|---|---|---|")
        for name, field in model.model_fields.items():
            meaning = " ".join((field.description or "").split()).replace("|", "\\|")
            parts.append(
                f"| `{name}` | {_type(field.annotation, field.metadata)} | {_default(field)} | {meaning} |"
            )
        parts.append("")
    return "\n".join(parts).rstrip("\n") + "\n"


def write(root: Path) -> list[Path]:
    """Write the page and the schema under the project's folder; return what was written."""
    write_text(root / PAGE, page())
    write_text(root / SCHEMA, schema())
    return [root / PAGE, root / SCHEMA]


def _type(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    options = alternatives(annotation, metadata)
    if options != [annotation]:
        return " or ".join("null" if option is type(None) else _type(option) for option in options)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " / ".join(f"`{value}`" for value in arguments)
    if origin is dict:
        return f"mapping of {_type(arguments[1])}"
    if origin in (list, tuple):
        return "list of " + ", ".join(
            dict.fromkeys(_type(part) for part in arguments if part is not Ellipsis)
        )
    name = getattr(annotation, "__name__", str(annotation))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{name}](#{name.lower()})"
    return {
        "str": "text",
        "int": "integer",
        "float": "number",
        "bool": "true / false",
        "Any": "any value",
    }.get(name, name)


def _default(field: Any) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if isinstance(field.default, BaseModel):
        return "its defaults"
    return f"`{json.dumps(field.default)}`"
