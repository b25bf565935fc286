"""Of a test's workspace: every job writes down, at its end, which modules of tgsage it has loaded."""

import atexit
import json
import os
import sys
from pathlib import Path


@atexit.register
def write_down() -> None:
    job = getattr(sys.modules["__main__"], "snakemake", None)
    if job is None:
        return
    folder = Path(__file__).parent.parent / "loaded"
    folder.mkdir(exist_ok=True)
    modules = sorted(name for name in sys.modules if name.split(".")[0] == "tgsage")
    content = {"rule": job.rule, "params": dict(job.params), "modules": modules}
    (folder / f"{job.rule}_{os.getpid()}.json").write_text(json.dumps(content))
