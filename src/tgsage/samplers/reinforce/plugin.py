"""Settings of REINFORCE."""

from typing import ClassVar, Literal

from ...plugins import Field, register
from ..settings import SamplerSettings


@register
class ReinforceSettings(SamplerSettings):
    """REINFORCE with an LSTM controller (Zoph and Le 2017). On-policy: it may repeat a proposal."""

    code: ClassVar[str] = "tgsage.samplers.reinforce.sampler:ReinforceSampler"
    label: ClassVar[str] = "REINFORCE"

    name: Literal["reinforce"]
    """Selects this one."""
    hidden: int = Field(default=35, ge=1)
    """Width of the LSTM."""
    learning_rate: float = Field(default=0.04, gt=0)
    """Learning rate of Adam, which takes one step a round. Zoph and Le use 0.0006 in searches of 12,800
    networks."""
    baseline_decay: float = Field(default=0.8, ge=0, lt=1)
    """Decay per round of the moving average that is subtracted from the score."""
    entropy: float = Field(default=0.001, ge=0)
    """Weight of the mean entropy of the choices, which keeps the policy from settling early."""
    batch: int = Field(default=64, ge=1)
    """Candidates of a round, the first ones, from which the gradient is taken. Proposing takes time in
    proportion to it and to the number of rounds."""
