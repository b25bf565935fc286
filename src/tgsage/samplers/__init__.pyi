from .base import Sampler as Sampler
from .base import SearchState as SearchState
from .base import Trial as Trial
from .base import get as get
