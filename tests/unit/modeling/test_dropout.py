import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from lib.modeling.dropout import FastDropout, checkpoint_contexts


def quick(seed: int = 0) -> FastDropout:
    return FastDropout(np.random.Generator(np.random.SFC64(seed)))


@given(p=st.floats(0, 0.95), size=st.integers(1, 70), seed=st.integers(0, 99))
def test_kept_values_are_scaled_to_preserve_the_mean(p: float, size: int, seed: int) -> None:
    values = torch.ones(size, 7)
    with quick(seed):
        dropped = F.dropout(values, p, training=True)
        again = F.dropout(values, p, training=True)
    kept = dropped[dropped > 0]
    assert torch.allclose(kept, torch.full_like(kept, 1 / (1 - p)), rtol=1e-3)
    assert p > 0 or torch.equal(dropped, values)
    assert p < 0.2 or size < 20 or not torch.equal(dropped, again)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_dropped_share_is_p_and_neighbours_are_independent(p: float) -> None:
    kept, factor = quick().draw_mask(torch.Size((2000, 1000)), p)
    assert abs(kept.float().mean().item() - (1 - p)) < 4 * (p * (1 - p) / 2e6) ** 0.5
    assert factor == pytest.approx(1 / (1 - p), rel=1e-4)
    left, right = kept[:, :-1].flatten().float(), kept[:, 1:].flatten().float()
    assert abs(torch.corrcoef(torch.stack([left, right]))[0, 1].item()) < 4e-3


@pytest.mark.parametrize("masked", ["no", "additive", "boolean"])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_attention_and_its_gradient_match_the_formula(masked: str, scale: float | None) -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 3, n, 8, dtype=torch.double, requires_grad=True) for n in (5, 7, 7))
    allowed = torch.ones(2, 1, 5, 7, dtype=torch.bool)
    allowed[1, ..., 4:] = False
    mask = {"no": None, "boolean": allowed, "additive": torch.zeros(2, 1, 5, 7).double().masked_fill(~allowed, -1e9)}
    with quick() as noise:
        found = F.scaled_dot_product_attention(query, key, value, mask[masked], 0.4, scale=scale)
        assert noise is not None
    kept, factor = quick().draw_mask(torch.Size((2, 3, 5, 7)), 0.4)
    scores = query @ key.transpose(-1, -2) * (8**-0.5 if scale is None else scale)
    if masked != "no":
        scores = scores.masked_fill(~allowed, float("-inf"))
    expected = (scores.softmax(dim=-1) * kept * factor) @ value
    assert torch.allclose(found, expected)
    loss = torch.randn(found.shape, dtype=torch.double)
    for one, other in zip(
        torch.autograd.grad((found * loss).sum(), (query, key, value)),
        torch.autograd.grad((expected * loss).sum(), (query, key, value)),
        strict=True,
    ):
        assert torch.allclose(one, other)


def test_torch_is_unchanged_without_dropout_and_outside_the_context() -> None:
    query = torch.randn(1, 1, 4, 8)
    values = torch.randn(5, 5)
    with quick() as noise:
        state = noise.rng.bit_generator.state
        assert torch.equal(F.dropout(values, 0.5, training=False), values)
        inside = F.scaled_dot_product_attention(query, query, query)
        assert str(noise.rng.bit_generator.state) == str(state), "nothing was drawn"
    assert torch.equal(inside, F.scaled_dot_product_attention(query, query, query))
    torch.manual_seed(0)
    own = F.dropout(values, 0.5)
    torch.manual_seed(0)
    assert torch.equal(own, torch.nn.Dropout(0.5)(values))


def test_the_same_noise_can_be_drawn_again() -> None:
    values = torch.ones(50)
    with quick():
        F.dropout(values, 0.5)
        first, later = checkpoint_contexts()
        with first:
            first_time = F.dropout(values, 0.5)
        F.dropout(values, 0.5)
        with later:
            assert torch.equal(first_time, F.dropout(values, 0.5))
    assert all(type(context).__name__ == "nullcontext" for context in checkpoint_contexts())
