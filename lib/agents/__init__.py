"""The agents: what each reads, predicts and is scored by, behind one interface."""

from lib.agents.base import Agent, Examples
from lib.agents.criteria import CriteriaAgent
from lib.errors import UserError, unknown_name

__all__ = ["AGENTS", "Agent", "Examples", "get_agent"]

AGENTS: dict[str, Agent] = {agent.name: agent for agent in (CriteriaAgent(),)}


def get_agent(name: str) -> Agent:
    """Return the agent of this name. Raises UserError with the nearest known name."""
    if name not in AGENTS:
        raise UserError(unknown_name("agent", name, list(AGENTS)))
    return AGENTS[name]
