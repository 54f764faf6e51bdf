import time

import pytest

from lib.devices.process import run_parallel


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
