from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage.runs.files import read_json
    from tgsage.training import train_candidate

    told = read_json(snakemake.input.proposals)
    for slot, out in zip(snakemake.params.slots, snakemake.output.trainings, strict=True):
        train_candidate(
            told["proposals"][slot],
            snakemake.params.recipe,
            snakemake.input.task,
            snakemake.params.space,
            snakemake.params.store,
            snakemake.params.device,
            out,
            round=told["round"],
            earlier=snakemake.params.earlier,
        )
