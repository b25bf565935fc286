# Every rule's script: calls the function that params.call names with the job's named inputs, outputs and
# params; then, of the same values, what params.after names.
from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage.plugins import load_files
    from tgsage.runs.stage_calls import call_stage

    load_files(snakemake.config.get("plugins", []))
    params = dict(snakemake.params)
    calls = [params.pop(name) for name in ("call", "after") if name in params]
    values = {**params, "log": snakemake.log[0], "mem_mb": snakemake.resources.mem_mb}
    for files in (snakemake.input, snakemake.output):
        values |= {name: one if isinstance(one, str) else list(one) for name, one in files.items()}
    taken = set().union(*(call_stage(call, values) for call in calls))
    # `code` and `raw` only say when a job has to run again; inputs may be there only to be waited for.
    unknown = set(params) - taken - {"code", "raw"}
    if unknown:
        raise TypeError(f"{calls[0]} takes no {', '.join(sorted(unknown))}")
