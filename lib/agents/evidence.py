"""The evidence agent: which characters of a post show a criterion, if any?"""

from collections.abc import Sequence

from torch import nn

from lib.agents.posts import PostAgent
from lib.modeling.models import PairModel
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.span import SpanTask


class EvidenceAgent(PostAgent):
    """Finds spans: an encoder and a span head."""

    name = "evidence"
    tasks = (SpanTask(),)

    def backbones(self, hyper: Hyperparameters) -> tuple[str, ...]:
        """One encoder."""
        return (hyper.backbone,)

    def model(self, encoders: Sequence[nn.Module], cls_token_ids: Sequence[int], hyper: Hyperparameters) -> nn.Module:
        """Return a span finder."""
        return PairModel(encoders[0], hyper, cls_token_ids[0], label=False, span=True)


AGENT = EvidenceAgent()
