from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import search

    search.collect_finalists(
        snakemake.output.finalists,
        ledger_path=snakemake.input.ledger,
        proposals_path=snakemake.input.proposals,
        trainings=list(snakemake.input.trainings),
        rsas=list(snakemake.input.rsas),
        targets=snakemake.params.targets,
        observed=snakemake.params.observed,
        layer_choice=snakemake.params.layer_choice,
    )
