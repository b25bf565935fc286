from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import studies

    studies.comparison(snakemake.params.folders, snakemake.output.table)
