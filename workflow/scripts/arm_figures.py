from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import plots
    from tgsage.config.spaces import SpaceSource
    from tgsage.settings import section

    files = dict(snakemake.input.items())
    teacher = next(iter(files.pop("teacher", [])), None)
    plots.search_figures(
        snakemake.output.figures,
        space=section(SpaceSource, snakemake.params.space),
        teacher=teacher,
        n_validation=snakemake.params.n_validation,
        **files,
    )
