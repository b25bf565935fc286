"""Teachers: target RDMs of recordings, a published RDM, a network, or predicted responses; controls."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
