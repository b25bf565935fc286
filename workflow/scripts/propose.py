from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import search
    from tgsage.config.samplers import SamplerSource
    from tgsage.config.spaces import SpaceSource
    from tgsage.settings import section

    search.propose_round(
        snakemake.output.proposals,
        space=section(SpaceSource, snakemake.params.space),
        sampler=section(SamplerSource, snakemake.params.sampler),
        n=snakemake.params.n,
        run=snakemake.params.run,
        arm=snakemake.wildcards.arm,
        seed=int(snakemake.wildcards.seed),
        round=int(snakemake.wildcards.round),
        ledger_path=next(iter(snakemake.input.get("ledger", [])), None),
        pending=list(snakemake.input.get("pending", [])),
    )
