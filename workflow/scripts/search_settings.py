from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage.store import write_json

    write_json(snakemake.output[0], snakemake.params.settings)
