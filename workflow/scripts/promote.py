from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import search

    search.promote(
        snakemake.output.proposals,
        proposals_path=snakemake.input.proposals,
        trainings=list(snakemake.input.trainings),
        rsas=list(snakemake.input.rsas),
        n=snakemake.params.n,
        rung=snakemake.params.rung,
        guidance_settings=snakemake.params.guidance,
        targets=snakemake.params.targets,
        observed=snakemake.params.observed,
        layer_choice=snakemake.params.layer_choice,
    )
