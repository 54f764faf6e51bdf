"""The joint agent, which labels posts with one encoder and fuses it into a second one that finds evidence."""

from collections.abc import Sequence

from torch import nn

from lib.agents.posts import PostAgent
from lib.modeling.models import JointModel
from lib.modeling.tokens import SpecialTokens
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.label import LabelTask
from lib.tasks.span import SpanTask


class JointAgent(PostAgent):
    """Labels posts and finds spans with two encoders, which read the same windows of (criterion, post) pairs."""

    name = "joint"
    tasks = (LabelTask(), SpanTask())

    def backbone_names(self, hyper: Hyperparameters) -> tuple[str, ...]:
        """Return the names of the evidence encoder's and of the criteria encoder's backbone."""
        return hyper.backbone, hyper.joint_backbone

    def model(
        self, encoders: Sequence[nn.Module], special: Sequence[SpecialTokens], hyper: Hyperparameters
    ) -> nn.Module:
        """Return the two encoders with their fusion and heads.

        Args:
            encoders: The evidence encoder and the criteria encoder.
            special: The ids of the cls and the sep token of each.
            hyper: Gives pooling, fusion and heads.

        Returns:
            The model.
        """
        evidence, criteria = encoders
        return JointModel(evidence, criteria, hyper, special[1])


AGENT = JointAgent()
