"""How long the RSA of one layer takes, beside what people use today.

Prints one table. Every row does the same work: the correlation RDM of the activations (stimuli x features,
float32), that of a region (stimuli x sites), and the Spearman correlation of the two. `bare Gram product` is
the one matrix product that no way around the first RDM can leave out: the lower limit.

    python benchmarks/rdm_bench.py                          1,000 stimuli x 8,192 features, 168 sites
    python benchmarks/rdm_bench.py --stimuli 1960 --repeats 1
    python benchmarks/rdm_bench.py --small                  within 20 seconds
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--stimuli", type=int, default=1000)
parser.add_argument("--features", type=int, default=8192)
parser.add_argument("--sites", type=int, default=168)
parser.add_argument("--threads", type=int, default=1, help="of every library alike")
parser.add_argument("--repeats", type=int, default=3, help="runs of each row; the median is shown")
parser.add_argument("--device", default="cpu", help="cpu or cuda, for the torch rows")
parser.add_argument("--small", action="store_true", help="300 stimuli x 2,048 features")
options = parser.parse_args()
if options.small:
    options.stimuli, options.features = 300, 2048
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    # Read by the libraries when they are imported, which is why they are imported below.
    os.environ[variable] = str(options.threads)

import numpy as np  # noqa: E402
import scipy.stats  # noqa: E402
import torch  # noqa: E402

from tgsage.rdm import compare, rdm  # noqa: E402


def processor() -> str:
    """Name of the processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def by_rsatoolbox(layer: np.ndarray, region: np.ndarray) -> float:
    """The same, with rsatoolbox."""
    import rsatoolbox.rdm
    from rsatoolbox.data import Dataset

    one, other = (
        rsatoolbox.rdm.calc_rdm(Dataset(x.astype(np.float64)), method="correlation") for x in (layer, region)
    )
    return float(rsatoolbox.rdm.compare(one, other, method="spearman")[0, 0])


def by_numpy_and_scipy(layer: np.ndarray, region: np.ndarray) -> float:
    """The same with numpy.corrcoef and scipy.stats.spearmanr."""
    upper = np.triu_indices(len(layer), 1)
    one, other = (1 - np.corrcoef(x.astype(np.float64))[upper] for x in (layer, region))
    return float(scipy.stats.spearmanr(one, other).statistic)


def by_tgsage(layer: np.ndarray | torch.Tensor, region: np.ndarray | torch.Tensor) -> float:
    """The same with this package."""
    return float(compare(rdm(layer, "correlation"), rdm(region, "correlation"), "spearman")[0, 0])


def measure(
    rows: list[tuple[str, Callable[[], float | None]]],
) -> list[tuple[str, list[float], float | None]]:
    """Time of each run of each row, and its result.

    The rows take turns, so that what else the machine does meets all of them; a first turn is not counted.
    """
    values = [work() for _, work in rows]
    times: list[list[float]] = [[] for _ in rows]
    for _ in range(options.repeats):
        for position, (_, work) in enumerate(rows):
            start = time.perf_counter()
            values[position] = work()
            times[position].append(time.perf_counter() - start)
    return [(name, taken, value) for (name, _), taken, value in zip(rows, times, values, strict=True)]


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(options.threads)
    rng = np.random.default_rng(0)
    # A shared structure, so that the two RDMs have something in common; halves of zeros as after a ReLU.
    shared = rng.normal(size=(options.stimuli, 20))
    layer, region = (
        np.maximum(
            shared @ rng.normal(size=(20, width)) + 3 * rng.normal(size=(options.stimuli, width)), 0
        ).astype(np.float32)
        for width in (options.features, options.sites)
    )
    tensors = [torch.from_numpy(x).to(options.device) for x in (layer, region)]
    wide = layer.astype(np.float64)

    def torch_gram() -> None:
        product = tensors[0] @ tensors[0].T
        float(product[0, 0])  # waits for a device

    def numpy_gram() -> None:
        wide @ wide.T

    rows: list[tuple[str, Callable[[], float | None]]] = [
        ("rsatoolbox calc_rdm, compare", lambda: by_rsatoolbox(layer, region)),
        ("numpy corrcoef, scipy spearmanr", lambda: by_numpy_and_scipy(layer, region)),
        ("tgsage.rdm, numpy (float64)", lambda: by_tgsage(layer, region)),
        (f"tgsage.rdm, torch {options.device} (float32)", lambda: by_tgsage(*tensors)),
        ("bare Gram product, numpy (float64)", numpy_gram),
        (f"bare Gram product, torch {options.device} (float32)", torch_gram),
    ]
    measured = measure(rows)
    reference = statistics.median(measured[1][1])
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "scipy", "torch", "rsatoolbox")
    )
    device = processor() if options.device == "cpu" else torch.cuda.get_device_name()
    print(
        f"{options.stimuli:,} stimuli x {options.features:,} features, {options.sites} sites; {device}, "
        f"{options.threads} thread(s); Python {platform.python_version()}, {versions}; "
        f"median of {options.repeats} (range)\n"
    )
    width = max(len(name) for name, _ in rows)
    print(f"| {'way':{width}} | seconds | range         | x corrcoef + spearmanr | Spearman's rho |")
    print(f"|{'-' * (width + 2)}|--------:|---------------|-----------------------:|---------------:|")
    for name, times, value in measured:
        median = statistics.median(times)
        spread = f"{min(times):.3f}-{max(times):.3f}"
        print(
            f"| {name:{width}} | {median:7.3f} | {spread:13} | {median / reference:22.2f} | "
            f"{'' if value is None else format(value, '.9f'):>14} |"
        )


if __name__ == "__main__":
    main()
