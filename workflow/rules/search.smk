# Rules that take seconds run where Snakemake does: a cluster would queue them for longer than they take.
localrules:
    search_settings,
    propose,
    promote,
    collect,
    ledger,
    propose_finalists,
    collect_finalists,
    propose_final,


rule search_settings:
    output:
        settings=ARM.settings,
    log:
        f"{LOGS}/{OF_ARM}/settings.log",
    benchmark:
        f"{BENCHMARKS}/{OF_ARM}/settings.tsv"
    # `tgsage status` reads it while the search runs.
    priority: 100
    resources:
        mem_mb=500,
    params:
        call="tgsage.runs.records:write_settings",
        search=search_settings,
    message:
        "Settings of the search {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/stage.py"


rule propose:
    input:
        unpack(proposal_inputs),
    output:
        proposals=ARM.round("{round}").proposals,
    log:
        f"{LOGS}/{OF_ARM}/round_{{round}}/propose.log",
    benchmark:
        f"{BENCHMARKS}/{OF_ARM}/round_{{round}}/propose.tsv"
    resources:
        mem_mb=2000,
    params:
        **calls(
            "tgsage.search.propose:propose_round",
            lambda w: [
                SEARCH.space,
                SEARCH.arms[w.arm].sampler,
                *(judging(w) if heard_rounds(w) else ()),
            ],
        ),
        search=identity,
        proposing=proposing,
        guidance=lambda w: heard_guidance(w) and heard_guidance(w).plain(),
        round=lambda w: int(w.round),
    message:
        "Propose round {wildcards.round} of {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/stage.py"


rule train_and_score:
    input:
        proposals=ARM.stage("{stage}").proposals,
        task=TASK,
        teacher_file=teacher_of(arm_teacher),
        observed_file=teacher_of(arm_observed),
    output:
        training=ARM.stage("{stage}").pack("{pack}").training,
        rsa=ARM.stage("{stage}").pack("{pack}").rsa,
    log:
        f"{LOGS}/{OF_ARM}/{{stage}}/pack_{{pack}}.log",
    benchmark:
        f"{BENCHMARKS}/{OF_ARM}/{{stage}}/pack_{{pack}}.tsv"
    threads: lambda w: stage_recipe(w.stage).threads
    resources:
        mem_mb=4000,
        gpu=GPUS,
    params:
        **calls("tgsage.search.candidates:train_and_score", SEARCH.space),
        # Tells a person how the search stands.
        after="tgsage.search.progress:announce",
        positions=lambda w: stage_packs(w.stage)[int(w.pack)],
        space=lambda w: stage_space(w.stage).plain(),
        recipe=lambda w: stage_recipe(w.stage).plain(),
        earlier=lambda w: earlier_shares(w.stage),
        scoring=CONFIG.scoring.plain(),
        store=CONFIG.store,
        device=CONFIG.device,
        # Only for what `after` says. A parameter that takes `input` does not make a job run again; an
        # `ancient` file would keep Snakemake 9.27 from looking at the parameters of everything downstream.
        search=lambda w, input: search_settings(w),
    message:
        "Train and score pack {wildcards.pack} of {wildcards.stage}, {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/stage.py"


rule promote:
    input:
        unpack(rung_before),
        guidance_files=guidance_files,
    output:
        promoted=ARM.stage(round_stage("{round}", "{rung}")).proposals,
    log:
        f"{LOGS}/{OF_ARM}/round_{{round}}/rung_{{rung}}/promote.log",
    benchmark:
        f"{BENCHMARKS}/{OF_ARM}/round_{{round}}/rung_{{rung}}/promote.tsv"
    resources:
        mem_mb=1000,
    params:
        **calls("tgsage.search.halving:promote", judging),
        n=lambda w: RUNGS[int(w.rung)][1],
        rung=lambda w: int(w.rung),
        measuring=measuring,
        guidance=lambda w: SEARCH.arms[w.arm].guidance.plain(),
    message:
        "Choose who goes on to rung {wildcards.rung} of round {wildcards.round}, {wildcards.arm}, "
        "seed {wildcards.seed}"
    script:
        "../scripts/stage.py"


rule collect:
    input:
        trainings=round_files("training"),
        rsas=round_files("rsa"),
    output:
        measurements=ARM.round("{round}").measurements,
        profiles=ARM.round("{round}").profiles,
    log:
        f"{LOGS}/{OF_ARM}/round_{{round}}/collect.log",
    benchmark:
        f"{BENCHMARKS}/{OF_ARM}/round_{{round}}/collect.tsv"
    resources:
        mem_mb=1000,
    params:
        **calls("tgsage.search.collect:collect_round"),
        measuring=measuring,
    message:
        "Collect round {wildcards.round} of {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/stage.py"


rule ledger:
    input:
        measurements=[ARM.round(r).measurements for r in range(SEARCH.rounds)],
        round_profiles=[ARM.round(r).profiles for r in range(SEARCH.rounds)],
        guidance_files=guidance_files,
    output:
        ledger=report(ARM.ledger, category="Searches", caption="../report/ledger.rst"),
        profiles=ARM.profiles,
    log:
        f"{LOGS}/{OF_ARM}/ledger.log",
    benchmark:
        f"{BENCHMARKS}/{OF_ARM}/ledger.tsv"
    resources:
        mem_mb=1000,
    params:
        **calls("tgsage.search.collect:collect_search", judging),
        guidance=lambda w: SEARCH.arms[w.arm].guidance.plain(),
    message:
        "The ledger of {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/stage.py"


rule propose_finalists:
    input:
        ledger=ARM.ledger,
    output:
        proposals=ARM.stage(FINALISTS).proposals,
    log:
        f"{LOGS}/{OF_ARM}/{FINALISTS}/propose.log",
    benchmark:
        f"{BENCHMARKS}/{OF_ARM}/{FINALISTS}/propose.tsv"
    resources:
        mem_mb=2000,
    params:
        **calls("tgsage.search.propose:propose_finalists", SEARCH.space),
        search=identity,
        maturing=maturing(FINALISTS),
        top=SEARCH.finalists.top,
    message:
        "Choose the finalists of {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/stage.py"


rule collect_finalists:
    input:
        ledger=ARM.ledger,
        proposals=ARM.stage(FINALISTS).proposals,
        trainings=pack_files(ARM, FINALISTS, "training"),
        rsas=pack_files(ARM, FINALISTS, "rsa"),
    output:
        finalists=report(
            ARM.finalists, category="Searches", caption="../report/finalists.rst"
        ),
    log:
        f"{LOGS}/{OF_ARM}/{FINALISTS}/collect.log",
    benchmark:
        f"{BENCHMARKS}/{OF_ARM}/{FINALISTS}/collect.tsv"
    resources:
        mem_mb=1000,
    params:
        **calls("tgsage.search.collect:collect_finalists"),
        measuring=measuring,
    message:
        "Collect the finalists of {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/stage.py"


rule propose_final:
    input:
        finalists=ARM.finalists,
    output:
        proposals=ARM.stage(FINAL).proposals,
    log:
        f"{LOGS}/{OF_ARM}/{FINAL}/propose.log",
    benchmark:
        f"{BENCHMARKS}/{OF_ARM}/{FINAL}/propose.tsv"
    resources:
        mem_mb=2000,
    params:
        **calls("tgsage.search.propose:propose_best", SEARCH.space),
        search=identity,
        maturing=maturing(FINAL),
    message:
        "Choose the winner of {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/stage.py"


rule train_and_test_winner:
    input:
        ledger=ARM.ledger,
        finalists=ARM.finalists,
        proposals=ARM.stage(FINAL).proposals,
        task=TASK,
        teacher_file=teacher_of(arm_teacher),
        observed_file=teacher_of(arm_observed),
    output:
        training=ARM.winner.training,
        rsa=ARM.winner.rsa,
        final=report(ARM.final, category="Searches", caption="../report/final.rst"),
        best_architecture=ARM.best_architecture,
        rdms=ARM.rdms,
    log:
        f"{LOGS}/{OF_ARM}/{FINAL}/winner.log",
    benchmark:
        f"{BENCHMARKS}/{OF_ARM}/{FINAL}/winner.tsv"
    threads: SEARCH.final.recipe.threads
    resources:
        mem_mb=4000,
        gpu=GPUS,
    params:
        **calls("tgsage.search.candidates:train_and_test_winner", SEARCH.space),
        after="tgsage.search.progress:announce",
        space=stage_space(FINAL).plain(),
        recipe=stage_recipe(FINAL).plain(),
        scoring=CONFIG.scoring.plain(),
        store=CONFIG.store,
        device=CONFIG.device,
        search=lambda w, input: search_settings(w),
    message:
        "Train and test the winner of {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/stage.py"


for arm in ARMS:

    rule:
        name:
            "search_without_teacher" if arm == "none" else f"search_with_{arm}_teacher"
        input:
            search_results(arm),


rule retrain_finalists:
    input:
        expand(ARM.finalists, arm=ARMS, seed=SEARCH.seeds),
