from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import search
    from tgsage.config.guidance import Guidance

    search.collect_round(
        snakemake.output.ledger,
        previous=next(iter(snakemake.input.get("previous", [])), None),
        trainings=list(snakemake.input.trainings),
        rsas=list(snakemake.input.rsas),
        guidance_settings=Guidance(**snakemake.params.guidance),
        targets=snakemake.params.targets,
        layer_choice=snakemake.params.layer_choice,
    )
