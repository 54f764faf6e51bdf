import torch

from lib.modeling.pooling import Pooler


def test_pooling_by_hand() -> None:
    hidden = torch.tensor([[[1.0, 0.0], [3.0, 2.0], [9.0, 9.0]]])
    ids, mask = torch.tensor([[7, 5, 0]]), torch.tensor([[1, 1, 0]])
    pooled = {kind: Pooler(kind, 2, cls_token_id=5)(hidden, ids, mask)[0].tolist() for kind in ("cls", "mean", "max")}
    assert pooled == {"cls": [3, 2], "mean": [2, 1], "max": [3, 2]}
    attention = Pooler("attention", 2, cls_token_id=5)
    torch.nn.init.zeros_(attention.score.weight)  # type: ignore[union-attr]
    assert attention(hidden, ids, mask)[0].tolist() == [2, 1]
