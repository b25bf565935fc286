"""Files of a run in the layout of the contract, made up of random numbers: for the tests of figures and page.

Nothing here trains or scores anything; the values only have the shape, the ranges and the awkward cases
(failed candidates, dead layers, a target without ceiling) of real ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from PIL import Image, ImageDraw
from scipy.spatial.distance import squareform
from scipy.stats import binomtest, rankdata, spearmanr

from tgsage import plots, report, spaces, tasks
from tgsage import teacher as teachers
from tgsage.plugins import checked
from tgsage.runs import finalists as finalists_table
from tgsage.runs import ledger as tables
from tgsage.runs import rdms as rdms_file
from tgsage.runs import records
from tgsage.runs import rsa as rsa_file
from tgsage.runs.layout import RunFolder, SearchFolder
from tgsage.runs.records import write_settings
from tgsage.runs.settings import SearchSettings
from tgsage.teacher.format import tree

CATEGORIES = ("animals", "boats", "cars", "chairs", "faces", "fruits", "planes", "tables")
REGIONS = {"V4": 0.25, "pIT": 0.6, "aIT": 1.0}
LAYERS = ("stem", "cell_0", "cell_1", "reduction_0", "cell_2", "cell_3")
PROCESSORS = ("AMD EPYC 9V74", "AMD EPYC 7763")
N_VALIDATION = 800


def space() -> spaces.Space:
    """The space of the made-up searches."""
    return spaces.get("cell", blocks=3, width=8)


def architecture(rng: np.random.Generator) -> tuple[str, str]:
    """Key and canonical text of a random architecture."""
    sampled = space().canonical(space().sample(rng))
    return space().key(sampled), space().format(sampled)


def correlation_rdm(features: np.ndarray) -> np.ndarray:
    return 1 - np.corrcoef(features)[np.triu_indices(len(features), 1)]


def stimuli(rng: np.random.Generator, n: int, resolution: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Coloured shapes, one kind of shape per category."""
    category = np.repeat(np.arange(8), -(-n // 8))[:n]
    category = rng.permutation(category)
    images = np.empty((n, resolution, resolution, 3), np.uint8)
    for i, kind in enumerate(category):
        image = Image.new("RGB", (resolution, resolution), tuple(int(v) for v in rng.integers(90, 160, 3)))
        draw = ImageDraw.Draw(image)
        x, y = rng.uniform(0.3, 0.7, 2) * resolution
        r = rng.uniform(0.18, 0.3) * resolution
        colour = tuple(int(v) for v in rng.integers(0, 255, 3))
        if kind == 4:
            draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
        else:
            draw.regular_polygon((x, y, r), int(3 + kind % 7), rotation=int(rng.integers(360)), fill=colour)
        images[i] = np.asarray(image)
    return images, category


def make_teacher(path: Path, *, n: int = 96, simulated: bool = True, categories: bool = True) -> None:
    rng = np.random.default_rng(7)
    images, category = stimuli(rng, n)
    latent = rng.normal(size=(8, 20))[category]
    private = rng.normal(size=(n, 20))
    split = np.where(rng.permutation(n) < 0.6 * n, "reward", "report").astype(str)
    attributes = {
        "teacher": path.stem,
        "kind": "recordings",
        "simulated": int(simulated),
        "simulated_recordings": int(simulated),
        "rdm": "image",
        "metric": "correlation",
        "resolution": 32,
        "of": "",
        "control": "",
        "mark": "Simulated recordings" if simulated else "",
        "words": "Simulated recordings." if simulated else "Recordings.",
    }
    groups: dict[str, xr.Dataset] = {}
    for number, (region, strength) in enumerate(REGIONS.items()):
        sites = 60 + 30 * number
        features = (strength * latent + private) @ rng.normal(size=(20, sites))
        lower = 0.45 + 0.1 * number
        groups[region] = xr.Dataset(
            {
                "rdm": ("pair", correlation_rdm(features)),
                "category": (
                    "stimulus",
                    np.array(CATEGORIES)[category] if categories else np.full(n, ""),
                ),
                "images": (("stimulus", "y", "x", "rgb"), images),
                "ceiling_lower": ("part", [lower, np.nan if region == "aIT" else lower - 0.02]),
                "ceiling_upper": ("part", [lower + 0.2, np.nan if region == "aIT" else lower + 0.17]),
            },
            coords={
                "stimulus_id": ("stimulus", [f"stimulus_{i:04d}" for i in range(n)]),
                "split": ("stimulus", split),
                "part": ["reward", "report"],
            },
            attrs={
                "region": region, "recordings": "simulated_macaque", "n_sites": sites, "n_repeats": 9.0,
                "weight": 1.0, "metric": "correlation", "zscore": 1, "visual_degrees": 8.0,
                "network_degrees": 8.0, "padding": 127, "resample": "area", "simulated": int(simulated),
                "n_animals": 2,
            },
        )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    teachers.save(tree(groups, attributes), path)


def make_search(
    folder: Path,
    *,
    arm: str,
    seed: int,
    rounds: int = 6,
    per_round: int = 6,
    targets: tuple[str, ...] = tuple(REGIONS),
    alpha: float = 1.0,
    teacher: Path | None = None,
    simulated: bool = True,
    top: int = 3,
) -> None:
    """A search folder with everything that the contract lists, except the rounds' own folders."""
    rng = np.random.default_rng([seed, len(arm), sum(arm.encode())])
    files = SearchFolder(str(folder))
    Path(files.winner.path).mkdir(parents=True)
    ledger = make_ledger(rng, rounds, per_round, targets, alpha)
    tables.write(ledger, files.ledger)
    mature = make_finalists(rng, ledger, targets, top)
    finalists_table.write(mature, files.finalists)
    similarity = make_similarity(rng, files, targets, teacher)
    winner = mature.sort_values("accuracy", ascending=False, kind="stable").iloc[0]
    identity = {"run": folder.parents[2].name, "arm": arm, "seed": seed}
    final = make_final(ledger, mature, winner, bool(targets)) | identity | {"simulated": simulated}
    records.write_record("final", files.final, final | {"similarity": similarity})
    records.write_trainings(files.winner.training, [make_training(winner)])
    settings = {
        **identity,
        "teacher": arm if targets else None,
        "observe": None,
        "guidance": {"name": "p_plus_tg", "alpha": alpha} if targets else {"name": "p_only"},
        "sampler": {"name": "tpe", "startup": 6},
        "scoring": {},
        "rounds": rounds,
        "lag": 0,
        "total": rounds * per_round,
    }
    write_settings(files.settings, search=checked("made up", SearchSettings, settings))


def make_ledger(
    rng: np.random.Generator, rounds: int, per_round: int, targets: tuple[str, ...], alpha: float
) -> pd.DataFrame:
    rows = []
    for r in range(rounds):
        for k in range(per_round):
            status = {(0, 3): "failed", (2, 1): "timeout"}.get((r, k), "ok")
            quality = float(np.clip(rng.normal(0.35 + 0.05 * r, 0.12), 0, 1))
            key, text = architecture(rng)
            row = {
                "round": r,
                "slot": k,
                "candidate": key,
                "status": status,
                "architecture": text,
                "parameters": int(rng.integers(20_000, 90_000)),
                "flops": int(rng.integers(2e6, 9e6)),
                "probes": 6,
                "examples": 16_000 if status == "ok" else 5_120,
                "processor": PROCESSORS[0],
                "seconds": round(float(rng.uniform(20, 40)), 3),
            }
            if status == "ok":
                row["accuracy"] = round((0.125 + 0.6 * quality) * N_VALIDATION) / N_VALIDATION
                row["loss"], row["training_loss_sum"] = 2 - quality, 120 - 40 * quality
                for t, strength in zip(targets, (0.3, 0.4, 0.5), strict=False):
                    row[f"tg_{t}"] = round(strength * quality + float(rng.normal(0.1, 0.03)), 6)
                    row[f"layer_{t}"] = str(rng.choice(LAYERS[1:]))
                if targets:
                    row["tg"] = float(np.mean([row[f"tg_{t}"] for t in targets]))
                row["score"] = row["accuracy"] + (alpha * row["tg"] if targets else 0)
            rows.append(row)
    return tables.build(rows, targets)


def make_finalists(
    rng: np.random.Generator, ledger: pd.DataFrame, targets: tuple[str, ...], top: int
) -> pd.DataFrame:
    best = ledger[ledger.status == "ok"].sort_values("score", ascending=False).head(top)
    gains = rng.uniform(0.1, 0.25, top)
    rows = [
        {
            "rank": rank,
            **{
                name: row[name]
                for name in ("candidate", "round", "slot", "architecture", "parameters", "flops")
            },
            **{f"premature_{name}": row[name] for name in ("accuracy", "tg", "score")},
            "status": "ok",
            "accuracy": round(min(row["accuracy"] + gain, 1) * N_VALIDATION) / N_VALIDATION,
            "loss": row["loss"] - 0.6,
            "tg": row["tg"] + 0.05,
            **{f"tg_{t}": row[f"tg_{t}"] + 0.05 for t in targets},
            **{f"layer_{t}": row[f"layer_{t}"] for t in targets},
            "examples": 80_000,
            "seconds": 150.25,
        }
        for rank, ((_, row), gain) in enumerate(zip(best.iterrows(), gains, strict=True), start=1)
    ]
    return finalists_table.build(rows, targets)


def make_similarity(
    rng: np.random.Generator, files: SearchFolder, targets: tuple[str, ...], teacher: Path | None
) -> dict[str, records.Similarity]:
    """Write ``rsa.nc`` and ``rdms.nc``; the RDMs are noisy copies of the teacher's."""
    tree = None if teacher is None else teachers.load(teacher)
    splits = ["choose", "reward", "report"]
    rsa = np.full((2, len(splits), len(targets), len(LAYERS)), np.nan)
    rsa[:, 1:] = rng.uniform(0.0, 0.2, (2, 2, len(targets), len(LAYERS)))
    rsa[1] += 0.1
    rsa[..., :1] = np.nan  # a dead layer
    n_stimuli = np.zeros((len(splits), len(targets)), dtype=np.int64)
    bounds = np.full((2, len(splits), len(targets)), np.nan)
    similarity: dict[str, records.Similarity] = {}
    groups: dict[str, xr.Dataset] = {}
    for i, t in enumerate(targets):
        assert tree is not None
        group = tree[t].to_dataset()
        made = 0.6 * rankdata(group["rdm"].values) / group.sizes["pair"] + rng.normal(
            0, 0.2, group.sizes["pair"]
        )
        layer = LAYERS[2 + i]
        groups[t] = xr.Dataset(
            {"rdm": ("pair", made)},
            coords={"stimulus_id": ("stimulus", group["stimulus_id"].values)},
            attrs={"layer": layer, "metric": "correlation"},
        )
        for s, part in enumerate(splits):
            inside = group["split"].values == part
            n_stimuli[s, i] = inside.sum()
            if not inside.any():
                continue
            upper = np.triu_indices(inside.sum(), 1)
            parts = [squareform(rdm)[np.ix_(inside, inside)][upper] for rdm in (group["rdm"].values, made)]
            rsa[1, s, i, 2 + i] = spearmanr(*parts).statistic
            bounds[:, s, i] = [group[f"ceiling_{b}"].sel(part=part) for b in ("lower", "upper")]
        lower, upper = (None if np.isnan(bound) else float(bound) for bound in bounds[:, 2, i])
        similarity[t] = {
            "layer": layer,
            "reward": float(rsa[1, 1, i, 2 + i]),
            "report": float(rsa[1, 2, i, 2 + i]),
            "ceiling_lower": lower,
            "ceiling_upper": upper,
            "n_stimuli_report": int(n_stimuli[2, i]),
            "n_sites": int(group.attrs["n_sites"]),
        }
    rdms_file.save(groups, files.rdms)
    scored = xr.Dataset(
        {
            "rsa": (("checkpoint", "split", "target", "layer"), rsa),
            "n_stimuli": (("split", "target"), n_stimuli),
            "ceiling_lower": (("split", "target"), bounds[0]),
            "ceiling_upper": (("split", "target"), bounds[1]),
            "accuracy": ("checkpoint", [0.125, 0.8]),
            "loss": ("checkpoint", [2.1, 0.7]),
        },
        coords={
            "examples": ("checkpoint", [0, 120_000]),
            "split": splits,
            "target": np.array(targets, dtype=object) if targets else np.array([], dtype="<U1"),
            "layer": list(LAYERS),
        },
        attrs={"status": "ok", "method": "spearman"},
    )
    if tree is not None:
        scored.attrs["teacher_digest"] = tree.attrs["digest"]
    rsa_file.save([scored], files.winner.rsa)
    return similarity


def make_final(
    ledger: pd.DataFrame, mature: pd.DataFrame, winner: pd.Series, has_teacher: bool
) -> dict[str, object]:
    correct, n = 1_640, 2_000
    low, high = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    counts = ledger.status.value_counts()
    return {
        "candidate": winner.candidate,
        "architecture": winner.architecture,
        "parameters": int(winner.parameters),
        "flops": int(winner.flops),
        "chance": 0.125,
        "n_classes": 8,
        "test": {
            "n": n,
            "correct": correct,
            "accuracy": correct / n,
            "interval": [float(low), float(high)],
            "level": 0.95,
            "method": "Wilson",
        },
        "premature": {
            "round": int(winner["round"]),
            "slot": int(winner.slot),
            "accuracy": float(winner.premature_accuracy),
            "tg": float(winner.premature_tg) if has_teacher else None,
            "score": float(winner.premature_score),
        },
        "finalist": {
            "rank": int(winner["rank"]),
            "accuracy": float(winner.accuracy),
            "tg": float(winner.tg) if has_teacher else None,
        },
        "observed": {"teacher": None, "similarity": {}},
        "cost": {
            "candidates": len(ledger),
            **{s: int(counts.get(s, 0)) for s in ("ok", "failed", "invalid", "timeout")},
            "examples_search": int(ledger.examples.sum()),
            "examples_finalists": int(mature.examples.sum()),
            "examples_final": 120_000,
            "seconds_search": float(ledger.seconds.sum()),
            "seconds_finalists": float(mature.seconds.sum()),
            "seconds_final": 201.5,
        },
    }


def make_training(winner: pd.Series) -> dict[str, object]:
    return {
        "status": "ok",
        "reason": None,
        "candidate": winner.candidate,
        "architecture": winner.architecture,
        "round": -1,
        "slot": 0,
        "parameters": int(winner.parameters),
        "flops": int(winner.flops),
        "probes": list(LAYERS),
        "n_probes": len(LAYERS),
        "examples": 120_000,
        "seconds": 201.5,
        "training_loss_sum": 50.0,
        "device": "cpu",
        "store_key": "ab" * 32,
        "recipe": {"epochs": 25, "seed": 0},
        "curve": [],
        "checkpoints": [{"share": 0.0, "examples": 0}, {"share": 1.0, "examples": 120_000}],
    }


def make_task(path: Path, *, simulated: bool = True) -> None:
    rng = np.random.default_rng(3)
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = {
        name: tasks.Part(rng.integers(0, 256, (n, 8, 8, 3), np.uint8), rng.permutation(np.arange(n) % 8))
        for name, n in (("train", 4000), ("validation", N_VALIDATION), ("test", 2000))
    }
    tasks.save(tasks.Task("rendered_objects", **parts, classes=CATEGORIES, simulated=simulated), path)


def make_assembly(path: Path) -> None:
    """Sites of two animals whose reliability differs by region; 6 repetitions of 40 stimuli."""
    rng = np.random.default_rng(11)
    region = np.repeat(["V4", "pIT", "aIT"], [40, 30, 24])
    animal = np.array(["monkey_1", "monkey_2"])[rng.permutation(len(region)) % 2]
    signal = rng.normal(size=(len(region), 40))
    noise = rng.uniform(0.3, 2.5, len(region))[:, None, None] * rng.normal(size=(len(region), 40, 6))
    values = (signal[:, :, None] + noise).reshape(len(region), -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    xr.Dataset(
        {"data": (("neuroid", "presentation"), values)},
        coords={
            "neuroid_id": ("neuroid", [f"site_{i}" for i in range(len(region))]),
            "region": ("neuroid", region),
            "animal": ("neuroid", animal),
            "stimulus_id": ("presentation", np.repeat([f"stimulus_{i:04d}" for i in range(40)], 6)),
            "repetition": ("presentation", np.tile(np.arange(6), 40)),
        },
        attrs={"stimulus_set_identifier": "simulated", "simulated": 1},
    ).to_netcdf(path)


def make_run(
    root: Path, *, arms: tuple[str, ...] = ("monkey", "none", "shuffled"), seeds: tuple[int, ...] = (0,)
) -> Path:
    """A whole run's folder."""
    run = root / "made_up"
    make_teacher(run / "teachers" / "monkey.nc")
    make_teacher(run / "teachers" / "shuffled.nc")
    make_task(run / "task" / "rendered.h5")
    make_assembly(run / "recordings" / "simulated_macaque" / "assembly.nc")
    for arm in arms:
        for seed in seeds:
            teacher = None if arm == "none" else run / "teachers" / f"{arm}.nc"
            targets = () if arm == "none" else tuple(REGIONS)
            folder = run / "search" / arm / f"seed_{seed}"
            make_search(folder, arm=arm, seed=seed, teacher=teacher, targets=targets)
    return run


def draw_run(run: Path) -> None:
    """Draw the figures of a run's searches and teachers."""
    folder = RunFolder(str(run))
    for search in folder.searches():
        arm, seed = Path(search.path).parent.name, search.path.rpartition("_")[2]
        teacher = None if arm == "none" else folder.teacher(arm)
        plots.search_figures(
            folder.search_figures(arm, seed),
            **search.finished(),
            teacher_file=teacher,
            space=space(),
            n_validation=N_VALIDATION,
        )
    plots.teacher_figures(
        folder.teacher_figures("monkey"),
        teacher_file=folder.teacher("monkey"),
        datasets=[folder.dataset("simulated_macaque").assembly],
    )


def files_of_page(run: Path, arms: Sequence[str]) -> dict[str, Any]:
    """Everything that the page of some arms is written from."""
    folder = RunFolder(str(run))
    seeds = [(arm, int(path.name[5:])) for arm in arms for path in sorted((run / "search" / arm).iterdir())]
    searches = [folder.search(arm, seed).finished() for arm, seed in seeds]
    names = [arm for arm in arms if arm != "none"]
    return {
        **{name: [files[name] for files in searches] for name in folder.search("none", 0).finished()},
        "task": run / "task/rendered.h5",
        "search_figures": [folder.search_figures(arm, seed) for arm, seed in seeds],
        "teachers": [folder.teacher(name) for name in names],
        "teacher_figures": [folder.teacher_figures(name) for name in names],
    }


def page(run: Path, arms: Sequence[str], title: str = "Teacher-guided architecture search") -> str:
    """The page of some arms."""
    report.write(run / "page.html", title=title, **files_of_page(run, arms))
    return (run / "page.html").read_text(encoding="utf-8")
