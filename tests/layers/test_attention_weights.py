"""The weights of attention, against what the layer mixes with them."""

import pytest
import torch

from holdfast.layers.attention import Attention, Cache
from holdfast.layers.attention_weights import attention_weights, weights_of
from holdfast.layers.positions import LinearBias, RelativeScores


def mixed(layer, weights, memory):
    """What the layer must give, from its weights."""
    values = layer.v(memory).unflatten(2, (layer.heads, -1)).transpose(1, 2)
    return layer.o((weights @ values).transpose(1, 2).flatten(2))


CASES = [
    ({}, None),
    ({"causal": True}, None),
    ({"mask": torch.tensor([True, True, False, True, True])[None, None, None]}, None),
    ({"causal": True, "mask": torch.tensor([True, False, True, True, True])[None, None, None]}, None),
    ({"bias": torch.randn(2, 5, 5, generator=torch.Generator().manual_seed(3))}, None),
    ({"causal": True}, LinearBias(2)),
    ({"causal": True}, RelativeScores(8, 2)),
]


@pytest.mark.parametrize(("how", "scores"), CASES)
@torch.no_grad()
def test_values_mixed_with_the_weights_are_what_the_layer_gives(how, scores):
    torch.manual_seed(0)
    layer, x = Attention(8, 2, scores=scores), torch.randn(3, 5, 8)
    weights = attention_weights(layer, x, **how)
    assert torch.allclose(weights.sum(3), torch.ones(3, 2, 5), atol=1e-6)
    assert torch.allclose(mixed(layer, weights, x), layer(x, **how), atol=1e-6)
    if how.get("causal"):
        assert (weights.triu(1) == 0).all()


@torch.no_grad()
def test_weights_over_a_memory_are_kept_while_the_layer_runs_and_not_after():
    torch.manual_seed(0)
    layer, x, memory = Attention(8, 2, memory_width=6), torch.randn(3, 4, 8), torch.randn(3, 7, 6)
    with weights_of(layer) as kept:
        out = layer(x, memory, cache=Cache())
        layer(x[:1], memory=memory[:1])
    layer(x, memory)
    assert [tuple(w.shape) for w in kept] == [(3, 2, 4, 7), (1, 2, 4, 7)]
    assert torch.allclose(mixed(layer, kept[0], memory), out, atol=1e-6)
    with pytest.raises(ValueError, match="as a whole"), weights_of(layer):
        layer(torch.randn(1, 2, 8), cache=Cache())
