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
        call="tgsage.tasks.make_task:write_task",
        settings=CONFIG.task.plain(),
        data=CONFIG.data,
        raw=lambda w: task_contents(),
        code=code("tgsage.tasks.make_task:write_task", CONFIG.task),
    message:
        "Make the task {params.settings[source]}"
    script:
        "../scripts/stage.py"
