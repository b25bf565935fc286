"""One module per published layout; each offers ``read(settings, root)`` and ``raw_files(settings, root)``.

A reader returns (assembly, stimuli, where): ``where`` is what error messages call the recordings.
``raw_files`` lists the files that ``read`` reads, whether they exist or not, and opens none.
:mod:`tgsage.recordings.sources` imports a reader when its source is asked for.
"""
