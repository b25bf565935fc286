def teacher_original(wildcards):
    """The teacher that a teacher is made of, where there is one."""
    original = CONFIG.teachers[wildcards.teacher].original
    return [] if original is None else [teacher_file(original)]


def teacher_recordings(wildcards):
    """The data sets that a teacher is made of."""
    datasets = CONFIG.teachers[wildcards.teacher].datasets(CONFIG.teachers)
    return [file for dataset in datasets for file in dataset_files(dataset)]


rule make_teacher:
    input:
        original=teacher_original,
        recordings=teacher_recordings,
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
        gpu=lambda w: (GPUS if CONFIG.teachers[w.teacher].runs_network else 0),
    params:
        settings=lambda w: CONFIG.teachers[w.teacher].plain(),
        code=lambda w: stage_digest(
            "teacher.stage", settings=[CONFIG.teachers[w.teacher]]
        ),
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
        original=teacher_original,
        recordings=teacher_recordings,
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
