from .candidate import score_candidate as score_candidate
from .candidate import trained_module as trained_module
from .memory import needed_memory as needed_memory
from .similarity import CANDIDATE_METRIC as CANDIDATE_METRIC
from .similarity import score as score
