from pathlib import Path

from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import search
    from tgsage.config.spaces import SpaceSource
    from tgsage.settings import section

    search.finish(
        Path(snakemake.output.final).parent,
        space=section(SpaceSource, snakemake.params.space),
        task_path=snakemake.input.task,
        teacher_path=next(iter(snakemake.input.get("teacher", [])), None),
        observed_path=next(iter(snakemake.input.get("observed", [])), None),
        store_root=snakemake.params.store,
        device=snakemake.params.device,
        layer_choice=snakemake.params.layer_choice,
    )
