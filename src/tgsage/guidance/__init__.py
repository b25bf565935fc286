"""From a ledger to scores: P + alpha * TG (Bashivan, Tensen and DiCarlo 2019) and its relatives.

P is the validation accuracy of the premature network, a fraction in [0, 1]. TG is the mean, over the
teacher's targets, of the similarity of the candidate's best layer. ``docs/guidance.md`` gives the formula of
every guidance.

>>> scores = get("rank", alpha=2)(ledger)
>>> scores = get("profile", reading="first")(ledger, profiles)
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
