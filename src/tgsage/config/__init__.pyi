from .run import RunConfig as RunConfig
from .run import load as load
