"""The evidence agent, which finds the characters of a post that show a criterion, if any."""

from collections.abc import Sequence

from torch import nn

from lib.agents.posts import PostAgent
from lib.modeling.models import PairModel
from lib.modeling.tokens import SpecialTokens
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.span import SpanTask


class EvidenceAgent(PostAgent):
    """Finds spans with one encoder and a span head."""

    name = "evidence"
    tasks = (SpanTask(),)

    def backbone_names(self, hyper: Hyperparameters) -> tuple[str, ...]:
        """Return the name of the only backbone."""
        return (hyper.backbone,)

    def model(
        self, encoders: Sequence[nn.Module], special: Sequence[SpecialTokens], hyper: Hyperparameters
    ) -> nn.Module:
        """Return a model with a span head.

        Args:
            encoders: One encoder.
            special: The ids of its cls and sep token.
            hyper: Gives the head.

        Returns:
            The model.
        """
        return PairModel(encoders[0], hyper, special[0], label=False, span=True)


AGENT = EvidenceAgent()
