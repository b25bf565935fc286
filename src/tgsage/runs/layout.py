"""Where each file of a run lies.

Paths are text, so that a workflow can put wildcards in the place of names and numbers:
``RunFolder("results/default").search("{arm}", "{seed}").round("{round}").ledger``.
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
class PackFolder:
    """Some candidates of a stage that are trained, and scored, by one job."""

    path: str

    @property
    def training(self) -> str:
        """What became of each candidate: :mod:`tgsage.runs.records`."""
        return f"{self.path}/training.json"

    @property
    def rsa(self) -> str:
        """Their similarity with the teacher: :mod:`tgsage.runs.rsa`."""
        return f"{self.path}/rsa.nc"


@dataclass(frozen=True)
class StageFolder:
    """A stage of a search: a round, a rung of a round, the finalists, or the final training."""

    path: str

    @property
    def proposals(self) -> str:
        """Its architectures: :mod:`tgsage.runs.records`."""
        return f"{self.path}/proposals.json"

    @property
    def ledger(self) -> str:
        """Of a round: all candidates so far, :mod:`tgsage.runs.ledger`."""
        return f"{self.path}/ledger.csv"

    @property
    def profiles(self) -> str:
        """Of a round: the profiles of all candidates so far, :mod:`tgsage.runs.profiles`."""
        return f"{self.path}/profiles.nc"

    @property
    def rdms(self) -> str:
        """Of the final training: RDMs of the winner's layers, :mod:`tgsage.runs.rdms`."""
        return f"{self.path}/rdms.nc"

    def pack(self, number: int | str) -> PackFolder:
        """Return the folder of a pack of candidates."""
        return PackFolder(f"{self.path}/pack_{number}")

    def packs(self) -> list[PackFolder]:
        """Return the packs that have been scored so far, in order."""
        scored = [path.parent for path in Path(self.path).glob("pack_*/rsa.nc")]
        return [PackFolder(str(path)) for path in sorted(scored, key=_number)]

    def rungs(self) -> list[StageFolder]:
        """Return a round's stages so far: itself, then its rungs in order."""
        return [
            self,
            *(StageFolder(str(path)) for path in sorted(Path(self.path).glob("rung_*"), key=_number)),
        ]


@dataclass(frozen=True)
class SearchFolder:
    """One search: an arm with a seed."""

    path: str

    @property
    def settings(self) -> str:
        """What the search is: :mod:`tgsage.runs.records`."""
        return f"{self.path}/search.json"

    @property
    def ledger(self) -> str:
        """All candidates: :mod:`tgsage.runs.ledger`."""
        return f"{self.path}/ledger.csv"

    @property
    def finalists(self) -> str:
        """The best candidates, trained to maturity: :mod:`tgsage.runs.finalists`."""
        return f"{self.path}/finalists.csv"

    @property
    def final(self) -> str:
        """The winner's test: :mod:`tgsage.runs.records`."""
        return f"{self.path}/final.json"

    @property
    def best_architecture(self) -> str:
        """The winner's architecture, with what it takes to build it again."""
        return f"{self.path}/best_architecture.json"

    @property
    def rdms(self) -> str:
        """RDMs of the winner's layers: :mod:`tgsage.runs.rdms`."""
        return self.stage(FINAL).rdms

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
        return {
            "settings": self.settings,
            "ledger": self.ledger,
            "finalists": self.finalists,
            "final": self.final,
            "training": self.winner.training,
            "rsa": self.winner.rsa,
            "rdms": self.rdms,
        }


@dataclass(frozen=True)
class DatasetFolder:
    """Recordings that were read."""

    path: str

    @property
    def assembly(self) -> str:
        """Responses: :mod:`tgsage.recordings`."""
        return f"{self.path}/assembly.nc"

    @property
    def published_rdm(self) -> str:
        """Instead of an assembly, where only RDMs are published."""
        return f"{self.path}/published_rdm.nc"

    @property
    def stimuli(self) -> str:
        """Images that were shown."""
        return f"{self.path}/stimuli.h5"


@dataclass(frozen=True)
class RunFolder:
    """A run: ``results/<run>``."""

    path: str

    @property
    def comparison(self) -> str:
        """All arms beside each other: :mod:`tgsage.runs.comparison`."""
        return f"{self.path}/studies/comparison.csv"

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
        return [
            SearchFolder(str(path)) for path in sorted(begun, key=lambda path: (path.parent, _number(path)))
        ]

    def search_figures(self, arm: str, seed: int | str) -> str:
        """Return the folder of a search's figures."""
        return f"{self.path}/figures/{arm}/seed_{seed}"

    def teacher_figures(self, name: str) -> str:
        """Return the folder of a teacher's figures."""
        return f"{self.path}/figures/teachers/{name}"

    def page(self, name: str) -> str:
        """Return the file of a page: ``report`` or ``comparison``."""
        return f"{self.path}/{name}.html"

    @property
    def logs(self) -> str:
        """Folder of the logs of all jobs."""
        return f"{self.path}/logs"

    @property
    def benchmarks(self) -> str:
        """Folder of what all jobs have cost."""
        return f"{self.path}/benchmarks"


def _number(path: Path) -> int:
    return int(path.name.rpartition("_")[2])
