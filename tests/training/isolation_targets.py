"""Functions that misbehave, to be called in a process of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tgsage.errors import TgsageError
from tgsage.training import run_isolated


def add(one: int, other: int) -> int:
    return one + other


def process_facts() -> dict[str, object]:
    import torch

    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "torch_before": "torch" in sys.modules,
        "cuda_started": torch.cuda.is_initialized(),
        "main": getattr(sys.modules["__main__"], "__file__", None),
    }


def parallel_sum(threads: int) -> float:
    import torch

    torch.set_num_threads(threads)
    values = torch.ones(512, 512)
    return float((values @ values).sum())


def sleep_with_children(pids: str, *, new_session: bool = False) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=new_session
    )
    Path(pids).write_text(f"{os.getpid()} {child.pid}")
    time.sleep(600)


def leave_a_child(pids: str) -> str:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(pids).write_text(f"{child.pid}")
    return "done"


def spin_with_the_lock_held() -> None:
    # A regular expression that takes for ever holds the interpreter's lock.
    import re

    re.match(r"(a+)+$", "a" * 60 + "b")


def die(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


def segfault() -> None:
    import ctypes

    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    ctypes.string_at(0)


def leave(code: int) -> None:
    os._exit(code)


def complain() -> None:
    raise ValueError("two\nlines")


def complain_as_user() -> None:
    raise TgsageError("config: something to put right")


def unsendable() -> object:
    return lambda: None


def report_and_die(*, report) -> None:
    report({"examples": 1, "probes": ["a"]})
    report({"examples": 2})
    os._exit(3)


def wait_in_a_child(pids: str) -> None:
    """Run by a process that the test kills."""
    run_isolated(sleep_with_children, (pids,))


def sleep_in_new_session(pids: str) -> None:
    sleep_with_children(pids, new_session=True)
