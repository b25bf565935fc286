PAGES = {"report": CONFIG.report.arms, "comparison": ARMS}


def page_searches(wildcards):
    """The files of the searches of a page, each kind in the order of arms and seeds."""
    files = ARM.finished()
    return {
        name: expand(file, arm=PAGES[wildcards.page], seed=SEARCH.seeds)
        for name, file in files.items()
    }


def page_teachers(wildcards):
    names = [arm_teacher(arm) for arm in PAGES[wildcards.page]]
    return list(dict.fromkeys(name for name in names if name is not None))


def page_figures(wildcards):
    teachers = [RUN.teacher_figures(name) for name in page_teachers(wildcards)]
    arms = PAGES[wildcards.page]
    return [
        *expand(RUN.search_figures("{arm}", "{seed}"), arm=arms, seed=SEARCH.seeds),
        *teachers,
    ]


def template_digest():
    """Digest of the page's template, which is no module."""
    import tgsage.report

    template = Path(tgsage.report.__file__).with_name("template.html.j2")
    return digest(template.read_text(encoding="utf-8"))[:16]


rule arm_figures:
    input:
        **ARM.finished(),
        teacher_file=arm_teacher_file,
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
    threads: 1
    resources:
        mem_mb=2000,
    params:
        call="tgsage.plots.draw:search_figures",
        search_folder=ARM.path,
        space=stage_space(FINAL).plain(),
        n_validation=CONFIG.task.n_validation,
        code=code(
            "tgsage.plots.draw:search_figures",
            SEARCH.space,
            *plugins.every("figure"),
        ),
    message:
        "Draw the search {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/stage.py"


rule page:
    input:
        unpack(page_searches),
        teachers=lambda w: [RUN.teacher(name) for name in page_teachers(w)],
        figures=page_figures,
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
    threads: 1
    resources:
        mem_mb=2000,
    params:
        call="tgsage.report.page:write",
        run_folder=RUN.path,
        arms=lambda w: PAGES[w.page],
        title=CONFIG.report.title,
        code=[
            code("tgsage.report.page:write", *plugins.every("figure")),
            template_digest(),
        ],
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
