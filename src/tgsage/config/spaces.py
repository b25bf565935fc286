"""Which architectures may be proposed."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import create_model

from ..plugin_bases import SpaceSettings
from ..plugins import Choice, register
from .space_cell import CellSpace
from .space_convnet import ConvNet10Space, ConvNet20Space, ConvNetSpace
from .space_list import ListFile
from .space_nasbench201 import NasBench201Space
from .user_class import UserFile, class_field

__all__ = [
    "CellSpace", "ConvNet10Space", "ConvNet20Space", "ConvNetSpace", "ListSpace", "NasBench201Space",
    "PythonSpace", "SpaceSource",
]  # fmt: skip


class _PythonSpace(SpaceSettings, UserFile):
    code: ClassVar[str] = "tgsage.spaces.user_class"
    name: Literal["python"]
    """Selects this one."""


PythonSpace = create_model(
    "PythonSpace",
    __base__=_PythonSpace,
    __doc__="A space of the user's own: a class in a Python file (docs/extending.md).",
    __module__=__name__,
    **class_field(),
)
register(PythonSpace)

ListedSpaceSource = Annotated[SpaceSettings, Choice("space", without=["list"])]


@register
class ListSpace(SpaceSettings, ListFile):
    """A list of architectures of another space."""

    code: ClassVar[str] = "tgsage.spaces.listed:ListSpace"

    name: Literal["list"]
    """Selects this one."""
    of: ListedSpaceSource
    """The space that the listed architectures are of."""


SpaceSource = Annotated[SpaceSettings, Choice("space")]
