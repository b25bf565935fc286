"""Where each file of a run lies.

Paths are text, so that a workflow can put wildcards in the place of names and numbers:
``RunFolder("results/default").search("{arm}", "{seed}").round("{round}").measurements``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FINALISTS = "finalists"
"""The stage in which the best candidates are trained to maturity."""
FINAL = "final"
"""The stage in which the winner is trained in full."""


def round_stage(number: int | str, rung: int | str = 0) -> str:
    """Return the stage of a round or, with successive halving, of one of its later rungs."""
    return f"round_{number}/rung_{rung}" if rung else f"round_{number}"


@dataclass(frozen=True)
class Folder:
    """A folder of the run."""

    path: str


@dataclass(frozen=True)
class File:
    """A file below a folder; of the folder's object, its path."""

    name: str

    def __get__(self, folder: Folder, _owner: object) -> str:
        return f"{folder.path}/{self.name}"


class PackFolder(Folder):
    """Some candidates of a stage that are trained, and scored, by one job."""

    training = File("training.json")
    """What became of each candidate: :mod:`tgsage.runs.records`."""
    rsa = File("rsa.nc")
    """Their similarity with the teacher: :mod:`tgsage.runs.rsa`."""


class StageFolder(Folder):
    """A stage of a search: a round, a rung of a round, the finalists, or the final training."""

    proposals = File("proposals.json")
    """Its architectures: :mod:`tgsage.runs.records`."""
    measurements = File("measurements.csv")
    """Of a round: its candidates, without scores, :mod:`tgsage.runs.ledger`."""
    profiles = File("profiles.nc")
    """Of a round: the profiles of its candidates, :mod:`tgsage.runs.profiles`."""

    def pack(self, number: int | str) -> PackFolder:
        """Return the folder of a pack of candidates."""
        return PackFolder(f"{self.path}/pack_{number}")

    def packs(self) -> list[PackFolder]:
        """Return the packs that have been scored so far, in order."""
        scored = [path.parent for path in Path(self.path).glob("pack_*/rsa.nc")]
        return [PackFolder(str(path)) for path in sorted(scored, key=_number)]

    def rungs(self) -> list[StageFolder]:
        """Return a round's stages so far: itself, then its rungs in order."""
        later = sorted(Path(self.path).glob("rung_*"), key=_number)
        return [self, *(StageFolder(str(path)) for path in later)]


class SearchFolder(Folder):
    """One search: an arm with a seed."""

    settings = File("search.json")
    """What the search is: :mod:`tgsage.runs.settings`."""
    ledger = File("ledger.csv")
    """All candidates: :mod:`tgsage.runs.ledger`."""
    profiles = File("profiles.nc")
    """The profiles of all candidates: :mod:`tgsage.runs.profiles`."""
    finalists = File("finalists.csv")
    """The best candidates, trained to maturity: :data:`tgsage.runs.tables.finalists`."""
    final = File("final.json")
    """The winner's test: :mod:`tgsage.runs.records`."""
    best_architecture = File("best_architecture.json")
    """The winner's architecture, with what it takes to build it again."""
    rdms = File(f"{FINAL}/rdms.nc")
    """RDMs of the winner's layers: :mod:`tgsage.runs.rdms`."""

    @property
    def winner(self) -> PackFolder:
        """Training and similarity of the winner."""
        return self.stage(FINAL).pack(0)

    def stage(self, name: str) -> StageFolder:
        """Return the folder of a stage: :func:`round_stage`, :data:`FINALISTS` or :data:`FINAL`."""
        return StageFolder(f"{self.path}/{name}")

    def round(self, number: int | str) -> StageFolder:
        """Return the folder of a round."""
        return self.stage(round_stage(number))

    def finished(self) -> dict[str, str]:
        """Return the files of a finished search, as ``search_files.read_files`` takes them."""
        files = {name: getattr(self, name) for name in ("settings", "ledger", "finalists", "final", "rdms")}
        return {**files, "training": self.winner.training, "rsa": self.winner.rsa}


class DatasetFolder(Folder):
    """Recordings that were read."""

    assembly = File("assembly.nc")
    """Responses: :mod:`tgsage.recordings`."""
    published_rdm = File("published_rdm.nc")
    """Instead of an assembly, where only RDMs are published."""
    stimuli = File("stimuli.h5")
    """Images that were shown."""


class RunFolder(Folder):
    """A run: ``results/<run>``."""

    comparison = File("studies/comparison.csv")
    """All arms beside each other: :data:`tgsage.runs.tables.comparison`."""
    logs = File("logs")
    """Folder of the logs of all jobs."""
    benchmarks = File("benchmarks")
    """Folder of what all jobs have cost."""

    def task(self, source: str) -> str:
        """Return the file of the task: :mod:`tgsage.tasks`."""
        return f"{self.path}/task/{source}.h5"

    def dataset(self, name: str) -> DatasetFolder:
        """Return the folder of a data set."""
        return DatasetFolder(f"{self.path}/recordings/{name}")

    def teacher(self, name: str) -> str:
        """Return the file of a teacher: :mod:`tgsage.teacher`."""
        return f"{self.path}/teachers/{name}.nc"

    def search(self, arm: str, seed: int | str) -> SearchFolder:
        """Return the folder of a search."""
        return SearchFolder(f"{self.path}/search/{arm}/seed_{seed}")

    def searches(self, arm: str = "*") -> list[SearchFolder]:
        """Return the searches that have begun, in the order of arms and seeds."""
        begun = [path.parent for path in Path(self.path).glob(f"search/{arm}/seed_*/search.json")]
        begun.sort(key=lambda path: (path.parent, _number(path)))
        return [SearchFolder(str(path)) for path in begun]

    def search_figures(self, arm: str, seed: int | str) -> str:
        """Return the folder of a search's figures."""
        return f"{self.path}/figures/{arm}/seed_{seed}"

    def teacher_figures(self, name: str) -> str:
        """Return the folder of a teacher's figures."""
        return f"{self.path}/figures/teachers/{name}"

    def page(self, name: str) -> str:
        """Return the file of a page: ``report`` or ``comparison``."""
        return f"{self.path}/{name}.html"


def _number(path: Path) -> int:
    return int(path.name.rpartition("_")[2])
