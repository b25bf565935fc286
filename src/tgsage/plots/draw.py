"""All figures of a search, of a teacher, of a study: what the workflow and the page ask for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.spatial.distance import squareform

from .. import statistics
from ..errors import TgsageError
from ..netcdf import read_tree
from ..runs import search_files
from ..statistics import format_number
from . import arms, candidates, cells, files, similarity, style, teachers
from .style import Drawing

PathLike = str | os.PathLike[str]

RENDERED = "Simulated (rendered) images"
ENCODED = "Encoded (in-silico) responses, predicted for these stimuli and not recorded"
AGREEMENT = 0.005
"""An interval is told if the stored RDMs give the similarity that was scored to within this."""


def arm_figures(
    arm_folder: PathLike,
    teacher_path: PathLike | None,
    space: Any,
    out_folder: PathLike,
    *,
    n_validation: int | None = None,
) -> list[Path]:
    """Draw every figure of a finished search and write each as svg and png.

    Parameters
    ----------
    arm_folder
        ``results/<run>/search/<arm>/seed_<s>``, or ``…/<arm>``: then each seed has a folder in
        ``out_folder``.
    teacher_path
        The teacher that guided, or was observed; None without one.
    space
        A space, or its settings: it draws the winning cell.
    out_folder
        Is made.
    n_validation
        Validation images; draws Wilson's intervals of accuracies.

    Returns
    -------
    list
        The files. With a teacher: trajectory, p_against_tg, layers, layers_over_training, similarity, rdms,
        cell; without: trajectory and cell.
    """
    folders = search_files.search_folders(arm_folder)
    teacher = None if teacher_path is None else read_tree(teacher_path)
    written: list[Path] = []
    for folder in folders:
        out = Path(out_folder) if folder == Path(arm_folder) else Path(out_folder) / folder.name
        drawings = search_drawings(
            search_files.read_search(folder), teacher, space, n_validation=n_validation
        )
        written += _write(drawings, out)
    return written


def teacher_figures(
    teacher_path: PathLike, *, assemblies: Sequence[PathLike] = (), out_folder: PathLike
) -> list[Path]:
    """Draw every figure of a teacher and write each as svg and png.

    Parameters
    ----------
    teacher_path
        ``teachers/<teacher>.nc``.
    assemblies
        Recordings it was made from: their sites' reliabilities are drawn, where stimuli were repeated.
    out_folder
        Is made.
    """
    from .. import recordings

    loaded = {Path(path).parent.name: recordings.load(path) for path in assemblies}
    return _write(teacher_drawings(read_tree(teacher_path), loaded), Path(out_folder))


def _write(drawings: Sequence[Drawing], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return [path for drawing in drawings for path in style.save(drawing.figure, folder / drawing.name)]


def mark(final: Mapping[str, Any], teacher: xr.DataTree | None) -> bool | str:
    """What to write above a search's figures: what of it is simulated, encoded or a control, or nothing."""
    own = False if teacher is None else teacher_words(teacher)
    if not final["simulated"] or (teacher is not None and teacher.attrs.get("simulated", 0)):
        return own
    return f"{own}; {RENDERED[0].lower()}{RENDERED[1:]}" if own else RENDERED


def teacher_mark(teacher: xr.DataTree) -> bool | str:
    """What of a teacher is simulated: True, recordings; a network that saw rendered images has none."""
    if not teacher.attrs.get("simulated", 0):
        return False
    return RENDERED if "network" in teacher.attrs else True


def teacher_words(teacher: xr.DataTree) -> bool | str:
    """What to write above a teacher's figures: what is simulated, encoded, or a control.

    True where the recordings are simulated and there is nothing else to tell.
    """
    attributes = teacher.attrs
    kind, of = str(attributes.get("kind", "")), str(attributes.get("of", ""))
    simulated = teacher_mark(teacher)
    words = ["Simulated recordings" if simulated is True else simulated] if simulated else []
    # RDMs of pixels or labels keep nothing of the responses.
    if kind != "images" and (kind == "encoded" or attributes.get("encoded", 0)):
        words.append(ENCODED)
    if kind == "shuffled":
        within = " within categories" if attributes.get("within") == "category" else ""
        words.append(f"Control: stimuli of {of} shuffled{within}")
    elif kind == "encoded_control":
        bare = attributes.get("control") == "bare"
        words.append(
            f"Control: features of {of} without recordings"
            if bare
            else f"Control: recordings of {of} shuffled before the encoding"
        )
    elif attributes.get("control", ""):
        words.append(f"Control: {attributes['control']}")
    if words == ["Simulated recordings"]:
        return True
    return "; ".join([*words[:1], *(word[0].lower() + word[1:] for word in words[1:])]) if words else False


def similarity_intervals(
    search: search_files.SearchFiles, teacher: xr.DataTree
) -> dict[str, statistics.Correlation]:
    """Bootstrap intervals over stimuli of the winner's similarity with each target on report images.

    From ``rdms.nc``. A target is left out where stimuli were compared by category, where the method is
    neither Spearman nor Pearson, or where the stored RDM does not give the similarity that was scored.
    """
    method = search.settings.scoring.compare
    found: dict[str, statistics.Correlation] = {}
    if search.rdms is None or method not in ("spearman", "pearson") or teacher.attrs.get("rdm") == "category":
        return found
    network = dict(files.targets(search.rdms))
    for name, target in files.targets(teacher):
        told = search.final["similarity"].get(name)
        if told is None or told["report"] is None or name not in network:
            continue
        inside = files.stimulus_splits(target) == "report"
        parts = [
            squareform(squareform(values, checks=False)[np.ix_(inside, inside)], checks=False)
            for values in (target["rdm"].values, similarity.aligned(network[name], target, name))
        ]
        interval = statistics.rdm_similarity(*parts, method=method)
        if abs(interval.value - told["report"]) <= AGREEMENT:
            found[name] = interval
    return found


def search_drawings(
    search: search_files.SearchFiles,
    teacher: xr.DataTree | None,
    space: Any,
    *,
    n_validation: int | None = None,
    intervals: Mapping[str, statistics.Correlation] | None = None,
) -> list[Drawing]:
    """Every figure of a search with its caption and its description.

    Parameters
    ----------
    search
        Its files.
    teacher
        The teacher that it was measured with; None without one.
    space
        The search space, or its settings.
    n_validation
        Validation images; draws Wilson's intervals of accuracies.
    intervals
        Those of :func:`similarity_intervals`, if they are known already.

    Raises
    ------
    TgsageError
        If the teacher is not the one that the search was measured with.
    """
    final, ledger = search.final, search.ledger
    simulated = mark(final, teacher)
    ok = int((ledger["status"] == "ok").sum())
    best = float(ledger["accuracy"].max())
    note = tg_ceiling(ledger, teacher) if search.targets and teacher is not None else ""
    drawings = [
        Drawing(
            "trajectory",
            candidates.trajectory(
                {search.arm: ledger},
                n_validation=n_validation,
                chance=final["chance"],
                winners={search.arm: final["candidate"]},
                note=note,
                simulated=simulated,
            ),
            f"The search {search.name}: every candidate in the order of proposal. Lines: best so far.",
            f"Accuracy, teacher guidance and score of {len(ledger)} candidates, {ok} of them ok; the best "
            f"premature validation accuracy is {best:.3f}.",
        )
    ]
    if search.targets and teacher is not None:
        if intervals is None:
            intervals = similarity_intervals(search, teacher)
        drawings += _with_teacher(search, teacher, simulated, n_validation, intervals, note)
    drawings.append(_cell(search, space))
    return drawings


def tg_ceiling(ledger: pd.DataFrame, teacher: xr.DataTree) -> str:
    """The noise ceiling of TG in a sentence: the mean of the targets' ceilings on reward images.

    Empty where TG is not the weighted mean of the similarities in the ledger, whose ceiling this would be.
    """
    groups = {name: group for name, group in files.targets(teacher) if f"tg_{name}" in ledger}
    fine = ledger[(ledger["status"] == "ok") & ledger["tg"].notna()]
    if not groups or fine.empty:
        return ""
    weights = [float(group.attrs.get("weight", 1.0)) for group in groups.values()]
    mean = np.average(fine[[f"tg_{name}" for name in groups]].to_numpy(float), axis=1, weights=weights)
    if not np.allclose(mean, fine["tg"], atol=1e-6, rtol=0):
        return ""
    bounds = np.array([files.ceiling(group, "reward") for group in groups.values()])
    missing = [name for name, pair in zip(groups, bounds, strict=True) if not np.isfinite(pair).all()]
    if missing:
        return f"Noise ceiling of TG: not available (none for {', '.join(missing)})."
    lower, upper = np.average(bounds, axis=0, weights=weights)
    best = float(fine["tg"].max())
    share = statistics.share_in_words(statistics.share_of_ceiling(best, lower, upper))
    return (
        f"Noise ceiling of TG, the mean of the targets': {format_number(lower)} to "
        f"{format_number(upper)}; the highest TG, {format_number(best)}, is {share} of it."
    )


def _with_teacher(
    search: search_files.SearchFiles,
    teacher: xr.DataTree,
    simulated: bool | str,
    n_validation: int | None,
    intervals: Mapping[str, statistics.Correlation],
    note: str,
) -> list[Drawing]:
    final, ledger = search.final, search.ledger
    told = final["similarity"]
    groups = {name: group for name, group in files.targets(teacher) if name in told}
    missing = [name for name in told if name not in groups]
    if missing:
        raise TgsageError(
            f"{search.folder}/final.json: target {missing[0]!r} is not in the teacher; name its own teacher"
        )
    method = search.settings.scoring.compare
    chosen = {name: one["layer"] for name, one in told.items()}
    splits = [
        split
        for split in ("choose", "reward", "report")
        if any(split in files.stimulus_splits(g) for g in groups.values())
    ]
    bounds = {
        name: {split: files.ceiling(group, split) for split in splits} for name, group in groups.items()
    }
    fine = ledger[ledger["status"] == "ok"]
    correlation = statistics.spearman(fine["tg"], fine["accuracy"])
    words = "; ".join(f"{name} {_told(one, intervals.get(name))}" for name, one in told.items())
    maps = {"chosen": chosen, "splits": splits, "method": method, "simulated": simulated}
    by_category = teacher.attrs.get("rdm") == "category"
    return [
        Drawing(
            "p_against_tg",
            candidates.p_against_tg(
                ledger,
                finalists=list(search.finalists["candidate"]),
                winner=final["candidate"],
                n_validation=n_validation,
                note=note,
                simulated=simulated,
            ),
            "Validation accuracy against teacher guidance after premature training, one point a candidate.",
            f"Scatter of P against TG; Spearman correlation {correlation}.",
        ),
        Drawing(
            "layers",
            similarity.layers(search.rsa, bounds, **maps),
            "Similarity of every layer of the final network with every target. Layers are chosen without the "
            "report images, so the framed values on report images are not inflated by the choice.",
            f"Heat map of layers against targets. Similarity of the chosen layers on report images: {words}.",
        ),
        Drawing(
            "layers_over_training",
            similarity.layers(search.rsa, bounds, checkpoints="all", **maps),
            "Similarity of every layer with every target at each checkpoint of the final training. Layers "
            "are chosen after training and without the report images.",
            "Heat maps of layers against targets, a row per checkpoint of the training.",
        ),
        Drawing(
            "similarity",
            teachers.ceilings(
                groups, similarity=told, intervals=intervals, method=method, simulated=simulated
            ),
            "Similarity of the final network's chosen layers beside the noise ceilings of the teacher.",
            f"Similarity on report images: {words}.",
        ),
        Drawing(
            "rdms",
            similarity.rdms(
                groups,
                dict(files.targets(search.rdms)) if search.rdms is not None else {},
                told={name: _told(one, intervals.get(name), "\n") for name, one in told.items()},
                simulated=simulated,
            ),
            "The teacher's representational dissimilarity matrices over all its stimuli, and below each that "
            "of the final network's layer chosen for it. Numbers: similarity on report images."
            + (" The search itself compared matrices of category means." if by_category else ""),
            f"Square matrices of the targets {', '.join(groups)} above those of the network.",
        ),
    ]


def _told(one: Mapping[str, Any], interval: statistics.Correlation | None, separator: str = ", ") -> str:
    if one["report"] is None:
        return "not defined"
    text = format_number(one["report"])
    if interval is not None and np.isfinite(interval.low):
        text += f" [{format_number(interval.low)}, {format_number(interval.high)}]"
    lower, upper = one["ceiling_lower"], one["ceiling_upper"]
    known = [format_number(value) for value in (lower, upper) if value is not None]
    share = statistics.share_of_ceiling(one["report"], lower, upper)
    if not known:
        return f"{text}{separator}ceiling not available"
    reached = f"{separator}{statistics.share_in_words(share)} of it" if share else ""
    return f"{text}{separator}ceiling {' to '.join(known)}{reached}"


def _cell(search: search_files.SearchFiles, space: Any) -> Drawing:
    if not hasattr(space, "graph"):
        from .. import spaces

        space = spaces.get(space)
    architecture = space.parse(search.final["architecture"])
    figure = cells.cell(space.graph(architecture), title=f"candidate {search.final['candidate']}")
    return Drawing(
        "cell", figure, f"The cell that won the search {search.name}.",
        f"Drawing of the winning cell; as text: {search.final['architecture']}",
    )  # fmt: skip


def teacher_drawings(
    teacher: xr.DataTree, assemblies: Mapping[str, xr.DataArray] | None = None
) -> list[Drawing]:
    """Every figure of a teacher with its caption and its description.

    Parameters
    ----------
    teacher
        Content of ``teachers/<teacher>.nc``.
    assemblies
        Name of a data set to its recordings.
    """
    groups = dict(files.targets(teacher))
    if not groups:
        raise TgsageError("the teacher has no target; there is nothing to draw")
    simulated = teacher_words(teacher)
    name = teacher.attrs.get("teacher", "teacher")
    drawings = [
        Drawing(
            "rdms",
            similarity.rdms(groups, simulated=simulated),
            f"Representational dissimilarity matrices of the teacher {name}{_told_as(simulated)}.",
            f"Square matrices of the targets {', '.join(groups)}.",
        ),
        Drawing(
            "ceilings",
            teachers.ceilings(
                groups, method=str(teacher.attrs.get("compare", "") or ""), simulated=simulated
            ),
            f"Noise ceilings of the teacher {name}{_told_as(simulated)}.",
            "Noise ceilings: "
            + "; ".join(_ceiling_words(target, group) for target, group in groups.items())
            + ".",
        ),
    ]
    drawings += [drawing for target in groups if (drawing := stimuli_drawing(teacher, target)) is not None]
    drawings += _reliabilities(assemblies or {}, bool(teacher.attrs.get("simulated", 0)))
    return drawings


def _told_as(marked: bool | str) -> str:
    """A mark in the words of a caption."""
    if not marked:
        return ""
    words = "Simulated recordings" if marked is True else str(marked)
    return f" ({words[0].lower()}{words[1:]})"


def stimuli_drawing(teacher: xr.DataTree, target: str) -> Drawing | None:
    """How a target arranges its stimuli; None where it has no images or an undefined RDM."""
    group = teacher[target].to_dataset()
    if "images" not in group or not np.isfinite(group["rdm"].values).all():
        return None
    return Drawing(
        f"stimuli_{_plain(target)}",
        teachers.stimuli(target, group, simulated=teacher_words(teacher)),
        f"The stimuli of the target {target}{_told_as(teacher_words(teacher))}, near each other where its "
        "responses are alike.",
        f"{group.sizes['stimulus']} stimuli in two dimensions.",
    )


def _reliabilities(assemblies: Mapping[str, xr.DataArray], simulated: bool) -> list[Drawing]:
    from .. import recordings

    drawings = []
    for name, assembly in assemblies.items():
        counts = pd.Series(assembly["stimulus_id"].values).value_counts()
        if (counts > 1).sum() < 3:
            continue  # responses averaged over repetitions: nothing to split in halves
        values = recordings.reliability(assembly)
        if not np.isfinite(values.values).any():
            continue
        drawings.append(
            Drawing(
                f"reliability_{_plain(name)}",
                teachers.reliability(values, simulated=bool(assembly.attrs.get("simulated", simulated))),
                f"Reliability of the sites of {name}.",
                f"Histograms of split-half reliability of {values.sizes['neuroid']} sites, median "
                f"{format_number(float(values.median()))}.",
            )
        )
    return drawings


def _ceiling_words(name: str, group: xr.Dataset) -> str:
    lower, upper = files.ceiling(group, "report")
    if not (np.isfinite(lower) or np.isfinite(upper)):
        return f"{name} not available"
    return f"{name} {format_number(lower)} to {format_number(upper)} on report images"


def _plain(name: str) -> str:
    """A name as a file may have it."""
    return "".join(character if character.isalnum() or character in "-_." else "_" for character in name)


def comparison_drawing(
    searches: Sequence[search_files.SearchFiles],
    *,
    n_validation: int | None = None,
    simulated: bool | str = False,
) -> Drawing:
    """The figure that compares the arms of a run."""
    names = list(dict.fromkeys(search.arm for search in searches))
    by_arm = {name: [search for search in searches if search.arm == name] for name in names}
    tests = {
        name: [
            {
                "accuracy": search.final["test"]["accuracy"],
                "low": search.final["test"]["interval"][0],
                "high": search.final["test"]["interval"][1],
            }
            for search in own
        ]
        for name, own in by_arm.items()
    }
    return Drawing(
        "comparison",
        arms.comparison(
            {name: [search.ledger for search in own] for name, own in by_arm.items()},
            {name: [search.finalists for search in own] for name, own in by_arm.items()},
            tests=tests, n_validation=n_validation, chance=searches[0].final["chance"], simulated=simulated,
        ),
        "What each arm had found after how many training examples, and its mature networks.",
        "Test accuracies: " + "; ".join(
            f"{name} " + ", ".join(f"{one['accuracy']:.3f}" for one in own) for name, own in tests.items()
        ) + ".",
    )  # fmt: skip
