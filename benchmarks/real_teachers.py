"""The real teachers in numbers and figures: what docs/teachers.md says of them.

Reads the published recordings from the folder that TGSAGE_DATA names, builds a teacher of each with the
default settings, and prints the page's two tables. With --figures FOLDER it also draws the RDMs, the
reliabilities and the ceilings; no stimulus is shown in them.

    OMP_NUM_THREADS=1 TGSAGE_DATA=... python benchmarks/real_teachers.py [--figures docs/figures/teachers]

About 10 seconds of one core.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import xarray as xr
from PIL import Image

from tgsage import plots, recordings
from tgsage import teacher as teachers
from tgsage.recordings.assembly import stimulus_codes
from tgsage.recordings.readers.brainio.plugin import BrainIORecordings
from tgsage.recordings.readers.cowley2023.plugin import Cowley2023Recordings
from tgsage.recordings.readers.kriegeskorte2008.plugin import Kriegeskorte2008Recordings
from tgsage.store import replacing
from tgsage.teacher.kinds.recordings.plugin import RecordedTeacher

SOURCES = {
    "V4, session 210325": (
        "V4",
        "sites",
        BrainIORecordings(
            source="brainio",
            assembly="brainio/assy_cowley_V4Objects2023.nc",
            stimuli_csv="brainio/stimulus_cowley_V4Objects2023.csv",
            stimuli_zip="brainio/stimulus_cowley_V4Objects2023.zip",
        ),
    ),
    "V4, session 201025": ("V4", "sites", Cowley2023Recordings(source="cowley2023", session="201025")),
    "monkey IT": ("IT", "neurons", Kriegeskorte2008Recordings(source="kriegeskorte2008", species="monkey")),
    "human IT": ("IT", "voxels", Kriegeskorte2008Recordings(source="kriegeskorte2008", species="human")),
}
"""Name on the page to region, what a site is, and source."""
PARTS = ("reward", "report")
RELIABILITY_SPLITS, SEED = 100, 0


def build(data: Path) -> tuple[dict[str, xr.DataTree], dict[str, xr.DataArray]]:
    """Teachers by name on the page, and the assemblies of those that have responses."""
    made, assemblies = {}, {}
    for name, (region, _, source) in SOURCES.items():
        if isinstance(source, Kriegeskorte2008Recordings):
            loaded = recordings.make_published_rdm(source, data)
        else:
            loaded = recordings.make(source, data)
            assemblies[name] = loaded[0]
        settings = RecordedTeacher(
            kind="recordings", targets={region: {"recordings": "recordings", "region": region}}
        )
        made[name] = teachers.make(settings, name, recordings={"recordings": loaded})
    return made, assemblies


def recordings_table(made: dict[str, xr.DataTree], assemblies: dict[str, xr.DataArray]) -> str:
    """Sites, presentations and reliability, as a Markdown table."""
    lines = [
        "| recordings | sites | stimuli | presentations | repetitions | reliability: median (range) |",
        "|---|---|---|---|---|---|",
    ]
    for name, (region, kind, _) in SOURCES.items():
        target = made[name][region]
        shown, repeats, reliability = "not published", "not published", "not available"
        if name in assemblies:
            assembly = assemblies[name]
            counts = np.bincount(stimulus_codes(assembly)[0])
            shown = f"{assembly.sizes['presentation']:,}"
            repeats = f"{counts.min()} to {counts.max()}"
            if averaged := assembly.attrs.get("repeats_averaged"):
                shown, repeats = "averaged by the authors", str(averaged)
            else:
                values = recordings.reliability(assembly, n_splits=RELIABILITY_SPLITS, seed=SEED).values
                reliability = f"{np.median(values):.2f} ({values.min():.2f} to {values.max():.2f})"
        sites, stimuli = f"{target.attrs['n_sites']} {kind}", f"{target.sizes['stimulus']:,}"
        lines.append(f"| {name} | {sites} | {stimuli} | {shown} | {repeats} | {reliability} |")
    return "\n".join(lines)


def ceilings_table(made: dict[str, xr.DataTree]) -> str:
    """Noise ceilings of each part of the stimuli, as a Markdown table."""
    lines = [
        "| target | part | stimuli | agreement of halves | noise ceiling | between subjects |",
        "|---|---|---|---|---|---|",
    ]
    for name, (region, _, _) in SOURCES.items():
        target = made[name][region].to_dataset()
        for part in PARTS:
            own = target.sel(part=part)
            inside = int((target["split"].values == part).sum())
            halves, ceiling = "–", "not available"
            if np.isfinite(float(own["ceiling_lower"])):
                halves = f"{float(own['split_half']):.2f}"
                ceiling = f"{float(own['ceiling_lower']):.2f} to {float(own['ceiling_upper']):.2f}"
            subjects = "–"
            if "animals_lower" in own:
                subjects = f"{float(own['animals_lower']):.2f} to {float(own['animals_upper']):.2f}"
            lines.append(f"| {name} | {part} | {inside} | {halves} | {ceiling} | {subjects} |")
    return "\n".join(lines)


def draw(made: dict[str, xr.DataTree], assemblies: dict[str, xr.DataArray], folder: Path) -> list[Path]:
    """RDMs, reliabilities and ceilings as PNG; no figure has a picture of a stimulus."""
    groups = {name: made[name][region].to_dataset() for name, (region, _, _) in SOURCES.items()}
    first = next(iter(SOURCES))
    values = recordings.reliability(assemblies[first], n_splits=RELIABILITY_SPLITS, seed=SEED)
    figures = {
        "rdms_v4": plots.rdms({name: groups[name] for name in list(groups)[:2]}),
        "reliability_v4": plots.reliability(values),
        "ceilings": plots.ceilings(groups, method="spearman"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in figures.items():
        path = folder / f"{name}.png"
        # A palette: RDMs are noise to a compressor. Maximum coverage keeps the ends of the map of colours.
        picture = Image.open(io.BytesIO(plots.style.png(figure, dpi=150))).convert("RGB")
        picture = picture.quantize(200, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        with replacing(path) as temporary:
            picture.save(temporary, format="PNG", optimize=True)
        written.append(path)
    return written


def main() -> None:
    """Print the tables, and draw where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--figures", type=Path, help="folder for the figures; none are drawn without it")
    options = parser.parse_args()
    made, assemblies = build(recordings.data_root(None))
    print(recordings_table(made, assemblies), ceilings_table(made), sep="\n\n")
    if options.figures:
        draw(made, assemblies, options.figures)


if __name__ == "__main__":
    main()
