"""An incomplete bank of augmented texts is refused."""

from pathlib import Path

import pytest
from support.augmented import experiment
from support.tiny import worker_command

from lib.augmentation.bank import variants_path
from lib.cli.main import main
from lib.errors import UserError

pytestmark = pytest.mark.usefixtures("zebra_augmentation")


@pytest.mark.slow
def test_a_bank_that_lacks_something_is_refused_at_the_start(capsys) -> None:
    made = experiment("criteria")
    made.check()
    variants_path(Path("results/cache/augmentation"), "criteria-ocr").unlink()
    with pytest.raises(
        UserError, match=r"bank.json: no texts augmented by ocr; remove it to have them computed again"
    ):
        made.check()
    Path("results/criteria/augmentation/bank.json").unlink()
    assert main(worker_command("a").split()) == 1
    assert "bank.json: no such file" in capsys.readouterr().err
