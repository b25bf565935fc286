"""Settings that all sources of recordings share."""

from typing import ClassVar

from ..plugins import DataSource, Field, Section


class Selection(Section):
    """Which sites, which time, and how responses are prepared before any RDM is built."""

    animals: list[str] | None = None
    """Keep these animals only; null keeps all."""
    window_ms: tuple[float, float] | None = None
    """Keep the time bins that lie inside this window after stimulus onset; null keeps all bins."""
    baseline_ms: tuple[float, float] | None = None
    """Subtract each site's mean rate in this window; null subtracts nothing."""
    region_map: dict[str, dict[str, str]] | None = None
    """Rename regions by a site column: {IT: {column_value: new_region}} with ``region_column``."""
    region_column: str | None = None
    """The site column that ``region_map`` reads."""
    minimal_reliability: float | None = Field(default=None, ge=-1, le=1)
    """Drop sites whose split-half reliability (Spearman-Brown corrected) is below this."""
    drop_constant_sites: bool = False
    """Drop sites whose mean response is the same for every stimulus; otherwise such a site is an error."""
    equal_repeats: int | None = Field(default=None, ge=1)
    """Keep this many repetitions of every stimulus, drawn by ``seed``; null keeps all."""
    seed: int = Field(default=0, ge=0)
    """Seed of the draws above."""


class RecordingsSettings(DataSource):
    """Settings that all sources of recordings share.

    ``code`` is a module, or a class, with two functions of the settings and of ``root``, the folder of
    downloaded data. ``read(settings, root)`` returns the assembly, the stimuli, and the text by which error
    messages name them; instead of an assembly, a source that is ``rdm_only`` returns a Dataset with ``rdm``
    (measurement, pair). ``raw_files(settings, root)`` returns the list of the files that ``read`` reads,
    whether they exist or not.
    """

    plugin_kind: ClassVar[str] = "recordings"
    rdm_only: ClassVar[bool] = False
    """Whether the source publishes RDMs and no responses."""
    simulated: ClassVar[bool] = False
    """Whether the recordings are made up; figures then say so."""

    selection: Selection = Selection()
    """Which sites, time and repetitions are used."""
