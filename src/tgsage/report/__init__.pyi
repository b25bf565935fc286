from .page import build as build
from .page import write as write
