from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import plots

    plots.teacher_figures(
        snakemake.input.teacher,
        assemblies=[file for file in snakemake.input.recordings if file.endswith("assembly.nc")],
        out_folder=snakemake.output.figures,
    )
