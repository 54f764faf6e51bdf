"""The agents, which all implement `lib.agents.agent.Agent`, and their names."""

from importlib import import_module
from typing import TYPE_CHECKING

from lib.errors import UserError, unknown_name

if TYPE_CHECKING:  # the engine runs where pydantic, which the space needs, is not installed
    from lib.agents.agent import Agent
    from lib.settings.space import Space

# A new agent needs a module with an AGENT and its name here. The lists give the names without importing torch.
AGENTS = ("criteria", "evidence", "share", "joint")
POST_AGENTS = ("evidence", "share", "joint")  # they read whole posts
_SECOND_ENCODER = frozenset({"joint.backbone", "joint.fusion", "joint.dropout"})
# Hyper-parameters that change nothing about an agent. One without an entry uses all of them.
_UNUSED = {
    "criteria": _SECOND_ENCODER | {"data.overlap", "loss.span_weight", "span.max_answer"},
    "evidence": _SECOND_ENCODER | {"model.pooling", "loss.span_weight"},
    "share": _SECOND_ENCODER,
    "joint": frozenset[str](),
}


def check_agent(name: str) -> None:
    """Raise UserError with the nearest known name if there is no such agent.

    Raises:
        UserError: There is no such agent. The message suggests the nearest known name.
    """
    if name not in AGENTS:
        raise UserError(unknown_name("agent", name, AGENTS))


def get_agent(name: str) -> "Agent":
    """Return the agent of this name. Raises UserError if there is none."""
    check_agent(name)
    agent: Agent = import_module(f"lib.agents.{name}").AGENT
    return agent


def unused_parameters(agent: str) -> frozenset[str]:
    """Return the hyper-parameters that an agent does not use, named as in the search space."""
    return _UNUSED.get(agent, frozenset())


def agent_space(space: "Space", agent: str) -> "Space":
    """Return the space that is searched for an agent, without the parameters that it does not use."""
    return space.without(unused_parameters(agent))
