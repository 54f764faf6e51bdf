from dataclasses import replace

import pytest
import torch
from support import tiny

from lib.modeling.heads import PairHead
from lib.modeling.pooling import Pooler
from lib.modeling.tokens import SpecialTokens
from lib.settings.hyperparameters import Hyperparameters


def test_pooling_by_hand() -> None:
    hidden = torch.tensor([[[1.0, 0.0], [3.0, 2.0], [9.0, 9.0]]])
    ids, mask = torch.tensor([[7, 5, 0]]), torch.tensor([[1, 1, 0]])
    pooled = {
        kind: Pooler(kind, 2, SpecialTokens(cls=5, sep=3))(hidden, ids, mask)[0].tolist()
        for kind in ("cls", "mean", "max")
    }
    assert pooled == {"cls": [3, 2], "mean": [2, 1], "max": [3, 2]}
    attention = Pooler("attention", 2, SpecialTokens(cls=5, sep=3))
    torch.nn.init.zeros_(attention.score.weight)  # type: ignore[union-attr]
    assert attention(hidden, ids, mask)[0].tolist() == [2, 1]


@pytest.mark.parametrize(
    "ids",
    [
        [5, 8, 9, 3, 7, 3, 0, 0],  # BERT
        [5, 8, 9, 3, 3, 7, 3, 0],  # RoBERTa
        [0, 0, 8, 9, 3, 7, 3, 5],  # XLNet
    ],
)
def test_pair_pooling_compares_the_two_texts(ids: list[int]) -> None:
    vectors = {8: [1.0, 0.0], 9: [1.0, 2.0], 7: [2.0, 0.0]}
    hidden = torch.tensor([[vectors.get(i, [50.0, 60.0]) for i in ids]])
    pool = Pooler("pair", 2, SpecialTokens(cls=5, sep=3))
    found = pool(hidden, torch.tensor([ids]), torch.tensor([[int(i > 0) for i in ids]]))[0].tolist()
    assert found == pytest.approx([1, 1, 2, 0, 1, 1, 2, 0, 0.5**0.5]) and len(found) == pool.width


def test_a_pair_head_begins_with_the_similarity_of_the_texts() -> None:
    hyper = replace(Hyperparameters.of(tiny.params()), head_layers=2)
    head = PairHead(9, hyper).eval()
    vector = torch.randn(3, 9)
    vector[:, -1] = torch.tensor([0.9, 0.5, 0.1])
    no, yes = head(vector).unbind(dim=-1)
    assert torch.allclose(yes - no, torch.tensor([4.0, 0.0, -4.0]), atol=1e-5)
