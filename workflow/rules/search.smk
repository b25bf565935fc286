def proposal_inputs(wildcards):
    """The ledger that a round may learn from, and the proposals of rounds that it has not heard of."""
    number = int(wildcards.round)
    heard = number - 1 - SEARCH.lag
    folder = ARM.format(**wildcards)
    return {
        "ledger": [f"{folder}/round_{heard}/ledger.csv"] if heard >= 0 else [],
        "pending": [
            f"{folder}/round_{r}/proposals.json"
            for r in range(max(heard + 1, 0), number)
        ],
    }


def arm_settings(w):
    """What an arm is, and how many candidates it will see."""
    return {
        "run": CONFIG.run,
        "arm": w.arm,
        "seed": int(w.seed),
        "teacher": SEARCH.arms[w.arm].teacher,
        "observe": SEARCH.arms[w.arm].observe,
        "guidance": SEARCH.arms[w.arm].guidance.plain(),
        "sampler": SEARCH.arms[w.arm].sampler.plain(),
        "layer_choice": CONFIG.scoring.layer_choice,
        "compare": CONFIG.scoring.compare,
        "rounds": SEARCH.rounds,
        "lag": SEARCH.lag,
        "total": SEARCH.rounds * SEARCH.candidates_per_round,
    }


rule search_settings:
    output:
        ARM + "/search.json",
    log:
        ARM.replace("/search/", "/logs/search/") + "/settings.log",
    benchmark:
        ARM.replace("/search/", "/benchmarks/search/") + "/settings.tsv"
    # `tgsage status` reads it while the search runs.
    priority: 100
    threads: 1
    resources:
        mem_mb=500,
    params:
        settings=arm_settings,
    message:
        "Settings of the search {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/search_settings.py"


rule propose:
    input:
        unpack(proposal_inputs),
    output:
        proposals=ARM + "/round_{round}/proposals.json",
    log:
        ARM.replace("/search/", "/logs/search/") + "/round_{round}/propose.log",
    benchmark:
        ARM.replace("/search/", "/benchmarks/search/") + "/round_{round}/propose.tsv"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        space=SEARCH.space.plain(),
        sampler=lambda w: SEARCH.arms[w.arm].sampler.plain(),
        n=SEARCH.candidates_per_round,
        run=CONFIG.run,
        code=lambda w: stage_digest(
            "search.propose", settings=[SEARCH.space, SEARCH.arms[w.arm].sampler]
        ),
    message:
        "Propose round {wildcards.round} of {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/propose.py"


def judge_digest(stage, arm):
    """Digest of a stage that judges: its code, and that of the arm's guidance."""
    guidance = SEARCH.arms[arm].guidance
    # The space reads the architectures in files of known accuracies.
    space = [SEARCH.space] if guidance.files() else []
    return stage_digest(stage, settings=[guidance, *space])


def judge_files(wildcards):
    """Files that the arm's guidance reads; one that is not there is told before a job of the arm runs."""
    files = SEARCH.arms[wildcards.arm].guidance.files()
    for file in files:
        if not Path(file).is_file():
            raise WorkflowError(
                f"search.arms.{wildcards.arm}.guidance: {file}: no such file in {Path.cwd()}"
            )
    return files


for rung in range(1, len(RUNGS)):
    before = f"{ARM}/{rung_stage(rung - 1)}"
    slots = range(RUNGS[rung - 1][1])

    rule:
        name:
            f"promote_to_rung_{rung}"
        input:
            proposals=f"{before}/proposals.json",
            trainings=[f"{before}/slot_{slot}/training.json" for slot in slots],
            rsas=[f"{before}/slot_{slot}/rsa.nc" for slot in slots],
            known=judge_files,
        output:
            proposals=f"{ARM}/{rung_stage(rung)}/proposals.json",
        log:
            ARM.replace("/search/", "/logs/search/")
            + f"/round_{{round}}/promote_to_rung_{rung}.log",
        benchmark:
            (
                ARM.replace("/search/", "/benchmarks/search/")
                + f"/round_{{round}}/promote_to_rung_{rung}.tsv"
            )
        threads: 1
        resources:
            mem_mb=1000,
        params:
            n=RUNGS[rung][1],
            rung=rung,
            guidance=lambda w: SEARCH.arms[w.arm].guidance.plain(),
            targets=lambda w: teacher_targets(arm_teacher(w.arm)),
            observed=lambda w: teacher_targets(arm_observed(w.arm)),
            layer_choice=CONFIG.scoring.layer_choice,
            code=lambda w: judge_digest("search.halving", w.arm),
        message:
            f"Choose who goes on to rung {rung} of round {{wildcards.round}}, {{wildcards.arm}}, seed {{wildcards.seed}}"
        script:
            "../scripts/promote.py"


rule propose_finalists:
    input:
        ledger=ARM + "/ledger.csv",
    output:
        proposals=ARM + "/finalists/proposals.json",
    log:
        ARM.replace("/search/", "/logs/search/") + "/finalists/propose.log",
    benchmark:
        ARM.replace("/search/", "/benchmarks/search/") + "/finalists/propose.tsv"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        space=stage_space("finalists").plain(),
        transform=SEARCH.finalists.transform,
        top=SEARCH.finalists.top,
        run=CONFIG.run,
        code=space_digest("search.propose"),
    message:
        "Choose the finalists of {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/propose_finalists.py"


rule propose_final:
    input:
        finalists=ARM + "/finalists.csv",
    output:
        proposals=ARM + "/final/proposals.json",
    log:
        ARM.replace("/search/", "/logs/search/") + "/final/propose.log",
    benchmark:
        ARM.replace("/search/", "/benchmarks/search/") + "/final/propose.tsv"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        space=stage_space("final").plain(),
        transform=SEARCH.final.transform,
        run=CONFIG.run,
        code=space_digest("search.propose"),
    message:
        "Choose the winner of {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/propose_final.py"


# One job trains (or scores) a pack of slots. Rounds come in packs of `candidates_per_job`; finalists and the
# winner train long and get a job each.
PACKS = []
for rung, (_, number) in enumerate(RUNGS):
    slots = list(range(number))
    for pack, start in enumerate(range(0, number, SEARCH.candidates_per_job)):
        PACKS.append(
            (
                rung_stage(rung),
                slots[start : start + SEARCH.candidates_per_job],
                f"rung_{rung}_pack_{pack}" if rung else f"pack_{pack}",
            )
        )
PACKS += [
    ("finalists", [slot], f"finalist_{slot}") for slot in range(SEARCH.finalists.top)
]
PACKS += [("final", [0], "final")]

for stage, slots, name in PACKS:
    folder = f"{ARM}/{stage}"

    rule:
        name:
            f"train_{name}"
        input:
            proposals=f"{folder}/proposals.json",
            task=TASK,
        output:
            trainings=[f"{folder}/slot_{slot}/training.json" for slot in slots],
        log:
            folder.replace("/search/", "/logs/search/") + f"/train_{name}.log",
        benchmark:
            folder.replace("/search/", "/benchmarks/search/") + f"/train_{name}.tsv"
        threads: stage_recipe(stage).threads
        resources:
            mem_mb=4000,
            gpu=GPUS,
        params:
            slots=slots,
            space=stage_space(stage).plain(),
            recipe=stage_recipe(stage).plain(),
            earlier=earlier_shares(stage),
            store=CONFIG.store,
            device=CONFIG.device,
            code=space_digest("training.job"),
        message:
            f"Train {name} of {stage.format(round='{wildcards.round}')}, {{wildcards.arm}}, seed {{wildcards.seed}}"
        script:
            "../scripts/train.py"

    rule:
        name:
            f"score_{name}"
        input:
            trainings=[f"{folder}/slot_{slot}/training.json" for slot in slots],
            task=TASK,
            teacher=arm_teacher_input,
            observed=arm_observed_input,
        output:
            rsas=[f"{folder}/slot_{slot}/rsa.nc" for slot in slots],
        log:
            folder.replace("/search/", "/logs/search/") + f"/score_{name}.log",
        benchmark:
            folder.replace("/search/", "/benchmarks/search/") + f"/score_{name}.tsv"
        threads: stage_recipe(stage).threads
        resources:
            mem_mb=4000,
            gpu=GPUS,
        params:
            slots=slots,
            space=stage_space(stage).plain(),
            recipe=stage_recipe(stage).plain(),
            scoring=CONFIG.scoring.plain(),
            store=CONFIG.store,
            device=CONFIG.device,
            code=space_digest("scoring.candidate"),
            # Only for the line that tells a person how the search stands. A parameter that takes `input`
            # does not make a job run again; an `ancient` file would keep Snakemake 9.27 from looking at the
            # parameters of everything downstream of it.
            told=lambda w, input: arm_settings(w),
        message:
            f"Score {name} of {stage.format(round='{wildcards.round}')}, {{wildcards.arm}}, seed {{wildcards.seed}}"
        script:
            "../scripts/score.py"


def rung_files(name):
    """A file of every candidate of a round, rung after rung."""
    return [
        f"{ARM}/{rung_stage(rung)}/slot_{slot}/{name}"
        for rung, (_, number) in enumerate(RUNGS)
        for slot in range(number)
    ]


def round_before(wildcards, name):
    """A file of the round before; none for the first."""
    number = int(wildcards.round) - 1
    return [f"{ARM.format(**wildcards)}/round_{number}/{name}"] if number >= 0 else []


rule collect:
    input:
        previous=lambda w: round_before(w, "ledger.csv"),
        previous_profiles=lambda w: round_before(w, "profiles.nc"),
        trainings=rung_files("training.json"),
        rsas=rung_files("rsa.nc"),
        known=judge_files,
    output:
        ledger=ARM + "/round_{round}/ledger.csv",
        profiles=ARM + "/round_{round}/profiles.nc",
    log:
        ARM.replace("/search/", "/logs/search/") + "/round_{round}/collect.log",
    benchmark:
        ARM.replace("/search/", "/benchmarks/search/") + "/round_{round}/collect.tsv"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        guidance=lambda w: SEARCH.arms[w.arm].guidance.plain(),
        targets=lambda w: teacher_targets(arm_teacher(w.arm)),
        observed=lambda w: teacher_targets(arm_observed(w.arm)),
        layer_choice=CONFIG.scoring.layer_choice,
        code=lambda w: judge_digest("search.collect", w.arm),
    message:
        "Collect round {wildcards.round} of {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/collect.py"


rule ledger:
    input:
        f"{ARM}/round_{SEARCH.rounds - 1}/ledger.csv",
    output:
        report(ARM + "/ledger.csv", category="Searches", caption="../report/ledger.rst"),
    log:
        ARM.replace("/search/", "/logs/search/") + "/ledger.log",
    benchmark:
        ARM.replace("/search/", "/benchmarks/search/") + "/ledger.tsv"
    threads: 1
    resources:
        mem_mb=500,
    message:
        "The ledger of {wildcards.arm}, seed {wildcards.seed}"
    shell:
        "cp {input} {output} 2> {log}"


rule collect_finalists:
    input:
        ledger=ARM + "/ledger.csv",
        proposals=ARM + "/finalists/proposals.json",
        trainings=expand(
            ARM + "/finalists/slot_{slot}/training.json",
            slot=range(SEARCH.finalists.top),
            allow_missing=True,
        ),
        rsas=expand(
            ARM + "/finalists/slot_{slot}/rsa.nc",
            slot=range(SEARCH.finalists.top),
            allow_missing=True,
        ),
    output:
        finalists=report(
            ARM + "/finalists.csv",
            category="Searches",
            caption="../report/finalists.rst",
        ),
    log:
        ARM.replace("/search/", "/logs/search/") + "/finalists/collect.log",
    benchmark:
        ARM.replace("/search/", "/benchmarks/search/") + "/finalists/collect.tsv"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        targets=lambda w: teacher_targets(arm_teacher(w.arm)),
        observed=lambda w: teacher_targets(arm_observed(w.arm)),
        layer_choice=CONFIG.scoring.layer_choice,
        code=stage_digest("search.collect"),
    message:
        "Collect the finalists of {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/collect_finalists.py"


rule finish:
    input:
        ledger=ARM + "/ledger.csv",
        finalists=ARM + "/finalists.csv",
        proposals=ARM + "/final/proposals.json",
        training=ARM + "/final/slot_0/training.json",
        rsa=ARM + "/final/slot_0/rsa.nc",
        task=TASK,
        teacher=arm_teacher_input,
        observed=arm_observed_input,
    output:
        final=report(
            ARM + "/final.json", category="Searches", caption="../report/final.rst"
        ),
        architecture=ARM + "/best_architecture.json",
        rdms=ARM + "/final/slot_0/rdms.nc",
    log:
        ARM.replace("/search/", "/logs/search/") + "/final/finish.log",
    benchmark:
        ARM.replace("/search/", "/benchmarks/search/") + "/final/finish.tsv"
    threads: SEARCH.final.recipe.threads
    resources:
        mem_mb=4000,
        gpu=GPUS,
    params:
        space=stage_space("final").plain(),
        store=CONFIG.store,
        device=CONFIG.device,
        layer_choice=CONFIG.scoring.layer_choice,
        code=space_digest("search.winner", "training.probes", "scoring.candidate"),
    message:
        "Test the winner of {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/finish.py"


def search_files(arm):
    """Everything that a search leaves for a person."""
    folders = expand(ARM, arm=arm, seed=SEARCH.seeds)
    names = ["ledger.csv", "final.json", "best_architecture.json"]
    files = [f"{folder}/{name}" for folder in folders for name in names]
    files += expand(RUN + "/figures/{arm}/seed_{seed}", arm=arm, seed=SEARCH.seeds)
    return files + [f"{RUN}/report.html"]


for arm in ARMS:

    rule:
        name:
            "search_without_teacher" if arm == "none" else f"search_with_{arm}_teacher"
        input:
            search_files(arm),


rule retrain_finalists:
    input:
        expand(ARM + "/finalists.csv", arm=ARMS, seed=SEARCH.seeds),
