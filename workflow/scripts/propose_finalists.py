from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import search
    from tgsage.config.spaces import SpaceSource
    from tgsage.settings import section

    search.propose_finalists(
        snakemake.output.proposals,
        space=section(SpaceSource, snakemake.params.space),
        ledger_path=snakemake.input.ledger,
        top=snakemake.params.top,
        run=snakemake.params.run,
        arm=snakemake.wildcards.arm,
        seed=int(snakemake.wildcards.seed),
        transform=snakemake.params.transform,
    )
