"""Commands of the three stages, called by the rules of the graph."""

from lib.cli.inside.baseline import COMMAND as BASELINE
from lib.cli.inside.final import COMMAND as FINAL
from lib.cli.inside.stage_a import COMMAND as STAGE_A
from lib.cli.inside.stage_a_worker import COMMAND as STAGE_A_WORKER
from lib.cli.inside.stage_b import COMMAND as STAGE_B
from lib.cli.inside.stage_b_worker import COMMAND as STAGE_B_WORKER
from lib.cli.inside.stage_c import COMMAND as STAGE_C
from lib.cli.inside.stage_c_baseline import COMMAND as STAGE_C_BASELINE
from lib.cli.inside.stage_c_candidates import COMMAND as STAGE_C_CANDIDATES
from lib.cli.inside.stage_c_fold import COMMAND as STAGE_C_FOLD
from lib.cli.inside.stage_c_race import COMMAND as STAGE_C_RACE

COMMANDS = (
    STAGE_A_WORKER,
    STAGE_A,
    STAGE_B_WORKER,
    STAGE_B,
    STAGE_C_CANDIDATES,
    STAGE_C_FOLD,
    STAGE_C_RACE,
    STAGE_C_BASELINE,
    STAGE_C,
    BASELINE,
    FINAL,
)
