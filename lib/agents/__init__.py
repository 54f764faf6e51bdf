"""The agents, which all implement `lib.agents.agent.Agent`, and their names."""

from importlib import import_module
from typing import TYPE_CHECKING

from lib.errors import UserError, unknown_name

if TYPE_CHECKING:
    from lib.agents.agent import Agent

# A new agent needs a module with an AGENT and an entry here. The list gives the names without importing torch.
AGENTS = ("criteria", "evidence", "share", "joint")
POST_AGENTS = ("evidence", "share", "joint")  # they read whole posts


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
