"""The generated reference page and schema are those of the types, and versions agree everywhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from tgsage.config import reference

ROOT = Path(__file__).resolve().parents[2]


def test_reference_page_is_current():
    assert (ROOT / reference.PAGE).read_text() == reference.page(), "run `tgsage config-reference --write`"


def test_schema_is_current():
    assert (ROOT / reference.SCHEMA).read_text() == reference.schema(), (
        "run `tgsage config-reference --write`"
    )


def test_schema_refuses_unknown_keys_everywhere():
    schema = json.loads(reference.schema())
    objects = [schema, *schema["$defs"].values()]
    assert all(item["additionalProperties"] is False for item in objects if "properties" in item)


def test_every_key_has_a_meaning():
    assert re.findall(r"^\| `(\w+)` \|.*\|  \|$", reference.page(), flags=re.M) == []


def _pins(lines):
    pairs = (line.strip().removeprefix("- ").split("==") for line in lines if "==" in line)
    return {name.lower().replace("_", "-"): version for name, version in pairs}


def test_environment_has_the_versions_of_the_constraints():
    constraints = _pins((ROOT / "constraints.txt").read_text().splitlines())
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    listed = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    pins = _pins(listed)
    assert len(pins) == len(listed)
    assert pins == {name: constraints[name] for name in pins}


def test_environment_has_every_dependency_of_the_project():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["test"]
    names = {re.match(r"[\w-]+", item).group().lower().replace("_", "-") for item in wanted}
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    listed = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    assert names <= set(_pins(listed))


def test_every_dependency_is_pinned():
    import importlib.metadata as metadata

    constraints = _pins((ROOT / "constraints.txt").read_text().splitlines())
    todo, seen = ["tgsage"], set()
    while todo:
        name = todo.pop()
        for requirement in metadata.requires(name) or []:
            if "extra ==" in requirement or "; sys_platform" in requirement:
                continue
            found = re.match(r"[\w.-]+", requirement).group().lower().replace("_", "-").replace(".", "-")
            if found in seen:
                continue
            seen.add(found)
            try:
                metadata.version(found)
            except metadata.PackageNotFoundError:
                continue  # wanted on other platforms only
            todo.append(found)
    pinned = {name.replace(".", "-") for name in constraints}
    assert seen - pinned - {"tgsage"} <= {n for n in seen if not _installed(n)}
    assert len(seen) > 20


def _installed(name: str) -> bool:
    import importlib.metadata as metadata

    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
