from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import search
    from tgsage.config.spaces import SpaceSource
    from tgsage.settings import section

    search.propose_best(
        snakemake.output.proposals,
        space=section(SpaceSource, snakemake.params.space),
        finalists_path=snakemake.input.finalists,
        run=snakemake.params.run,
        arm=snakemake.wildcards.arm,
        seed=int(snakemake.wildcards.seed),
        transform=snakemake.params.transform,
    )
