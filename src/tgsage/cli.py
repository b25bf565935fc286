"""The command ``tgsage``: how a search stands, what the configuration means, which recordings there are."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__
from .errors import TgsageError, unknown

if TYPE_CHECKING:
    from .search.progress import Standing


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status.

    0 when all went well, 1 when a user's mistake was told in one line, 2 when the words were wrong.
    """
    options = _parser().parse_args(arguments)
    try:
        if getattr(options, "plugins", []):
            from .plugins import load_files

            load_files(options.plugins)
        result = {
            "status": _status,
            "check-config": _check_config,
            "config-reference": _config_reference,
            "store": _store,
            "cards": _cards,
            "fetch": _fetch,
            "fit-guidance": _fit_guidance,
            "list": _list,
            "workflow": _workflow,
        }[options.command](options)
    except TgsageError as error:
        print(f"tgsage: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("tgsage: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of a pipe (head, less) has left.
        sys.stderr.close()
        return 0
    return result or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tgsage", description=__doc__)
    parser.add_argument("--version", action="version", version=f"tgsage {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)

    status = commands.add_parser("status", help="leaderboard of a run, also while it searches")
    status.add_argument("run", help="folder of the run, e.g. results/default")
    status.add_argument("--top", type=int, default=10, help="candidates to show (default 10)")

    check = commands.add_parser("check-config", help="read a configuration and say what is wrong with it")
    check.add_argument("file", nargs="+")

    reference = commands.add_parser("config-reference", help="reference page and JSON schema of the keys")
    reference.add_argument("--write", action="store_true", help="write config/README.md and the schema")

    store = commands.add_parser("store", help="size of the store, pruning, and adoption")
    store.add_argument(
        "action", nargs="?", choices=["adopt"],
        help="adopt: file what earlier code has trained under today's keys, if samples come out the same",
    )  # fmt: skip
    store.add_argument("--root", default="results/store", help="folder of the store (default results/store)")
    store.add_argument(
        "--prune-unused-days", type=float, metavar="DAYS", help="remove entries unused for DAYS days"
    )
    store.add_argument("--dry-run", action="store_true", help="with pruning: say only what would go")
    store.add_argument(
        "--task", action="append", metavar="FILE",
        help="with adopt: a task that was learned, repeatable (default: all */task/*.h5 beside the store)",
    )  # fmt: skip
    store.add_argument(
        "--samples", type=int, default=3, metavar="N", help="with adopt: entries to train anew of each kind"
    )

    cards = commands.add_parser("cards", help="published recordings that are known, and which are here")
    cards.add_argument("--root", help="folder of downloaded data (default TGSAGE_DATA, or neural_data/raw)")
    cards.add_argument("--verify", action="store_true", help="compare the files with the cards' digests")

    fetch = commands.add_parser("fetch", help="download published recordings, and verify them (network)")
    fetch.add_argument("card", help="name of the recordings, as tgsage cards lists them")
    fetch.add_argument("--root", help="folder of downloaded data (default TGSAGE_DATA, or neural_data/raw)")
    fetch.add_argument(
        "--file", action="append", metavar="PATH", help="only this file of the card; repeatable"
    )
    fetch.add_argument(
        "--allow-unverified", action="store_true", help="also files that the card has no digest of"
    )

    fit = commands.add_parser(
        "fit-guidance", help="learn weights for the guidance 'calibrated' from a finished search"
    )
    fit.add_argument("search", help="folder of the search, e.g. results/default/search/monkey/seed_0")
    fit.add_argument("--mature", required=True, help="csv of known accuracies with a column 'architecture'")
    fit.add_argument("--column", default="accuracy", help="its column of accuracies (default accuracy)")
    fit.add_argument("--percent", action="store_true", help="they are in percent and not fractions")
    fit.add_argument(
        "--feature", action="append", metavar="NAME", help="fit only this feature; repeatable (default all)"
    )
    fit.add_argument("--minimum", type=int, help="least number of candidates (default 20)")
    fit.add_argument("--output", default="fitted.json", help="file to write (default fitted.json)")

    plugins = commands.add_parser(
        "list", help="what a configuration can name: readers, teachers, spaces, ..."
    )
    plugins.add_argument("kind", nargs="?", help="only this kind, e.g. sampler")

    commands.add_parser("workflow", help="path of the Snakefile, for `snakemake --snakefile`")

    for command in (status, store, fit, plugins):
        command.add_argument(
            "--plugins", action="append", default=[], metavar="FILE", help="also the plugins of this file"
        )
    return parser


def _status(options: argparse.Namespace) -> None:
    from rich.console import Console

    from .search import leaderboard

    console = Console()
    for standing in leaderboard(options.run, options.top):
        for line in _status_lines(standing):
            console.print(line)


def _status_lines(standing: Standing) -> list[Any]:
    import pandas as pd
    from rich import box
    from rich.table import Table

    counts = ", ".join(f"{number} {status}" for status, number in standing["counts"].items()) or "none yet"
    title = f"{standing['arm']}, seed {standing['seed']}: "
    title += f"{standing['done']} of {standing['total']} candidates ({counts})"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    targets = [name for name in standing["table"].columns if name.startswith("tg_")]
    for name in ("rank", "candidate", "round", "slot", "accuracy", "TG", *targets, "score", "parameters"):
        label = name.removeprefix("tg_") if name in targets else name
        table.add_column(label, justify="left" if name == "candidate" else "right")
    table.add_column("status")

    def number(value: Any) -> str:
        return f"{value:.3f}" if pd.notna(value) else "-"

    for rank, row in enumerate(standing["table"].to_dict("records"), start=1):
        table.add_row(
            str(rank), row["candidate"], str(row["round"]), str(row["slot"]), number(row["accuracy"]),
            number(row["tg"]), *(number(row[name]) for name in targets), number(row["score"]),
            f"{row['parameters']:,.0f}" if pd.notna(row["parameters"]) else "-", row["status"],
        )  # fmt: skip
    lines: list[Any] = [table]
    if standing["processors"]:
        several = " - digits, and so winners, differ between kinds" if len(standing["processors"]) > 1 else ""
        lines.append(f"  trained on: {'; '.join(standing['processors'])}{several}")
    final = standing["final"]
    if final:
        test = final["test"]
        low, high = test["interval"]
        lines.append(
            f"  final: test accuracy {test['accuracy']:.3f} [{low:.3f}, {high:.3f}] "
            f"(n = {test['n']}, chance {final['chance']:.3f})"
            + ("; simulated data" if final["simulated"] else "")
        )
    return lines


def _check_config(options: argparse.Namespace) -> None:
    from .config import load

    for file in options.file:
        config = load(file)
        search = config.search
        total = search.rounds * search.candidates_per_round
        print(
            f"{file}: run {config.run}, arms {', '.join(search.arms)}; "
            f"{search.rounds} rounds x {search.candidates_per_round} = {total} candidates per arm and seed"
        )


def _config_reference(options: argparse.Namespace) -> None:
    from .config import reference

    if not options.write:
        print(reference.page(), end="")
        return
    for path in reference.write(Path.cwd()):
        print(path)


def _store(options: argparse.Namespace) -> int | None:
    from .store import Store

    store = Store(options.root)
    usage = store.usage()
    if not usage:
        print(f"{options.root}: empty")
        return None
    if options.action == "adopt":
        return _adopt(store, options)
    if options.prune_unused_days is not None:
        entries, size = store.prune(options.prune_unused_days, dry_run=options.dry_run)
        would = "would remove" if options.dry_run else "removed"
        print(f"{options.root}: {would} {entries} entries, {size / 1e6:.1f} MB")
        return None
    for row in usage:
        print(f"{options.root}/{row.kind}: {row.entries} entries, {row.bytes / 1e6:.1f} MB")
        if row.kind == "trained":
            from .training.adopt import unreached

            number, total = unreached(store)
            if number:
                print(
                    f"{number} of {total} entries are reached by no key of today's code; `tgsage store "
                    "adopt` may bring them back"
                )
    return None


def _adopt(store: Any, options: argparse.Namespace) -> int:
    from . import tasks
    from .training.adopt import adopt

    files = options.task or sorted(Path(options.root).parent.glob("*/task/*.h5"))
    done = adopt(store, [tasks.load(file) for file in files], samples=options.samples, report=print)
    for reason, number in done.left_out.items():
        print(f"left out, {reason}: {number}")
    if done.difference is not None:
        print(f"tgsage: {done.difference}; nothing was adopted", file=sys.stderr)
        return 1
    proof = f"{done.trained} trained anew, all the same" if done.trained else "none could be compared"
    print(f"{proof}; {done.adopted} entries adopted")
    return 0


def _cards(options: argparse.Namespace) -> None:
    from . import recordings

    root = recordings.data_root(options.root)
    print(f"data folder: {root}")
    for name in recordings.card_names():
        card = recordings.card(name)
        present = sum((root / file.path).is_file() for file in card.files)
        state = f"{present} of {len(card.files)} files present"
        if options.verify:
            states = recordings.verify(name, root)
            counts = {word: list(states.values()).count(word) for word in ("matches", "unknown")}
            state += f", {counts['matches']} verified"
            if counts["unknown"]:
                state += f", {counts['unknown']} without a digest"
            state += "".join(f", {path} differs" for path, word in states.items() if word == "differs")
        print(f"\n{name}: {card.title}")
        print(f"  regions: {', '.join(card.regions)}")
        print(f"  licence: {card.licence}")
        print(f"  files: {state}")


def _fetch(options: argparse.Namespace) -> None:
    from . import recordings
    from .recordings.fetch import fetch

    card = recordings.card(options.card)
    root = recordings.data_root(options.root)
    print(f"{card.name}: {card.title}\n  licence: {card.licence}\n  cite: {card.citation}")
    shown = {"file": "", "percent": -1}

    def progress(file: str, done: int, total: int | None) -> None:
        percent = 100 * done // total if total else done // 10_000_000
        if sys.stderr.isatty() and (file, percent) != (shown["file"], shown["percent"]):
            shown.update(file=file, percent=percent)
            of = f" of {total / 1e6:.1f} MB ({percent} %)" if total else " MB"
            print(
                f"\r{file}: {done / 1e6:.1f}{of}",
                end="" if done != total else "\n",
                file=sys.stderr,
                flush=True,
            )

    states = fetch(
        options.card, root, files=options.file, progress=progress, allow_unverified=options.allow_unverified
    )
    for path, state in states.items():
        print(f"{root / path}: {state}")


def _fit_guidance(options: argparse.Namespace) -> None:
    from .runs.records import read_json
    from .search import fit_guidance

    settings = {"column": options.column, "percent": options.percent}
    if options.feature:
        settings["features"] = options.feature
    if options.minimum is not None:
        settings["minimum"] = options.minimum
    fitted = fit_guidance(options.search, options.mature, settings)
    try:
        fitted.save(options.output)
    except OSError as error:
        raise TgsageError(f"{options.output}: cannot be written: {error.strerror}") from None
    ended = Path(options.search) / "final.json"
    simulated = "; simulated data" if ended.exists() and read_json(ended)["simulated"] else ""
    print(f"{options.output}: fitted to {fitted.n} candidates, {len(fitted.features)} features{simulated}")
    print("mature accuracy, a fraction, per standard deviation of a feature:")
    for name, weight in zip(fitted.features, fitted.weights, strict=True):
        print(f"  {name}: {weight:+.4f}")
    for name, why in fitted.dropped.items():
        print(f"  {name}: left out, {why}")
    print(f"predicting candidates that were held out (n = {fitted.n}; RMSE is a fraction, too):")
    rows = [("all features", fitted.with_teacher), ("without the teacher's", fitted.without_teacher)]
    if fitted.teacher is not None:
        rows.append(("the teacher's alone", fitted.teacher.performance))
    for label, told in rows:
        if told is not None:
            print(f"  {label}: RMSE {told.rmse:.4f}, R2 {_told(told.r2)}, Spearman {_told(told.spearman)}")
    if fitted.teacher is not None:
        given = _told(fitted.teacher.spearman_given_parameters)
        print(f"  the teacher's alone, Spearman given the number of parameters: {given}")
        print("Once weights are fitted, any RDMs on the images may do as well: fit a control, too.")


def _list(options: argparse.Namespace) -> None:
    from . import plugins

    if options.kind is not None and options.kind not in plugins.TAGS:
        raise unknown("kind of plugin", options.kind, plugins.TAGS)
    for kind in [options.kind] if options.kind else plugins.TAGS:
        print(f"{kind} ({plugins.TAGS[kind]}: ...)")
        for plugin in plugins.every(kind):
            package = plugin.__module__.split(".")[0]
            if package.startswith("tgsage_plugin_"):
                package = Path(str(sys.modules[package].__file__)).name
            origin = "" if package == __package__ else f" [{package}]"
            summary = (plugin.__doc__ or "").strip().partition("\n")[0]
            print(f"  {plugin.plugin_name():<22}{summary}{origin}")


def _workflow(_options: argparse.Namespace) -> None:
    print(snakefile())


def snakefile() -> Path:
    """Return the path of the workflow's Snakefile, in a checkout or as a wheel installed it.

    Raises
    ------
    TgsageError
        If it is in neither place.
    """
    checkout = Path(__file__).parents[2] / "workflow" / "Snakefile"
    if checkout.is_file():
        return checkout
    for file in metadata.distribution("tgsage").files or []:
        if file.parts[-2:] == checkout.parts[-2:]:
            return Path(str(file.locate())).resolve()
    raise TgsageError("the workflow was not installed with tgsage; install a wheel of it, or use a checkout")


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    raise SystemExit(main())
