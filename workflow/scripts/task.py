from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import recordings, tasks
    from tgsage.config.task import TaskSource
    from tgsage.settings import section

    settings = section(TaskSource, snakemake.params.settings)
    tasks.write(settings, recordings.data_root(snakemake.params.data), snakemake.output.task)
