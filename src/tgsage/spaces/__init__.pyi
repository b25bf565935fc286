from .base import Architecture as Architecture
from .base import Space as Space
from .registry import NAMES as NAMES
from .registry import get as get
from .registry import source_digest as source_digest
from .registry import stage_modules as stage_modules
from .registry import with_overrides as with_overrides
