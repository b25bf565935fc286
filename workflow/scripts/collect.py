from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import search

    search.collect_round(
        snakemake.output.ledger,
        snakemake.output.profiles,
        previous=next(iter(snakemake.input.get("previous", [])), None),
        previous_profiles=next(iter(snakemake.input.get("previous_profiles", [])), None),
        trainings=list(snakemake.input.trainings),
        rsas=list(snakemake.input.rsas),
        guidance_settings=snakemake.params.guidance,
        targets=snakemake.params.targets,
        observed=snakemake.params.observed,
        layer_choice=snakemake.params.layer_choice,
    )
