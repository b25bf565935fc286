from .base import Architecture as Architecture
from .base import Space as Space
from .registry import as_in_ledgers as as_in_ledgers
from .registry import get as get
from .registry import with_overrides as with_overrides
