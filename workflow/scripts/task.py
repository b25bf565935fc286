from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import recordings, tasks

    tasks.write(snakemake.params.settings, recordings.data_root(snakemake.params.data), snakemake.output.task)
