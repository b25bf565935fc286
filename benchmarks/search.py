"""What a whole search costs beside the training in it.

    python benchmarks/search.py [--cores 2] [--config FILE]

Three rows: the default search, 200 candidates of about a second each in packs of 25, and the dry run of 2,000
candidates in a job each. The limit of the first is the seconds that the candidates were trained for (as their
ledgers say), divided by the cores. That of the second is what training and scoring them takes in one process
without isolation, a tenth of them measured, divided by the cores. Each search runs once, in a folder of its
own, with an empty store.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from harness import Measurement, main, set_threads

ROOT = Path(__file__).parents[1]
set_threads(1)


def snakemake(folder: Path, config: dict[str, Any], target: str, *options: str) -> tuple[float, float]:
    """Run a workflow in a folder; return seconds by the clock and CPU seconds."""
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(
        [*command, *options, target, "--configfile", folder / "config.yaml"],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL if "-n" in options else None,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, used


def trained_seconds(folder: Path) -> list[float]:
    """Seconds that each candidate was trained for."""
    files = sorted(folder.glob("results/*/search/**/training.json"))
    return [one["seconds"] for file in files for one in json.loads(file.read_text())["candidates"]]


def shares(folder: Path) -> str:
    """Seconds by the clock of each kind of job, from Snakemake's own benchmarks."""
    kinds: dict[str, float] = {}
    for file in folder.glob("results/*/benchmarks/**/*.tsv"):
        kind = file.stem.rstrip("0123456789_")
        seconds = float(file.read_text().splitlines()[1].split("\t")[0])
        kinds[kind] = kinds.get(kind, 0) + seconds
    ordered = sorted(kinds.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {seconds:.0f} s" for name, seconds in ordered if seconds >= 1)


def seconds_in_one_process(folder: Path, config: dict[str, Any], proposals: Path) -> float:
    """Mean seconds of training and scoring a candidate, over every tenth, in this process."""
    import torch

    from tgsage import plugins, scoring, spaces, tasks
    from tgsage.runs.records import read_proposals
    from tgsage.runs.settings import Recipe, Scoring
    from tgsage.store import Store
    from tgsage.training import ensure_trained

    torch.set_num_threads(1)
    space = spaces.get(plugins.settings("space", config["search"]["space"]))
    recipe = Recipe(**config["search"]["premature"])
    store = Store(folder / "one_process")
    seconds = []
    for proposal in read_proposals(proposals)["proposals"][::10]:
        start = time.perf_counter()
        task = tasks.load(next(folder.glob("results/*/task/*.h5")))
        stored = ensure_trained(store, space, space.parse(proposal["architecture"]), recipe, task, "cpu")
        record = {**stored.record, **proposal, "store_key": stored.key}
        scoring.score_candidate(record, task, None, Scoring(), store, space, "cpu")
        seconds.append(time.perf_counter() - start)
    return statistics.mean(seconds)


def measure(options: argparse.Namespace) -> Iterable[Measurement]:
    """Yield the rows."""
    config = yaml.safe_load(Path(options.config).read_text())
    cores, share = options.cores, 0.1 if options.small else 1
    search = config["search"]
    arm = config["report"]["arms"][0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.small:
            search["rounds"] = 1
        wall, _ = snakemake(folder, config, f"search_with_{arm}_teacher", "--cores", str(cores))
        trained = trained_seconds(folder)
        limit = sum(trained) / cores
        yield Measurement(
            f"the search of {Path(options.config).name}", f"{len(trained)} trainings", [wall],
            limit="training / cores", limit_ratio=wall / limit, clock="wall", threads=cores,
            note=f"trained {sum(trained):.0f} s; jobs: {shares(folder)}",
        )  # fmt: skip

    n = round(200 * share)
    alone = {"teacher": None, "guidance": {"name": "p_only"}, "sampler": {"name": "random"}}
    many = {**search, "arms": {"none": alone}, "rounds": 1, "candidates_per_round": n}
    many |= {"candidates_per_job": max(n // 8, 1), "premature": {"epochs": 0.75, "recompute_batchnorm": 256}}
    task = {**config["task"], "n_train": 1000, "n_validation": 200, "n_test": 200}
    packed = {**config, "run": "packed", "task": task, "search": many, "report": {"arms": ["none"]}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        round_0 = "results/packed/search/none/seed_0/round_0"
        for ready in (f"{round_0}/proposals.json", f"results/packed/task/{task['source']}.h5"):
            snakemake(folder, packed, ready, "--cores", "1")
        wall, _ = snakemake(folder, packed, f"{round_0}/measurements.csv", "--cores", str(cores))
        own = seconds_in_one_process(folder, packed, folder / round_0 / "proposals.json")
        trained = sum(trained_seconds(folder)) / n
        yield Measurement(
            f"{n} candidates, packs of {many['candidates_per_job']}", f"{own:.2f} s each", [wall],
            limit="one process / cores", limit_ratio=wall / (n * own / cores), clock="wall", threads=cores,
            note=f"{trained:.2f} s of it in the training loop; task and proposals were there, no teacher",
        )  # fmt: skip

    plan = {**config, "run": "plan"}
    plan["search"] = {
        **search,
        "rounds": 50,
        "candidates_per_round": round(40 * share),
        "candidates_per_job": 1,
    }
    with tempfile.TemporaryDirectory() as name:
        turns = [
            snakemake(Path(name), plan, f"search_with_{arm}_teacher", "-n", "--cores", str(cores))[1]
            for _ in range(options.turns)
        ]
        yield Measurement("dry run", f"{50 * round(40 * share):,} candidates, a job each", turns)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--config", default=str(ROOT / "config/config.yaml"))


if __name__ == "__main__":
    main(__doc__, measure, add=_options)
