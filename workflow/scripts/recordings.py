from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import recordings
    from tgsage.config.recordings import RecordingsSource
    from tgsage.settings import section

    settings = section(RecordingsSource, snakemake.params.settings)
    assembly, stimuli = recordings.make(settings, recordings.data_root(snakemake.params.data))
    recordings.save(assembly, snakemake.output.assembly)
    recordings.save_stimuli(stimuli, snakemake.output.stimuli)
