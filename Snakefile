# So that `snakemake --cores 8 search_with_monkey_teacher` works at the root of a checkout.
include: "workflow/Snakefile"
