from . import calibrated as calibrated
from .columns import Scorer as Scorer
from .paper.score import p_only as p_only
from .paper.score import score as score
from .paper.score import tg_only as tg_only
from .registry import get as get
