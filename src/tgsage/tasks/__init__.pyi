from .make_task import make as make
from .make_task import write as write
from .settings import TaskSettings as TaskSettings
from .task import Part as Part
from .task import Task as Task
from .task import image_hashes as image_hashes
from .task_files import load as load
from .task_files import save as save
