rule comparison:
    input:
        finals=expand(ARM + "/final.json", arm=ARMS, seed=SEARCH.seeds),
        finalists=expand(ARM + "/finalists.csv", arm=ARMS, seed=SEARCH.seeds),
        ledgers=expand(ARM + "/ledger.csv", arm=ARMS, seed=SEARCH.seeds),
        settings=expand(ARM + "/search.json", arm=ARMS, seed=SEARCH.seeds),
    output:
        table=report(
            RUN + "/studies/comparison.csv",
            category="Studies",
            caption="../report/comparison.rst",
        ),
    log:
        f"{RUN}/logs/studies/comparison.log",
    benchmark:
        f"{RUN}/benchmarks/studies/comparison.tsv"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        folders=expand(ARM, arm=ARMS, seed=SEARCH.seeds),
        code=stage_digest("studies.comparison"),
    message:
        "Compare the arms"
    script:
        "../scripts/comparison.py"


rule compare_guidance:
    input:
        f"{RUN}/studies/comparison.csv",
        expand(RUN + "/figures/{arm}/seed_{seed}", arm=ARMS, seed=SEARCH.seeds),
        f"{RUN}/comparison.html",
