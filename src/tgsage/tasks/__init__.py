"""Labelled images of any layout -> one task with three disjoint parts: train, validation, test."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
