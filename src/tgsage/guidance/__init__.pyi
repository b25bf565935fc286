from . import calibrated as calibrated
from .base import Scorer as Scorer
from .base import get as get
from .paper.score import score as score
