from .objects import CATEGORIES as CATEGORIES
from .objects import OBJECTS as OBJECTS
from .scenes import STREAMS as STREAMS
from .scenes import VARIATIONS as VARIATIONS
from .scenes import RenderedImages as RenderedImages
from .scenes import render as render
