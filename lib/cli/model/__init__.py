"""Commands for the final model and its provenance."""

from lib.cli.model.archive import COMMAND as ARCHIVE
from lib.cli.model.predict import COMMAND as PREDICT
from lib.cli.model.provenance import COMMAND as PROVENANCE
from lib.cli.model.reproduce import COMMAND as REPRODUCE

COMMANDS = (
    PREDICT,
    PROVENANCE,
    REPRODUCE,
    ARCHIVE,
)
