"""The warnings of the command `watch`."""

from lib.cli.look import watch
from lib.settings.config import WatchSettings


def test_watch_warns_of_many_failures() -> None:
    seen = watch.PipelineState(gpus=[], processes=0, memory_gb=1.0, disk_gb=100.0, ended=100, failed=6, rate=1.0)
    assert "6 of 100 trials failed" in watch.exceeded_limits(seen, WatchSettings())[0]
    assert watch.exceeded_limits(watch.PipelineState([], 0, 1.0, 100.0, 100, 5, 1.0), WatchSettings()) == []
