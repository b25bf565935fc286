rule make_teacher:
    input:
        datasets=teacher_datasets,
        original=teacher_original,
        task=TASK,
    output:
        teacher=RUN.teacher("{teacher}"),
    log:
        f"{LOGS}/teachers/{{teacher}}.log",
    benchmark:
        f"{BENCHMARKS}/teachers/{{teacher}}.tsv"
    threads: lambda w: threads_of(CONFIG.teachers[w.teacher])
    resources:
        mem_mb=4000,
        gpu=lambda w: GPUS if CONFIG.teachers[w.teacher].runs_network else 0,
    params:
        **calls(
            "tgsage.teacher.stage:write_teacher",
            lambda w: CONFIG.teachers[w.teacher],
        ),
        name=lambda w: w.teacher,
        settings=lambda w: CONFIG.teachers[w.teacher].plain(),
        compare=CONFIG.scoring.compare,
        device=CONFIG.device,
        data=CONFIG.data,
    message:
        "Build the teacher {wildcards.teacher}"
    script:
        "../scripts/stage.py"


rule teacher_figures:
    input:
        teacher_file=RUN.teacher("{teacher}"),
        datasets=teacher_datasets,
    output:
        figures=report(
            directory(RUN.teacher_figures("{teacher}")),
            patterns=["{name}.svg"],
            category="Teachers",
            caption="../report/teacher.rst",
        ),
    log:
        f"{LOGS}/figures/teacher_{{teacher}}.log",
    benchmark:
        f"{BENCHMARKS}/figures/teacher_{{teacher}}.tsv"
    resources:
        mem_mb=3000,
    params:
        **calls("tgsage.plots.draw:teacher_figures", figures_of="teacher"),
    message:
        "Draw the teacher {wildcards.teacher}"
    script:
        "../scripts/stage.py"


rule teacher:
    input:
        [RUN.teacher(name) for name in CONFIG.teachers],
        [RUN.teacher_figures(name) for name in CONFIG.teachers],
