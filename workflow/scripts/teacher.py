from pathlib import Path

from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import plugins, recordings, teacher

    plugins.load_files(snakemake.config.get("plugins", []))
    made = teacher.make(
        plugins.settings("teacher", snakemake.params.settings),
        snakemake.wildcards.teacher,
        task=snakemake.input.task,
        recordings={Path(file).parent.name: Path(file).parent for file in snakemake.input.recordings},
        original=next(iter(snakemake.input.original), None),
        method=snakemake.params.compare,
        data_root=recordings.data_root(snakemake.params.data),
        device=snakemake.params.device,
    )
    teacher.save(made, snakemake.output.teacher)
