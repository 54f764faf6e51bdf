"""Commands to use before a run."""

from lib.cli.run.check import COMMAND as CHECK
from lib.cli.run.completion import COMMAND as COMPLETION
from lib.cli.run.estimate import COMMAND as ESTIMATE

COMMANDS = (
    CHECK,
    ESTIMATE,
    COMPLETION,
)
