rule arm_figures:
    input:
        **ARM.finished(),
        teacher_file=teacher_of(arm_teacher),
    output:
        figures=report(
            directory(RUN.search_figures("{arm}", "{seed}")),
            patterns=["{name}.svg"],
            category="Searches",
            caption="../report/arm_figures.rst",
        ),
    log:
        f"{LOGS}/figures/{{arm}}_seed_{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/figures/{{arm}}_seed_{{seed}}.tsv"
    resources:
        mem_mb=2000,
    params:
        **calls("tgsage.plots.draw:search_figures", SEARCH.space, figures_of="search"),
        space=stage_space(FINAL).plain(),
        n_validation=CONFIG.task.n_validation,
    message:
        "Draw the search {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/stage.py"


rule page:
    input:
        unpack(page_searches),
        search_figures=lambda w: expand(
            RUN.search_figures("{arm}", "{seed}"), arm=PAGES[w.page], seed=SEARCH.seeds
        ),
        teachers=lambda w: [RUN.teacher(name) for name in page_teachers(w)],
        teacher_figures=lambda w: [
            RUN.teacher_figures(name) for name in page_teachers(w)
        ],
        comparison=lambda w: [RUN.comparison] if w.page == "comparison" else [],
        task=TASK,
    output:
        page=report(
            RUN.page("{page}"), category="Reports", caption="../report/page.rst"
        ),
    log:
        f"{LOGS}/{{page}}.log",
    benchmark:
        f"{BENCHMARKS}/{{page}}.tsv"
    wildcard_constraints:
        page=alternatives(PAGES),
    resources:
        mem_mb=2000,
    params:
        **calls("tgsage.report.page:write", figures_of="comparison"),
        raw=template_digest(),
        title=CONFIG.report.title,
    message:
        "Write {output.page}"
    script:
        "../scripts/stage.py"


rule report:
    input:
        RUN.page("report"),


rule all:
    default_target: True
    input:
        [file for arm in ARMS for file in search_results(arm)],
        rules.teacher.input,
        rules.compare_guidance.input,
