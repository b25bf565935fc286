"""What the processes in which candidates are trained and scored need, imported once by their fork server.

What is not in here, every candidate imports, reads or parses for itself. Importing it starts neither threads
nor CUDA.
"""

import h5py  # noqa: F401
import netCDF4  # noqa: F401

from ..plugins import every
from ..scoring import candidate  # noqa: F401
from ..store import stage_digest
from ..tasks import task_files  # noqa: F401
from ..teacher import format as teacher_format  # noqa: F401
from ..training.keys import CODE

# Every key holds digests of code; the syntax trees that they are made from are kept.
stage_digest(*CODE, modules=[space.code_module() for space in every("space")])
