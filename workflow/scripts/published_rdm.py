from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import recordings
    from tgsage.config.recordings import RecordingsSource
    from tgsage.settings import section

    settings = section(RecordingsSource, snakemake.params.settings)
    rdms, stimuli = recordings.make_published_rdm(settings, recordings.data_root(snakemake.params.data))
    recordings.save_published_rdm(rdms, snakemake.output.rdm)
    recordings.save_stimuli(stimuli, snakemake.output.stimuli)
