# Kinds of teachers that run a network, on a GPU where there is one.
RUNS_NETWORKS = ("network", "pretrained", "encoded", "encoded_control")


def teacher_digest(kind):
    from tgsage.teacher.sources import stage_modules

    return stage_digest(*stage_modules(kind))


def teacher_inputs(wildcards):
    """What a teacher is made from: data sets, another teacher, or the task alone."""
    section = CONFIG.teachers[wildcards.teacher]
    if section.kind in ("recordings", "encoded"):
        return target_files(section)
    if section.kind == "encoded_control":
        return [teacher_file(section.of), *target_files(CONFIG.teachers[section.of])]
    if section.kind in ("shuffled", "images"):
        return [teacher_file(section.of)]
    return []


def target_files(section):
    """The data sets that a teacher's targets are of."""
    datasets = dict.fromkeys(target.recordings for target in section.targets.values())
    return [file for dataset in datasets for file in dataset_files(dataset)]


rule make_teacher:
    input:
        sources=teacher_inputs,
        task=TASK,
    output:
        teacher=RUN + "/teachers/{teacher}.nc",
    log:
        RUN + "/logs/teachers/{teacher}.log",
    benchmark:
        RUN + "/benchmarks/teachers/{teacher}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        gpu=lambda w: (GPUS if CONFIG.teachers[w.teacher].kind in RUNS_NETWORKS else 0),
    params:
        settings=lambda w: CONFIG.teachers[w.teacher].plain(),
        code=lambda w: teacher_digest(CONFIG.teachers[w.teacher].kind),
        compare=CONFIG.scoring.compare,
        device=CONFIG.device,
        data=CONFIG.data,
    message:
        "Build the teacher {wildcards.teacher}"
    script:
        "../scripts/teacher.py"


rule teacher_figures:
    input:
        teacher=RUN + "/teachers/{teacher}.nc",
        sources=teacher_inputs,
    output:
        figures=report(
            directory(RUN + "/figures/teachers/{teacher}"),
            patterns=["{name}.svg"],
            category="Teachers",
            caption="../report/teacher.rst",
        ),
    log:
        RUN + "/logs/figures/teacher_{teacher}.log",
    benchmark:
        RUN + "/benchmarks/figures/teacher_{teacher}.tsv"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        code=stage_digest("plots"),
    message:
        "Draw the teacher {wildcards.teacher}"
    script:
        "../scripts/teacher_figures.py"


rule teacher:
    input:
        [teacher_file(name) for name in CONFIG.teachers],
        expand(RUN + "/figures/teachers/{teacher}", teacher=list(CONFIG.teachers)),
