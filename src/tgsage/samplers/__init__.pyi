from .base import Sampler as Sampler
from .base import SearchState as SearchState
from .base import Trial as Trial
from .registry import NAMES as NAMES
from .registry import get as get
from .registry import source_digest as source_digest
