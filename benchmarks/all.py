"""Every benchmark, one after the other, each in a process of its own, and one table: `make bench`.

    python benchmarks/all.py [--turns 5] [--small] [NAME ...]

A name is that of a script beside this one, without `.py`. The machine should have nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import Measurement, processor, table, versions

HERE = Path(__file__).parent
SCRIPTS = ("rsa", "training", "growth", "report", "search")


def main() -> None:
    """Run them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SCRIPTS))
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    unknown = set(options.names) - set(SCRIPTS)
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(SCRIPTS)}")
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.jsonl"
        for name in options.names or SCRIPTS:
            command = [sys.executable, HERE / f"{name}.py", "--turns", str(options.turns), "--rows", rows]
            subprocess.run([*command, *(["--small"] if options.small else [])], check=True)
        measured = [Measurement(**json.loads(line)) for line in rows.read_text("utf-8").splitlines()]
    print(f"\n{processor()}; {versions()}\n\n{table(measured)}")


if __name__ == "__main__":
    main()
