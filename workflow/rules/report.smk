rule arm_figures:
    input:
        ledger=ARM + "/ledger.csv",
        finalists=ARM + "/finalists.csv",
        final=ARM + "/final.json",
        rsa=ARM + "/final/slot_0/rsa.nc",
        rdms=ARM + "/final/slot_0/rdms.nc",
        settings=ARM + "/search.json",
        teacher=arm_teacher_input,
    output:
        figures=report(
            directory(RUN + "/figures/{arm}/seed_{seed}"),
            patterns=["{name}.svg"],
            category="Searches",
            caption="../report/arm_figures.rst",
        ),
    log:
        RUN + "/logs/figures/{arm}_seed_{seed}.log",
    benchmark:
        RUN + "/benchmarks/figures/{arm}_seed_{seed}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        space=stage_space("final").plain(),
        n_validation=CONFIG.task.n_validation,
        code=space_digest("plots"),
    message:
        "Draw the search {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/arm_figures.py"


PAGES = {"report": CONFIG.report.arms, "comparison": ARMS}


def page_inputs(wildcards):
    """Everything a page tells: the files of its arms, their teachers and the task."""
    arms = PAGES[wildcards.page]
    names = [
        "ledger.csv",
        "finalists.csv",
        "final.json",
        "search.json",
        "final/slot_0/rsa.nc",
    ]
    files = [
        f"{folder}/{name}"
        for folder in expand(ARM, arm=arms, seed=SEARCH.seeds)
        for name in names
    ]
    files += expand(RUN + "/figures/{arm}/seed_{seed}", arm=arms, seed=SEARCH.seeds)
    teachers = dict.fromkeys(
        name for name in map(arm_teacher, arms) if name is not None
    )
    files += [teacher_file(name) for name in teachers]
    files += expand(RUN + "/figures/teachers/{teacher}", teacher=list(teachers))
    if wildcards.page == "comparison":
        files.append(f"{RUN}/studies/comparison.csv")
    return files


rule page:
    input:
        files=page_inputs,
        task=TASK,
    output:
        page=report(
            RUN + "/{page}.html", category="Reports", caption="../report/page.rst"
        ),
    log:
        RUN + "/logs/{page}.log",
    benchmark:
        RUN + "/benchmarks/{page}.tsv"
    wildcard_constraints:
        page=alternatives(PAGES),
    threads: 1
    resources:
        mem_mb=2000,
    params:
        folder=RUN,
        arms=lambda w: PAGES[w.page],
        title=CONFIG.report.title,
        space=stage_space("final").plain(),
        code=space_digest("report"),
        template=file_digest("report/template.html.j2"),
    message:
        "Write {output.page}"
    script:
        "../scripts/page.py"


rule report:
    input:
        f"{RUN}/report.html",


rule all:
    default_target: True
    input:
        [file for arm in ARMS for file in search_files(arm)],
        rules.teacher.input,
        rules.compare_guidance.input,
