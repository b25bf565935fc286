DATASET = RUN.dataset("{dataset}")
READING = {
    "settings": lambda w: CONFIG.recordings[w.dataset].plain(),
    "data": CONFIG.data,
    "raw": lambda w: raw_contents(
        CONFIG.recordings[w.dataset], dataset_files(w.dataset)[0]
    ),
}


rule recordings:
    output:
        assembly=DATASET.assembly,
        stimuli=DATASET.stimuli,
    log:
        f"{LOGS}/recordings/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/recordings/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=alternatives(d for d in CONFIG.recordings if not CONFIG.rdm_only(d)),
    threads: lambda w: threads_of(CONFIG.recordings[w.dataset])
    resources:
        mem_mb=4000,
    params:
        **calls(
            "tgsage.recordings.make_recordings:write_assembly",
            lambda w: CONFIG.recordings[w.dataset],
        ),
        **READING,
    message:
        "Read the recordings {wildcards.dataset}"
    script:
        "../scripts/stage.py"


use rule recordings as published_rdm with:
    output:
        published_rdm=DATASET.published_rdm,
        stimuli=DATASET.stimuli,
    wildcard_constraints:
        dataset=alternatives(d for d in CONFIG.recordings if CONFIG.rdm_only(d)),
    params:
        **calls(
            "tgsage.recordings.make_recordings:write_published_rdm",
            lambda w: CONFIG.recordings[w.dataset],
        ),
        **READING,
    message:
        "Read the published RDMs {wildcards.dataset}"
