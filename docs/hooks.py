"""The pages of the Python interface show what a lazy package offers: the names in its stub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).parents[1] / "src"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Add the names of a package's stub to every ``::: package`` of a page."""

    def with_members(match: re.Match[str]) -> str:
        stub = SOURCES.joinpath(*match[1].split(".")) / "__init__.pyi"
        if not stub.is_file():
            return match[0]
        names = re.findall(r"\bas (\w+),?$", stub.read_text(encoding="utf-8"), flags=re.M)
        return f"{match[0]}\n    options:\n      members: [{', '.join(names)}]"

    return re.sub(r"^::: (\S+)$", with_members, markdown, flags=re.M)
