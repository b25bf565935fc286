"""Which architectures may be proposed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import create_model

from .base import Field
from .space_cell import CellSpace
from .space_convnet import ConvNet10Space, ConvNet20Space, ConvNetSpace
from .space_list import ListFile
from .space_nasbench201 import NasBench201Space
from .user_class import UserFile, class_field

__all__ = [
    "CellSpace", "ConvNet10Space", "ConvNet20Space", "ConvNetSpace", "ListSpace", "NasBench201Space",
    "PythonSpace", "SpaceSource",
]  # fmt: skip


class _PythonSpace(UserFile):
    name: Literal["python"]
    """Selects this one."""


PythonSpace = create_model(
    "PythonSpace",
    __base__=_PythonSpace,
    __doc__="A space of the user's own: a class in a Python file (docs/extending.md).",
    __module__=__name__,
    **class_field(),
)

ListedSpaceSource = Annotated[
    CellSpace | NasBench201Space | ConvNet10Space | ConvNet20Space | PythonSpace, Field(discriminator="name")
]


class ListSpace(ListFile):
    """A list of architectures of another space."""

    name: Literal["list"]
    """Selects this one."""
    of: ListedSpaceSource
    """The space that the listed architectures are of."""


SpaceSource = Annotated[
    CellSpace | NasBench201Space | ConvNet10Space | ConvNet20Space | ListSpace | PythonSpace,
    Field(discriminator="name"),
]
