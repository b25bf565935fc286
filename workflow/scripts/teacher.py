from pathlib import Path

from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import recordings, teacher
    from tgsage.config.teacher import TeacherSource
    from tgsage.settings import section

    settings = section(TeacherSource, snakemake.params.settings)
    sources = [Path(file) for file in snakemake.input.get("sources", [])]
    made = teacher.make(
        settings,
        snakemake.wildcards.teacher,
        task=snakemake.input.task,
        recordings={file.parent.name: file.parent for file in sources},
        of=sources[0] if hasattr(settings, "of") else None,
        method=snakemake.params.compare,
        data_root=recordings.data_root(snakemake.params.data),
        device=snakemake.params.device,
    )
    teacher.save(made, snakemake.output.teacher)
