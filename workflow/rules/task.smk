rule task:
    output:
        task=TASK,
    log:
        f"{LOGS}/task.log",
    benchmark:
        f"{BENCHMARKS}/task.tsv"
    threads: threads_of(CONFIG.task)
    resources:
        mem_mb=4000,
    params:
        **calls("tgsage.tasks.make_task:write_task", CONFIG.task),
        settings=CONFIG.task.plain(),
        data=CONFIG.data,
        raw=lambda w: raw_contents(CONFIG.task, TASK),
    message:
        "Make the task {params.settings[source]}"
    script:
        "../scripts/stage.py"
