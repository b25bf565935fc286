"""Mature accuracy, predicted from the measurements of premature candidates.

>>> fitted = fit(ledger, profiles, "finalists.csv")
>>> fitted.save("fitted.json")
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
