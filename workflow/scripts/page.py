from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import report
    from tgsage.config.spaces import SpaceSource
    from tgsage.settings import section
    from tgsage.store import write_text

    page = report.build(
        snakemake.params.folder,
        arms=snakemake.params.arms,
        title=snakemake.params.title,
        space=section(SpaceSource, snakemake.params.space),
    )
    write_text(snakemake.output.page, page)
