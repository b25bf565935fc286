"""The run's own page: one HTML file with everything in it, which opens offline."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
