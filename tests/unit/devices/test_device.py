import pytest
import torch
from support.training import CPU

from lib.devices import device as devices
from lib.errors import UserError
from lib.settings.config import TrainingSettings


def test_a_device_follows_the_settings_and_the_hardware(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="torch sees no CUDA device"):
        devices.choose_device(TrainingSettings(device="cuda"))
    assert str(devices.choose_device(TrainingSettings(precision="bf16"))) == "cpu bf16"
    monkeypatch.setattr(devices, "_cpu_bf16", lambda: False)
    assert str(devices.choose_device(TrainingSettings())) == "cpu fp32"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    chosen = devices.choose_device(TrainingSettings())
    assert str(chosen) == "cuda bf16"
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 2**21)
    assert devices.peak_memory_mb(chosen) == 2.0
    assert devices.peak_memory_mb(CPU) > 50
