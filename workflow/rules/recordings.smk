rule recordings:
    output:
        assembly=RUN + "/recordings/{dataset}/assembly.nc",
        stimuli=RUN + "/recordings/{dataset}/stimuli.h5",
    log:
        RUN + "/logs/recordings/{dataset}.log",
    benchmark:
        RUN + "/benchmarks/recordings/{dataset}.tsv"
    wildcard_constraints:
        dataset=alternatives(d for d in CONFIG.recordings if not CONFIG.rdm_only(d)),
    threads: 1
    resources:
        mem_mb=4000,
    params:
        settings=lambda w: CONFIG.recordings[w.dataset].plain(),
        code=lambda w: recordings_digest(CONFIG.recordings[w.dataset].source),
        data=CONFIG.data,
    message:
        "Read the recordings {wildcards.dataset}"
    script:
        "../scripts/recordings.py"


rule published_rdm:
    output:
        rdm=RUN + "/recordings/{dataset}/published_rdm.nc",
        stimuli=RUN + "/recordings/{dataset}/stimuli.h5",
    log:
        RUN + "/logs/recordings/{dataset}.log",
    benchmark:
        RUN + "/benchmarks/recordings/{dataset}.tsv"
    wildcard_constraints:
        dataset=alternatives(d for d in CONFIG.recordings if CONFIG.rdm_only(d)),
    threads: 1
    resources:
        mem_mb=2000,
    params:
        settings=lambda w: CONFIG.recordings[w.dataset].plain(),
        code=lambda w: recordings_digest(CONFIG.recordings[w.dataset].source),
        data=CONFIG.data,
    message:
        "Read the published RDMs {wildcards.dataset}"
    script:
        "../scripts/published_rdm.py"


def recordings_digest(source):
    from tgsage.recordings.sources import stage_modules

    return stage_digest(*stage_modules(source))
