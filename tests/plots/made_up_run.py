"""Files of a run in the layout of the contract, made up of random numbers: for the tests of figures and page.

Nothing here trains or scores anything; the values only have the shape, the ranges and the awkward cases
(failed candidates, dead layers, a target without ceiling) of real ones.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import xarray as xr
from PIL import Image, ImageDraw
from scipy.spatial.distance import squareform
from scipy.stats import binomtest, rankdata, spearmanr

from tgsage import spaces
from tgsage.runs import ledger as tables

CATEGORIES = ("animals", "boats", "cars", "chairs", "faces", "fruits", "planes", "tables")
REGIONS = {"V4": 0.25, "pIT": 0.6, "aIT": 1.0}
LAYERS = ("stem", "cell_0", "cell_1", "reduction_0", "cell_2", "cell_3")


def space() -> Any:
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
    groups: dict[str, xr.Dataset] = {
        "/": xr.Dataset(
            attrs={
                "teacher": "monkey", "kind": "recordings", "simulated": int(simulated), "rdm": "image",
                "metric": "correlation", "resolution": 32, "digest": "5e" * 32,
            }
        )
    }  # fmt: skip
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
    xr.DataTree.from_dict(groups).to_netcdf(path)


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
    names = [
        "round",
        "slot",
        "candidate",
        "status",
        "architecture",
        "parameters",
        "flops",
        "probes",
        "examples",
    ]
    names += ["accuracy", "loss", "training_loss_sum", "tg", *[f"tg_{t}" for t in targets]]
    names += [*[f"layer_{t}" for t in targets], "score", "seconds"]
    rows = []
    for r in range(rounds):
        for k in range(per_round):
            status = "ok"
            if (r, k) in {(0, 3), (2, 1)}:
                status = "failed" if r == 0 else "timeout"
            quality = float(np.clip(rng.normal(0.35 + 0.05 * r, 0.12), 0, 1))
            row = dict.fromkeys(names, np.nan)
            key, text = architecture(rng)
            row |= {
                "round": r,
                "slot": k,
                "candidate": key,
                "status": status,
                "architecture": text,
                "parameters": int(rng.integers(20_000, 90_000)),
                "flops": int(rng.integers(2e6, 9e6)),
                "probes": 6,
                "examples": 16_000 if status == "ok" else 5_120,
                "seconds": round(float(rng.uniform(20, 40)), 3),
            }
            if status == "ok":
                row["accuracy"] = round((0.125 + 0.6 * quality) * 800) / 800
                row["loss"], row["training_loss_sum"] = 2 - quality, 120 - 40 * quality
                for t, strength in zip(targets, (0.3, 0.4, 0.5), strict=False):
                    row[f"tg_{t}"] = round(strength * quality + float(rng.normal(0.1, 0.03)), 6)
                    row[f"layer_{t}"] = str(rng.choice(LAYERS[1:]))
                if targets:
                    row["tg"] = float(np.mean([row[f"tg_{t}"] for t in targets]))
                row["score"] = row["accuracy"] + (alpha * row["tg"] if targets else 0)
            rows.append(row)
    ledger = tables.build(rows, targets)
    tables.write(ledger, folder / "ledger.csv")

    best = (
        ledger[ledger.status == "ok"].sort_values("score", ascending=False).head(top).reset_index(drop=True)
    )
    finalists = pd.DataFrame(
        {
            "rank": best.index + 1, "candidate": best.candidate, "round": best["round"], "slot": best.slot,
            "architecture": best.architecture, "premature_accuracy": best.accuracy,
            "premature_tg": best.tg, "premature_score": best.score, "status": "ok",
            "accuracy": np.round(np.clip(best.accuracy + rng.uniform(0.1, 0.25, top), 0, 1) * 800) / 800,
            "loss": best.loss - 0.6, "tg": best.tg + 0.05,
            **{f"tg_{t}": best[f"tg_{t}"] + 0.05 for t in targets},
            **{f"layer_{t}": best[f"layer_{t}"] for t in targets},
            "parameters": best.parameters, "flops": best.flops, "examples": 80_000, "seconds": 150.25,
        }
    )  # fmt: skip
    finalists.to_csv(folder / "finalists.csv", index=False, lineterminator="\n")
    winner = finalists.sort_values("accuracy", ascending=False, kind="stable").iloc[0]

    final = folder / "final" / "slot_0"
    final.mkdir(parents=True)
    rsa = rng.uniform(0.0, 0.2, (2, 2, len(targets), len(LAYERS)))
    rsa[1] += 0.1
    if targets:
        rsa[:, :, :, 0] = np.nan  # a dead layer
    similarity = {}
    splits = ["choose", "reward", "report"]
    numbers = np.zeros((len(splits), len(targets)), dtype=np.int64)
    groups: dict[str, xr.Dataset] = {"/": xr.Dataset()}
    for i, t in enumerate(targets):
        assert teacher is not None
        group = xr.load_dataset(teacher, group=t)
        numbers[:, i] = [(group["split"] == part).sum() for part in splits]
        own = rankdata(group["rdm"].values) / group.sizes["pair"]
        made = 0.6 * own + rng.normal(0, 0.2, own.size)
        layer = LAYERS[2 + i]
        groups[t] = xr.Dataset(
            {"rdm": ("pair", made)},
            coords={"stimulus_id": ("stimulus", group["stimulus_id"].values)},
            attrs={"layer": layer},
        )
        for s, part in enumerate(("reward", "report")):
            inside = group["split"].values == part
            rsa[1, s, i, LAYERS.index(layer)] = spearmanr(
                *(squareform(rdm)[np.ix_(inside, inside)][np.triu_indices(inside.sum(), 1)]
                  for rdm in (group["rdm"].values, made))
            ).statistic  # fmt: skip
        bounds = [float(group[f"ceiling_{b}"].sel(part="report")) for b in ("lower", "upper")]
        similarity[t] = {
            "layer": layer,
            "reward": float(rsa[1, 0, i, 2 + i]),
            "report": float(rsa[1, 1, i, 2 + i]),
            "ceiling_lower": None if np.isnan(bounds[0]) else bounds[0],
            "ceiling_upper": None if np.isnan(bounds[1]) else bounds[1],
            "n_stimuli_report": int((group["split"] == "report").sum()),
            "n_sites": int(group.attrs["n_sites"]),
        }
    xr.DataTree.from_dict(groups).to_netcdf(final / "rdms.nc")
    # Files always have the three splits; that without stimuli has no values.
    rsa = np.concatenate([np.full_like(rsa[:, :1], np.nan), rsa], axis=1)
    data = xr.Dataset(
        {
            "rsa": (("checkpoint", "split", "target", "layer"), rsa),
            "n_stimuli": (("split", "target"), numbers),
            "accuracy": ("checkpoint", [0.125, 0.8]),
            "loss": ("checkpoint", [2.1, 0.7]),
        },
        coords={
            "examples": ("checkpoint", [0, 120_000]),
            "split": splits,
            "target": np.array(targets, dtype=object) if targets else np.array([], dtype="<U1"),
            "layer": list(LAYERS),
        },
        attrs={"status": "ok", "method": "spearman", "simulated": int(simulated)},
    )
    data.to_netcdf(final / "rsa.nc")

    correct, n = 1_640, 2_000
    low, high = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    counts = ledger.status.value_counts()
    content = {
        "run": folder.parents[2].name,
        "arm": arm,
        "seed": seed,
        "simulated": simulated,
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
            "tg": float(winner.premature_tg) if targets else None,
            "score": float(winner.premature_score),
        },
        "finalist": {
            "rank": int(winner["rank"]),
            "accuracy": float(winner.accuracy),
            "tg": float(winner.tg) if targets else None,
        },
        "similarity": similarity,
        "cost": {
            "candidates": len(ledger),
            **{s: int(counts.get(s, 0)) for s in ("ok", "failed", "invalid", "timeout")},
            "examples_search": int(ledger.examples.sum()),
            "examples_finalists": int(finalists.examples.sum()),
            "examples_final": 120_000,
            "seconds_search": float(ledger.seconds.sum()),
            "seconds_finalists": float(finalists.seconds.sum()),
            "seconds_final": 201.5,
        },
    }
    (folder / "final.json").write_text(json.dumps(content, indent=1))
    training = {
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
    (final / "training.json").write_text(json.dumps(training))
    settings = {
        "run": folder.parents[2].name,
        "arm": arm,
        "seed": seed,
        "teacher": arm if targets else None,
        "observe": None,
        "guidance": {"name": "p_plus_tg" if targets else "p_only", "alpha": alpha},
        "sampler": {"name": "tpe", "startup": 6},
        "layer_choice": "same",
        "compare": "spearman",
        "rounds": rounds,
        "total": rounds * per_round,
    }
    (folder / "search.json").write_text(json.dumps(settings))


def make_task(path: Path, *, simulated: bool = True) -> None:
    rng = np.random.default_rng(3)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for part, n in (("train", 4000), ("validation", 800), ("test", 2000)):
            file.create_dataset(
                f"{part}/images", shape=(n, 8, 8, 3), dtype="u1", chunks=(n, 8, 8, 3), compression="gzip"
            )
            file[f"{part}/labels"] = rng.permutation(np.arange(n) % 8)
        file.attrs["classes"] = json.dumps(CATEGORIES)
        file.attrs["name"] = "rendered_objects"
        file.attrs["simulated"] = int(simulated)
        file.attrs["digest"] = "c0ffee" + "0" * 58


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
            make_search(
                run / "search" / arm / f"seed_{seed}", arm=arm, seed=seed, teacher=teacher,
                targets=() if arm == "none" else tuple(REGIONS),
            )  # fmt: skip
    return run
