from pathlib import Path

from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import plots
    from tgsage.config.spaces import SpaceSource
    from tgsage.settings import section

    plots.arm_figures(
        Path(snakemake.input.final).parent,
        next(iter(snakemake.input.get("teacher", [])), None),
        section(SpaceSource, snakemake.params.space),
        snakemake.output.figures,
        n_validation=snakemake.params.n_validation,
    )
