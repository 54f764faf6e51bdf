"""Commands that show where a search stands and what it found."""

from lib.cli.look.augmentation_report import COMMAND as AUGMENTATION_REPORT
from lib.cli.look.nested import COMMAND as NESTED
from lib.cli.look.report import COMMAND as REPORT
from lib.cli.look.status import COMMAND as STATUS
from lib.cli.look.summary import COMMAND as SUMMARY
from lib.cli.look.sync import COMMAND as SYNC
from lib.cli.look.watch import COMMAND as WATCH

COMMANDS = (
    STATUS,
    WATCH,
    REPORT,
    NESTED,
    SUMMARY,
    AUGMENTATION_REPORT,
    SYNC,
)
