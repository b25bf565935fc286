def task_digest():
    return stage_digest("tasks.make_task", settings=[CONFIG.task])


def task_contents():
    from tgsage.tasks import raw_files

    return raw_contents(raw_files, CONFIG.task, TASK)


rule task:
    output:
        task=TASK,
    log:
        f"{RUN}/logs/task.log",
    benchmark:
        f"{RUN}/benchmarks/task.tsv"
    threads: 1
    resources:
        mem_mb=4000,
    params:
        settings=CONFIG.task.plain(),
        code=task_digest(),
        data=CONFIG.data,
        raw=lambda w: task_contents(),
    message:
        "Make the task {params.settings[source]}"
    script:
        "../scripts/task.py"
