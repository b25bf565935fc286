"""One module per published layout; each offers ``read(settings, root)``.

A reader returns (assembly, stimuli, where): ``where`` is what error messages call the recordings.
:mod:`tgsage.recordings.sources` imports a reader when its source is asked for.
"""
