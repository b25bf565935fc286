"""Figures: functions from data to a matplotlib ``Figure``, and all registered figures of a stage.

No figure touches matplotlib's global state or pyplot. Every file is the same, byte for byte, for the same
data and the same versions.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
