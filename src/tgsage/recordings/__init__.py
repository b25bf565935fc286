"""Published recordings of any layout -> one assembly and one stimulus file.

An *assembly* is an ``xarray.DataArray`` (neuroid, presentation[, time_bin]) in the layout of BrainIO;
*stimuli* are an ``xarray.Dataset`` with ``images`` uint8 (stimulus, y, x, rgb).
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
