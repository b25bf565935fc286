"""Running the real workflow, on a copy of the sources that a test may edit."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]

TINY: dict[str, Any] = {
    "run": "tiny",
    "device": "cpu",
    "recordings": {
        "simulated_macaque": {
            "source": "simulated",
            "n_stimuli": 128,
            "resolution": 16,
            "training_images": 256,
            "epochs": 1,
            "repeats": [2, 4],
            "sites": {"monkey_1": {"V4": 8, "aIT": 8}, "monkey_2": {"V4": 8, "aIT": 8}},
        }
    },
    "task": {"source": "rendered", "resolution": 16, "n_train": 128, "n_validation": 64, "n_test": 128},
    "teachers": {
        "monkey": {
            "kind": "recordings",
            "targets": {
                "V4": {"recordings": "simulated_macaque", "region": "V4"},
                "IT": {"recordings": "simulated_macaque", "region": "aIT"},
            },
        }
    },
    "search": {
        "space": {"name": "cell", "blocks": 1, "width": 4, "reductions": 1},
        "rounds": 2,
        "candidates_per_round": 3,
        "candidates_per_job": 2,
        "arms": {
            "monkey": {
                "teacher": "monkey",
                "guidance": {"name": "p_plus_tg", "alpha": 1.0},
                "sampler": {"name": "random"},
            }
        },
        "premature": {"epochs": 1, "batch_size": 32, "recompute_batchnorm": 64},
        "finalists": {"top": 1, "recipe": {"epochs": 2, "batch_size": 32, "recompute_batchnorm": 64}},
        "final": {
            "recipe": {"epochs": 2, "batch_size": 32, "recompute_batchnorm": 64, "images": "train+validation"}
        },
    },
}


@dataclass
class Workspace:
    """A folder with a copy of the project's sources, in which Snakemake runs."""

    folder: Path

    def write_config(self, config: dict[str, Any], name: str = "tiny.yaml") -> Path:
        path = self.folder / name
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return path

    def snakemake(
        self, *arguments: str, config: str | None = "tiny.yaml", fails: bool = False, cores: int = 2
    ) -> str:
        """Run Snakemake to its end and return what it printed."""
        command = [sys.executable, "-m", "snakemake", "--cores", str(cores)]
        # --configfile takes several files: whatever follows it must be an option.
        done = subprocess.run(
            [*command, *arguments, *(["--configfile", config] if config else [])],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=900,
        )
        output = done.stdout + done.stderr
        assert (done.returncode != 0) is fails, output[-6000:]
        return output

    def tgsage(self, *arguments: str) -> str:
        """Run the command line and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "tgsage.cli", *arguments],
            cwd=self.folder, env=self.environment(), capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ran(self) -> Counter[str]:
        """The jobs of the last run by rule, from Snakemake's own log."""
        return jobs(max((self.folder / ".snakemake" / "log").glob("*.log")).read_text())

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.folder / "src"), "TGSAGE_DATA": "/nonexistent"}

    def store_events(self) -> Counter[str]:
        journal = self.folder / "results" / "store" / "journal.jsonl"
        return Counter(json.loads(line)["event"] for line in journal.read_text().splitlines())

    def read_csv(self, *parts: str) -> list[dict[str, str]]:
        with open(self.path(*parts), newline="") as handle:
            return list(csv.DictReader(handle))

    def ledger(self, arm: str = "monkey", name: str = "ledger.csv") -> list[dict[str, str]]:
        return self.read_csv("search", arm, "seed_0", name)

    def path(self, *parts: str) -> Path:
        return self.folder.joinpath("results", "tiny", *parts)

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) >= 1, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new, 1))


def jobs(output: str) -> Counter[str]:
    """The jobs of a Snakemake run by rule, from its table of counts."""
    table = re.search(r"^job +count\n[- ]+\n(.*?)\n\n", output, flags=re.M | re.S)
    if table is None:
        return Counter()
    rows = (line.split() for line in table.group(1).splitlines())
    return Counter({name: int(count) for name, count in rows if name != "total"})


def make_workspace(folder: Path) -> Workspace:
    for name in ("Snakefile", "workflow", "src", "config", "neural_data"):
        source, target = ROOT / name, folder / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", "raw")
            shutil.copytree(source, target, ignore=ignore)
        else:
            shutil.copy(source, target)
    workspace = Workspace(folder)
    workspace.write_config(TINY)
    return workspace
