"""From an architecture, a recipe and a task to weights, a learning curve and activations."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
