localrules:
    comparison,


rule comparison:
    input:
        settings=expand(ARM.settings, arm=ARMS, seed=SEARCH.seeds),
        ledgers=expand(ARM.ledger, arm=ARMS, seed=SEARCH.seeds),
        finalists=expand(ARM.finalists, arm=ARMS, seed=SEARCH.seeds),
        finals=expand(ARM.final, arm=ARMS, seed=SEARCH.seeds),
    output:
        comparison=report(
            RUN.comparison, category="Studies", caption="../report/comparison.rst"
        ),
    log:
        f"{LOGS}/studies/comparison.log",
    benchmark:
        f"{BENCHMARKS}/studies/comparison.tsv"
    resources:
        mem_mb=1000,
    params:
        **calls("tgsage.studies.arms:compare_arms"),
    message:
        "Compare the arms"
    script:
        "../scripts/stage.py"


rule compare_guidance:
    input:
        RUN.comparison,
        expand(RUN.search_figures("{arm}", "{seed}"), arm=ARMS, seed=SEARCH.seeds),
        RUN.page("comparison"),
