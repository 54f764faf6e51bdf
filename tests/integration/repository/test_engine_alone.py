"""The training engine needs torch, transformers, numpy and scikit-learn, but none of the other packages."""

import os
import subprocess
import sys

from support.checkouts import ROOT

HERE = """
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        others = ("matplotlib", "nlpaug", "nltk", "optuna", "pandas", "pyarrow", "pydantic", "snakemake")
        return None if name.partition(".")[0] in others else PathFinder.find_spec(name, path, target)

sys.meta_path = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
import numpy, torch
from gpu import Device, measure_encoder
device = Device(torch.device("cpu"), bf16=False)
print(*measure_encoder("bert", "tiny", numpy.full(64, 40), 16, device)["losses"])
"""


def test_the_engine_trains_where_little_is_installed() -> None:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'benchmarks'}"}
    done = subprocess.run([sys.executable, "-c", HERE], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    losses = [float(loss) for loss in done.stdout.split()]
    assert len(losses) == 3 and 0.5 < losses[0] < 2
