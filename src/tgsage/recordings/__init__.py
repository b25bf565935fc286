"""Published recordings of any layout -> one assembly and one stimulus file.

An *assembly* is an ``xarray.DataArray`` (neuroid, presentation[, time_bin]) in the layout of BrainIO;
*stimuli* are an ``xarray.Dataset`` with ``images`` uint8 (stimulus, y, x, rgb). The readers of single
data sets and the simulated macaque are imported only when a source asks for them, so that the digest of
one source's stage does not contain the code of another.
"""

from .assembly import content_digest, in_region, repeats, stimulus_means, units
from .cards import Card, card, card_names, data_root, load, load_stimuli, verify
from .files import load_published_rdm, save, save_published_rdm, save_stimuli
from .selection import select
from .sources import make, make_published_rdm, stage_modules
from .split_half import reliability
from .validation import validate, validate_published_rdm, validate_stimuli

__all__ = [
    "Card", "card", "card_names", "content_digest", "data_root", "in_region", "load", "load_published_rdm",
    "load_stimuli", "make", "make_published_rdm", "reliability", "repeats", "save", "save_published_rdm",
    "save_stimuli", "select", "stage_modules", "stimulus_means", "units", "validate",
    "validate_published_rdm", "validate_stimuli", "verify",
]  # fmt: skip
