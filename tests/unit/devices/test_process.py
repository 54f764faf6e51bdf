import time

import pytest
import torch

from lib.devices.process import run_parallel, seeded_torch


def test_an_error_of_a_thread_is_raised_when_all_have_ended() -> None:
    ended = []

    def work(item: int) -> int:
        if item == 0:
            raise ValueError("the first")
        time.sleep(0.05)
        ended.append(item)
        return item

    with pytest.raises(ValueError, match="the first"):
        run_parallel(work, range(4), parallel=True)
    assert sorted(ended) == [1, 2, 3]
    assert run_parallel(lambda item: item * 2, range(4), parallel=True) == [0, 2, 4, 6]


def test_the_generators_of_all_gpus_are_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    states = [torch.tensor([1]), torch.tensor([2])]
    restored: list[list[torch.Tensor]] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: states)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", restored.append)
    before = torch.get_rng_state()
    with seeded_torch(1):
        drawn = torch.rand(3)
    assert restored == [states] and torch.equal(torch.get_rng_state(), before)
    with seeded_torch(1):
        assert torch.equal(torch.rand(3), drawn)
