"""Rendered objects on unrelated backgrounds: the embedded experiment's images."""

from .objects import CATEGORIES, OBJECTS
from .scenes import STREAMS, VARIATIONS, RenderedObjects, render

__all__ = ["CATEGORIES", "OBJECTS", "STREAMS", "VARIATIONS", "RenderedObjects", "render"]
