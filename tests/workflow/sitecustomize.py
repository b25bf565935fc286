"""Of a test's workspace: every job, and every process that it has forked, writes down which modules of tgsage
it has loaded by its end."""

import atexit
import json
import os
import sys
from multiprocessing import util
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "loaded"
PARENT = os.getppid()  # of a fork server the job


def write_down(name: str, **content: object) -> None:
    """Write a file about this process."""
    FOLDER.mkdir(exist_ok=True)
    modules = sorted(name for name in sys.modules if name.split(".")[0] == "tgsage")
    (FOLDER / f"{name}_{os.getpid()}.json").write_text(json.dumps({**content, "modules": modules}))


@atexit.register
def of_a_job() -> None:
    job = getattr(sys.modules["__main__"], "snakemake", None)
    if job is not None:
        write_down(job.rule, rule=job.rule, params=dict(job.params), pid=os.getpid())


def of_a_child(_: object) -> None:
    """A forked process does not run what `atexit` has."""
    util.Finalize(None, write_down, args=("child",), kwargs={"job": PARENT}, exitpriority=0)


util.register_after_fork(of_a_child, of_a_child)
