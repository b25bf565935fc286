import glob
from pathlib import Path

from snakemake.exceptions import WorkflowError

from tgsage.config import load as load_config
from tgsage.errors import TgsageError
from tgsage.recordings import data_root
from tgsage.store import stage_digest

try:
    CONFIG = load_config(config)
except TgsageError as error:
    raise WorkflowError(str(error)) from None

RUN = CONFIG.folder


def space_digest(*stages):
    """Digest of stages that build networks: their code, and that of the search's space."""
    return stage_digest(*stages, settings=[CONFIG.search.space])


SEARCH = CONFIG.search.model_copy(
    update={"space": CONFIG.search.space.located(data_root(CONFIG.data))}
)
TASK = f"{RUN}/task/{CONFIG.task.source}.h5"
ROUNDS = range(SEARCH.rounds)
ARMS = list(SEARCH.arms)

# A search's folder; its wildcards are those of every rule of search.smk.
ARM = RUN + "/search/{arm}/seed_{seed}"

# `auto` asks for a GPU where this machine has one; on a cluster say `device: cuda`.
GPUS = int(
    CONFIG.device == "cuda"
    or (CONFIG.device == "auto" and bool(glob.glob("/dev/nvidia[0-9]*")))
)


def file_digest(name):
    """Digest of a file of the package that is no module."""
    import tgsage
    from tgsage.store import digest

    return digest((Path(tgsage.__file__).parent / name).read_text(encoding="utf-8"))[
        :16
    ]


def alternatives(names):
    """A wildcard constraint that matches these names, and nothing where there are none."""
    return "|".join(re.escape(str(name)) for name in names) or "(?!)"


wildcard_constraints:
    dataset=alternatives(CONFIG.recordings),
    teacher=alternatives(CONFIG.teachers),
    arm=alternatives(ARMS),
    seed=alternatives(SEARCH.seeds),
    round=r"\d+",
    slot=r"\d+",


def dataset_files(dataset):
    """The files that a data set consists of once it was read."""
    responses = "published_rdm.nc" if CONFIG.rdm_only(dataset) else "assembly.nc"
    folder = f"{RUN}/recordings/{dataset}"
    return [f"{folder}/{responses}", f"{folder}/stimuli.h5"]


def teacher_file(name):
    return f"{RUN}/teachers/{name}.nc"


def arm_teacher(arm):
    """The teacher an arm is scored against: the one that guides it, or the one it merely observes."""
    return SEARCH.arms[arm].teacher or SEARCH.arms[arm].observe


def arm_observed(arm):
    """The second teacher that an arm observes beside the one that guides it; None without one."""
    return SEARCH.arms[arm].observe if SEARCH.arms[arm].teacher else None


def arm_teacher_input(wildcards):
    name = arm_teacher(wildcards.arm)
    return [] if name is None else [teacher_file(name)]


def arm_observed_input(wildcards):
    name = arm_observed(wildcards.arm)
    return [] if name is None else [teacher_file(name)]


def teacher_targets(name):
    """Names of a teacher's targets, in the order of its settings; none of None."""
    while name is not None:
        section = CONFIG.teachers[name]
        if section.kind in ("recordings", "encoded"):
            return list(section.targets)
        if section.kind == "pretrained":
            return list(section.layers)
        if section.kind == "network":
            return ["stack_1", "stack_2", "stack_3"]
        name = section.of
    return []


RUNGS = SEARCH.rungs


def rung_stage(rung):
    """The stage, and below an arm the folder, of a rung of a round; the first is the round's own."""
    return f"round_{{round}}/rung_{rung}" if rung else "round_{round}"


def stage_recipe(stage):
    """How networks of a stage are trained; of a rung, up to which share of its schedule."""
    if stage == "finalists":
        return SEARCH.finalists.recipe
    if stage == "final":
        return SEARCH.final.recipe
    share, _ = RUNGS[int(stage.partition("/rung_")[2] or 0)]
    return SEARCH.premature.model_copy(update={"stop": share})


def earlier_shares(stage):
    """Shares of the schedule up to which a rung's candidates were trained before."""
    if stage in ("finalists", "final"):
        return []
    return [share for share, _ in RUNGS[: int(stage.partition("/rung_")[2] or 0)]]


def stage_space(stage):
    """The space in which a stage's networks are built."""
    section = {"finalists": SEARCH.finalists, "final": SEARCH.final}.get(stage)
    if section is None or not section.space:
        return SEARCH.space
    from tgsage.spaces import with_overrides

    try:
        return with_overrides(SEARCH.space, section.space)
    except TgsageError as error:
        raise WorkflowError(f"search.{stage}.space: {error}") from None
