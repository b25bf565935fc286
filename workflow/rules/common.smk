import functools
import glob
import math
import os
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from tgsage import recordings
from tgsage.config import load as load_config
from tgsage.errors import TgsageError
from tgsage.plugins import every
from tgsage.runs.layout import FINAL, FINALISTS, RunFolder, SearchFolder, round_stage
from tgsage.runs.settings import Maturing, Measuring, Proposing
from tgsage.runs.settings import SearchIdentity, SearchSettings
from tgsage.store import digest, stage_digest
from tgsage.store.code import plugin_modules


def or_one_line(function, *arguments):
    """What the function returns; a mistake of the user's becomes Snakemake's error, which is one line."""
    try:
        return function(*arguments)
    except TgsageError as error:
        raise WorkflowError(str(error)) from None


CONFIG = or_one_line(load_config, config)
# A space's files may lie in the folder of downloaded data.
SPACE = CONFIG.search.space.located(recordings.data_root(CONFIG.data))
SEARCH = CONFIG.search.model_copy(update={"space": SPACE})
ARMS = list(SEARCH.arms)

# Where every file is. Wildcards of the names: {arm} and {seed}; {stage} is a round, a rung of a round or the
# finalists, and {pack} some of its candidates.
RUN = RunFolder(CONFIG.folder)
TASK = RUN.task(CONFIG.task.source)
ARM = RUN.search("{arm}", "{seed}")
LOGS = RUN.logs
BENCHMARKS = RUN.benchmarks
# Below those two, what belongs to a search.
OF_ARM = "search/{arm}/seed_{seed}"

# `auto` asks for a GPU where this machine has one; on a cluster say `device: cuda`. (Lint: a device has an
# absolute path.)
GPUS = int(
    CONFIG.device == "cuda"
    or (CONFIG.device == "auto" and bool(glob.glob("/dev/nvidia[0-9]*")))
)


def alternatives(names):
    """A wildcard constraint that matches these names, and nothing where there are none."""
    return "|".join(re.escape(str(name)) for name in names) or "(?!)"


wildcard_constraints:
    dataset=alternatives(CONFIG.recordings),
    teacher=alternatives(CONFIG.teachers),
    arm=alternatives(ARMS),
    seed=alternatives(SEARCH.seeds),
    round=r"\d+",
    rung=r"[1-9]\d*",
    stage=rf"round_\d+(/rung_\d+)?|{FINALISTS}",
    pack=r"\d+",


# Jobs keep the memory that they free, up to 256 MB. glibc's default gives blocks over 128 kB, and the end of the
# heap, back to the system at once, which fills every page of them with zeros again each time. Other C libraries
# do not read these.
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(32 * 2**20))
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(256 * 2**20))


# What a job depends on beside its files.


@functools.cache
def code_of(call, modules):
    return stage_digest(call, modules=modules)


def calls(call, plugins=(), figures_of=None):
    """Params of a rule: the function that it calls, and a digest of the code that this runs.

    `plugins` are settings of plugins, or a function of the wildcards that returns such; the figures of a kind
    are plugins, too.
    """
    drawn = {one.code_module() for one in every("figure") if one.of == figures_of}

    def code(wildcards):
        settings = plugins(wildcards) if callable(plugins) else plugins
        return code_of(call, frozenset({*plugin_modules(settings), *drawn}))

    return {"call": call, "code": code}


def raw_contents(settings, output):
    """What is in the downloaded files that a rule reads.

    A parameter and no input: an absent file is the rule's own error, in its own words, and a file that was
    touched, or copied with an older time, is told by its content. It must not be a function of the job's
    `output`: Snakemake leaves such parameters out when it looks for changes.
    """
    from tgsage.store.contents import ABSENT, contents

    root = recordings.data_root(CONFIG.data)
    try:
        files = settings.raw_files(root)
        found = contents(files, root, Path(".snakemake/tgsage_raw_files.json"))
    except (TgsageError, OSError) as error:
        raise WorkflowError(f"raw files of {output}: {error}") from None
    gone = [str(path) for path in files if not path.exists()]
    if gone and ABSENT not in found.values() and Path(output).exists():
        logger.warning(
            f"{gone[0]} is no longer there; {output}, which was made from it, is used as it is"
        )
    return found


def threads_of(settings):
    """Threads that a stage runs with, where its settings have a say."""
    return getattr(settings, "threads", 1)


# Recordings and teachers.


def dataset_files(dataset):
    """The files that a data set consists of once it was read."""
    folder = RUN.dataset(dataset)
    responses = folder.published_rdm if CONFIG.rdm_only(dataset) else folder.assembly
    return [responses, folder.stimuli]


def teacher_targets(name):
    """Names of a teacher's targets, in the order of its settings; none of None."""
    return [] if name is None else CONFIG.teachers[name].target_names(CONFIG.teachers)


def teacher_datasets(wildcards):
    """Files of the data sets that a teacher is made from, its original's among them."""
    section = CONFIG.teachers[wildcards.teacher]
    datasets = section.datasets(CONFIG.teachers)
    return [file for dataset in datasets for file in dataset_files(dataset)]


def teacher_original(wildcards):
    """The teacher that a control is made of."""
    original = CONFIG.teachers[wildcards.teacher].original
    return [] if original is None else [RUN.teacher(original)]


# Arms.


def arm_teacher(arm):
    """The teacher an arm is scored against: the one that guides it, or the one it merely observes."""
    return SEARCH.arms[arm].teacher or SEARCH.arms[arm].observe


def arm_observed(arm):
    """The second teacher that an arm observes beside the one that guides it; None without one."""
    return SEARCH.arms[arm].observe if SEARCH.arms[arm].teacher else None


def teacher_of(choose):
    """An input function: the file of the teacher that is chosen for the arm; none where there is none."""
    return lambda w: [RUN.teacher(name) for name in [choose(w.arm)] if name is not None]


def guidance_files(wildcards):
    """Files that the arm's guidance reads; one that is not there is told before a job of the arm runs."""
    files = SEARCH.arms[wildcards.arm].guidance.files()
    for file in files:
        if not Path(file).is_file():
            raise WorkflowError(
                f"search.arms.{wildcards.arm}.guidance: {file}: no such file in {Path.cwd()}"
            )
    return files


def judging(wildcards):
    """Plugins that judge: the arm's guidance and, to read the architectures in its files, the space."""
    guidance = SEARCH.arms[wildcards.arm].guidance
    return [guidance, SEARCH.space] if guidance.files() else [guidance]


# Settings that stages are given: each group holds what one stage reads, so that a change runs that stage again.


def identity(wildcards):
    return SearchIdentity(
        run=CONFIG.run, arm=wildcards.arm, seed=int(wildcards.seed)
    ).plain()


def search_settings(wildcards):
    arm = SEARCH.arms[wildcards.arm]
    return SearchSettings(
        **identity(wildcards),
        teacher=arm.teacher,
        observe=arm.observe,
        guidance=arm.guidance,
        sampler=arm.sampler,
        scoring=CONFIG.scoring,
        rounds=SEARCH.rounds,
        lag=SEARCH.lag,
        total=SEARCH.rounds * SEARCH.candidates_per_round,
        plugins=CONFIG.plugins,
    ).plain()


def proposing(wildcards):
    return Proposing(
        space=SEARCH.space,
        sampler=SEARCH.arms[wildcards.arm].sampler,
        n=SEARCH.candidates_per_round,
    ).plain()


def measuring(wildcards):
    return Measuring(
        scoring=CONFIG.scoring,
        targets=teacher_targets(arm_teacher(wildcards.arm)),
        observed=teacher_targets(arm_observed(wildcards.arm)),
    ).plain()


def maturing(stage):
    transform = (SEARCH.finalists if stage == FINALISTS else SEARCH.final).transform
    return Maturing(space=stage_space(stage), transform=transform).plain()


# Stages of a search, and their packs: rounds come in packs of `candidates_per_job`; finalists train long and
# get a job each, and the winner has a rule of its own.

RUNGS = SEARCH.rungs


def rung_of(stage):
    return int(re.search(r"rung_(\d+)|$", stage)[1] or 0)


def stage_recipe(stage):
    """How networks of a stage are trained; of a rung, up to which share of its schedule."""
    if stage == FINALISTS:
        return SEARCH.finalists.recipe
    if stage == FINAL:
        return SEARCH.final.recipe
    share, _ = RUNGS[rung_of(stage)]
    return SEARCH.premature.model_copy(update={"stop": share})


def earlier_shares(stage):
    """Shares of the schedule up to which a rung's candidates were trained before."""
    return [share for share, _ in RUNGS[: rung_of(stage)]]


@functools.cache
def stage_space(stage):
    """The space in which a stage's networks are built."""
    section = {FINALISTS: SEARCH.finalists, FINAL: SEARCH.final}.get(stage)
    if section is None or not section.space:
        return SEARCH.space
    from tgsage.spaces import with_overrides

    try:
        return with_overrides(SEARCH.space, section.space)
    except TgsageError as error:
        raise WorkflowError(f"search.{stage}.space: {error}") from None


def stage_packs(stage):
    """Positions, among a stage's proposals, of the candidates of each pack."""
    if stage == FINALISTS:
        candidates, size = SEARCH.finalists.top, 1
    else:
        candidates, size = RUNGS[rung_of(stage)][1], SEARCH.candidates_per_job
    positions = list(range(candidates))
    return [positions[start : start + size] for start in range(0, candidates, size)]


def pack_files(search, stage, name):
    """A file (`training` or `rsa`) of every pack of a stage."""
    folder = search.stage(stage)
    return [getattr(folder.pack(pack), name) for pack in range(len(stage_packs(stage)))]


def search_of(wildcards):
    return RUN.search(wildcards.arm, wildcards.seed)


def round_files(name):
    """An input function: a file of every pack of a round, rung after rung."""
    return lambda w: [
        file
        for rung in range(len(RUNGS))
        for file in pack_files(search_of(w), round_stage(w.round, rung), name)
    ]


def heard_rounds(wildcards):
    """How many rounds a round may learn from."""
    return max(int(wildcards.round) - SEARCH.lag, 0)


def heard_guidance(wildcards):
    """The guidance that scores what a round learns from; None where it learns from nothing."""
    return SEARCH.arms[wildcards.arm].guidance if heard_rounds(wildcards) else None


def proposal_inputs(wildcards):
    """What a round may learn from, and the proposals of rounds that it has not heard of."""
    rounds = [search_of(wildcards).round(r) for r in range(int(wildcards.round))]
    heard, guidance = heard_rounds(wildcards), heard_guidance(wildcards)
    needs_profiles = guidance is not None and guidance.needs_profiles
    return {
        "measurements": [one.measurements for one in rounds[:heard]],
        "round_profiles": [one.profiles for one in rounds[:heard] if needs_profiles],
        "guidance_files": guidance_files(wildcards) if heard else [],
        "pending": [one.proposals for one in rounds[heard:]],
    }


def rung_before(wildcards):
    """What a rung of successive halving is chosen from."""
    stage = round_stage(wildcards.round, int(wildcards.rung) - 1)
    search = search_of(wildcards)
    return {
        "proposals": search.stage(stage).proposals,
        "trainings": pack_files(search, stage, "training"),
        "rsas": pack_files(search, stage, "rsa"),
    }


def search_results(arm):
    """Everything that a search leaves for a person."""
    figures = RUN.search_figures("{arm}", "{seed}")
    files = [ARM.ledger, ARM.final, ARM.best_architecture, figures]
    return [*expand(files, arm=arm, seed=SEARCH.seeds), RUN.page("report")]


# Pages.

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


def template_digest():
    """Digest of the page's template, which is no module."""
    import tgsage.report

    template = Path(tgsage.report.__file__).with_name("template.html.j2")
    return digest(template.read_text(encoding="utf-8"))[:16]
