"""How often each method is applied, and which methods are refused."""

import pytest
from support.tiny import params

from lib.augmentation.methods import METHODS, REFUSED, check_method, expected_method_shares, strategy_methods
from lib.errors import UserError


@pytest.mark.parametrize("strategy", ["all", "nlpaug", "custom"])
def test_exposure_is_how_often_an_epoch_applies_a_method(strategy: str) -> None:
    weights = {f"aug.weight_{name}": float(name == "ocr") for name in METHODS}
    chosen = params(**{"aug.enabled": True, "aug.p_apply": 0.2, "aug.ops_per_sample": 2, "aug.strategy": strategy})
    found = expected_method_shares(chosen | weights)
    assert sum(found.values()) == pytest.approx(0.2 if strategy == "custom" else 0.4)
    assert found["ocr"] == pytest.approx({"all": 0.4 / 17, "nlpaug": 0.04, "custom": 0.2}[strategy])
    assert set(expected_method_shares(chosen | {"aug.enabled": False}).values()) == {0.0}


def test_heavy_methods_are_refused_by_name_and_unknown_ones_with_the_nearest() -> None:
    for name in REFUSED:
        with pytest.raises(UserError, match=f"method '{name}' is refused: .* \\(known: keyboard, "):
            check_method(name)
    with pytest.raises(UserError, match="did you mean 'keyboard'"):
        check_method("keybord")
    assert (
        len(strategy_methods("nlpaug")) == 10
        and len(strategy_methods("textattack")) == 7
        and len(strategy_methods("all")) == 17
    )
