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
        code=lambda w: recordings_digest(CONFIG.recordings[w.dataset]),
        data=CONFIG.data,
        raw=lambda w: recordings_contents(w.dataset),
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
        code=lambda w: recordings_digest(CONFIG.recordings[w.dataset]),
        data=CONFIG.data,
        raw=lambda w: recordings_contents(w.dataset),
    message:
        "Read the published RDMs {wildcards.dataset}"
    script:
        "../scripts/published_rdm.py"


def raw_contents(list_files, settings, output):
    """What is in the downloaded files that a rule reads.

    A parameter and no input: an absent file is the rule's own error, in its own words, and a file that was
    touched, or copied with an older time, is told by its content. It must not be a function of the job's
    `output`: Snakemake leaves such parameters out when it looks for changes.
    """
    from snakemake.logging import logger

    from tgsage.recordings import data_root
    from tgsage.store.contents import ABSENT, contents

    root = data_root(CONFIG.data)
    try:
        files = list_files(settings, root)
        found = contents(files, root, Path(".snakemake/tgsage_raw_files.json"))
    except (TgsageError, OSError) as error:
        raise WorkflowError(f"raw files of {output}: {error}") from None
    gone = [str(path) for path in files if not path.exists()]
    if gone and ABSENT not in found.values() and Path(output).exists():
        logger.warning(
            f"{gone[0]} is no longer there; {output}, which was made from it, is used as it is"
        )
    return found


def recordings_contents(dataset):
    from tgsage.recordings import raw_files

    return raw_contents(
        raw_files, CONFIG.recordings[dataset], dataset_files(dataset)[0]
    )


def recordings_digest(settings):
    return stage_digest(
        "recordings.make_recordings", "recordings.assembly_files", settings=[settings]
    )
