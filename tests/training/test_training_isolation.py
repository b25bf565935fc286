"""A process of its own: results, every way to fail, and nothing that survives."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import isolation_targets as targets
import pytest

from tgsage.errors import TgsageError
from tgsage.training import Failure, isolation, run_isolated

HERE = Path(__file__).parent


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def gone(pids: list[int], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def read_pids(path: Path, seconds: float = 60) -> list[int]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if path.exists() and path.read_text():
            return [int(pid) for pid in path.read_text().split()]
        time.sleep(0.05)
    raise AssertionError(f"{path} was never written")


def test_a_result() -> None:
    outcome = run_isolated(targets.add, (2, 3), 60)
    assert outcome.value == 5 and outcome.failure is None and outcome.reports == {}
    assert 0 <= outcome.seconds < 30


def test_one_server_that_has_torch_already() -> None:
    for name in isolation.PRELOAD:  # a name that has moved would be passed over in silence
        assert importlib.import_module(name).__name__ == name
    one, two = (run_isolated(targets.process_facts).value for _ in range(2))
    assert one["torch_before"] and not one["cuda_started"]
    assert one["parent"] == two["parent"] != os.getpid()
    assert one["pid"] != two["pid"]
    # The test session's main script was not run again.
    assert one["main"] is None
    begin = time.monotonic()
    run_isolated(targets.add, (1, 1))
    assert time.monotonic() - begin < 1


def test_threads_work_in_children_after_threads_in_the_parent() -> None:
    expected = targets.parallel_sum(2)
    for _ in range(2):
        assert run_isolated(targets.parallel_sum, (2,), 60).value == expected


@pytest.mark.parametrize("new_session", [False, True])
def test_timeout_takes_the_grandchildren_too(tmp_path: Path, new_session: bool) -> None:
    pids = tmp_path / "pids"
    function = targets.sleep_in_new_session if new_session else targets.sleep_with_children
    outcome = run_isolated(function, (str(pids),), 1.0)
    assert outcome.failure == Failure("timeout", "took longer than 1 s")
    assert outcome.value is None and 1 <= outcome.seconds < 5
    assert gone(read_pids(pids))


def test_timeout_of_something_that_holds_the_interpreter() -> None:
    outcome = run_isolated(targets.spin_with_the_lock_held, (), 0.5)
    assert outcome.failure is not None and outcome.failure.kind == "timeout"


def test_nothing_is_left_after_success(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    assert run_isolated(targets.leave_a_child, (str(pids),), 60).value == "done"
    assert gone(read_pids(pids))


@pytest.mark.parametrize(
    ("function", "arguments", "reason"),
    [
        (targets.die, (int(signal.SIGKILL),), "killed by SIGKILL (out of memory?)"),
        (targets.die, (int(signal.SIGABRT),), "killed by SIGABRT"),
        (targets.segfault, (), "killed by SIGSEGV"),
        (targets.leave, (0,), "ended with exit code 0 and no result"),
        (targets.leave, (7,), "ended with exit code 7 and no result"),
    ],
)
def test_crashes(function, arguments: tuple, reason: str) -> None:
    assert run_isolated(function, arguments, 60).failure == Failure("crashed", reason)


def test_exceptions_are_one_line_and_users_mistakes_are_raised() -> None:
    assert run_isolated(targets.complain).failure == Failure("raised", "ValueError: two lines")
    with pytest.raises(TgsageError, match=r"^config: something to put right$"):
        run_isolated(targets.complain_as_user)
    failure = run_isolated(targets.unsendable).failure
    assert failure is not None and failure.kind == "raised"
    assert failure.reason.startswith("the result cannot be sent: ")


def test_what_cannot_be_sent_is_said() -> None:
    main = sys.modules["__main__"]
    with pytest.raises(TgsageError, match="cannot be run in a process of its own"):
        run_isolated(lambda: 1)
    assert sys.modules["__main__"] is main


def test_reports_outlive_a_crash() -> None:
    outcome = run_isolated(targets.report_and_die, reports=True)
    assert outcome.failure == Failure("crashed", "ended with exit code 3 and no result")
    assert outcome.reports == {"examples": 2, "probes": ["a"]}


def test_children_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = f"import isolation_targets; isolation_targets.wait_in_a_child({str(pids)!r})"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=HERE)
    try:
        family = read_pids(pids)
        assert all(alive(pid) for pid in family)
    finally:
        parent.kill()
        parent.wait()
    assert gone(family)


UNGUARDED = """
    import os, sys
    sys.path.insert(0, {here!r})
    with open({log!r}, "a") as file:
        file.write("run\\n")
    import isolation_targets
    from tgsage.training import run_isolated
    results = [run_isolated(isolation_targets.add, (number, 1), 60).value for number in range(3)]
    with open({log!r}, "a") as file:
        file.write(f"{{results}}\\n")
"""


def test_an_unguarded_script_is_run_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(UNGUARDED).format(here=str(HERE), log=str(log)))
    subprocess.run([sys.executable, str(script)], check=True, timeout=120)
    assert log.read_text() == "run\n[1, 2, 3]\n"


@pytest.mark.slow
def test_in_a_snakemake_script(tmp_path: Path) -> None:
    log = tmp_path / "log"
    (tmp_path / "script.py").write_text(textwrap.dedent(UNGUARDED).format(here=str(HERE), log=str(log)))
    (tmp_path / "Snakefile").write_text('rule all:\n    script: "script.py"\n')
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all", "-d", str(tmp_path)]
    subprocess.run([*command, "-s", str(tmp_path / "Snakefile")], cwd=tmp_path, check=True, timeout=120)
    assert log.read_text() == "run\n[1, 2, 3]\n"
