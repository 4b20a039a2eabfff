"""Blocks against their formulas, stacks step by step against the whole, and against torch's own transformer layers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from holdfast.errors import InputError
from holdfast.layers.attention import Attention, real_tokens
from holdfast.layers.positions import ALiBi, Relative
from holdfast.layers.transformer import Block, FeedForward, Stack

E, H = 8, 2


def decoder(norm_first=True, scores=None, layers=2):
    torch.manual_seed(0)
    blocks = [
        Block(E, Attention(E, H, scores=scores), FeedForward(E), cross=Attention(E, H), norm_first=norm_first)
        for _ in range(layers)
    ]
    return Stack(blocks, nn.LayerNorm(E)).double().eval()


def drawn(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def same_weights(ours: Attention, theirs: nn.MultiheadAttention) -> None:
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.q.weight, ours.k.weight, ours.v.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.q.bias, ours.k.bias, ours.v.bias]))
        theirs.out_proj.load_state_dict(ours.o.state_dict())


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("causal", [True, False])
def test_an_encoder_block_is_torchs_layer(norm_first, causal):
    torch.manual_seed(0)
    block = Block(E, Attention(E, H, bias=True), FeedForward(E), norm_first=norm_first).double().eval()
    peer = nn.TransformerEncoderLayer(E, H, 4 * E, 0.0, batch_first=True, norm_first=norm_first).double().eval()
    same_weights(block.attention, peer.self_attn)
    peer.linear1.load_state_dict(block.feed_forward.up.state_dict())
    peer.linear2.load_state_dict(block.feed_forward.down.state_dict())
    x, real = drawn(2, 5, E), real_tokens(torch.tensor([5, 3]), 5)
    hidden = torch.ones(5, 5).triu(1).bool() if causal else None
    expected = peer(x, src_mask=hidden, src_key_padding_mask=~real, is_causal=False)
    ours = block(x, causal=causal, mask=real[:, None, None])
    torch.testing.assert_close(ours[real], expected[real])


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_decoder_block_is_torchs_layer(norm_first):
    torch.manual_seed(0)
    attention, cross = Attention(E, H, bias=True), Attention(E, H, bias=True)
    block = Block(E, attention, FeedForward(E, activation=F.gelu), cross=cross, norm_first=norm_first).double().eval()
    peer = nn.TransformerDecoderLayer(E, H, 4 * E, 0.0, "gelu", batch_first=True, norm_first=norm_first).double().eval()
    same_weights(attention, peer.self_attn)
    same_weights(cross, peer.multihead_attn)
    peer.linear1.load_state_dict(block.feed_forward.up.state_dict())
    peer.linear2.load_state_dict(block.feed_forward.down.state_dict())
    x, memory = drawn(2, 4, E), drawn(2, 6, E, seed=2)
    real = real_tokens(torch.tensor([2, 6]), 6)
    hidden = torch.ones(4, 4).triu(1).bool()
    expected = peer(x, memory, tgt_mask=hidden, memory_key_padding_mask=~real)
    ours = block(x, causal=True, memory=memory, memory_mask=real[:, None, None])
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("scores", [None, ALiBi().build(E, H), Relative().build(E, H)])
@pytest.mark.parametrize("norm_first", [True, False])
def test_steps_with_caches_give_what_the_whole_gives(scores, norm_first):
    net, x, memory = decoder(norm_first, scores), drawn(2, 6, E), drawn(2, 3, E, seed=2)
    caches = net.caches()
    steps = [net(piece, causal=True, memory=memory, caches=caches) for piece in x.split([1, 1, 3, 1], dim=1)]
    torch.testing.assert_close(torch.cat(steps, dim=1), net(x, causal=True, memory=memory))


def test_caches_follow_the_hypotheses_of_a_beam():
    net, x, memory = decoder(), drawn(3, 5, E), drawn(3, 4, E, seed=2)
    caches, rows = net.caches(), torch.tensor([1, 1, 0])
    net(x[:, :4], causal=True, memory=memory, caches=caches)
    for cache in caches:
        cache.select(rows)
    last = net(x[rows, 4:], causal=True, memory=memory[rows], caches=caches)
    torch.testing.assert_close(last, net(x[rows], causal=True, memory=memory[rows])[:, 4:])


def test_padding_changes_nothing_and_every_parameter_learns():
    net, x, memory = decoder(), drawn(2, 4, E), drawn(2, 5, E, seed=2)
    real = real_tokens(torch.tensor([4, 2]), 4)
    changed = x.masked_fill(~real[..., None], 7.0)
    mask = real[:, None, None]
    torch.testing.assert_close(net(x, mask=mask, memory=memory)[real], net(changed, mask=mask, memory=memory)[real])
    net(x, causal=True, memory=memory).square().sum().backward()
    still = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


def test_dropout_falls_on_what_a_part_adds():
    block = Block(E, Attention(E, H), FeedForward(E), dropout=0.9)
    x = torch.randn(1, 50, E)
    added = (block(x) - x).abs() < 1e-7
    assert added.float().mean() > 0.5, "most entries of both parts are dropped"
    assert torch.equal(block.eval()(x), block(x))


def test_a_memory_and_cross_attention_belong_together():
    x = torch.randn(1, 3, E)
    with pytest.raises(InputError, match=r"^memory: must be given to a block with cross attention"):
        decoder().float()(x)
    with pytest.raises(InputError, match=r"^memory"):
        Block(E, Attention(E, H), FeedForward(E))(x, memory=x)


def test_blocks_without_biases_make_a_language_model_whose_keys_are_found_by_name():
    """What rules of width are tried on: pre-LN, no biases, four maps of its own per attention."""
    torch.manual_seed(0)
    block = Block(E, Attention(E, H), FeedForward(E, bias=False))
    linear = {name: tuple(m.weight.shape) for name, m in block.named_modules() if isinstance(m, nn.Linear)}
    parts = {f"attention.{name}": (E, E) for name in "qkvo"}
    assert linear == parts | {"feed_forward.up": (4 * E, E), "feed_forward.down": (E, 4 * E)}
    assert not any(m.bias is not None for m in block.modules() if isinstance(m, nn.Linear))
    x = torch.randn(2, 5, E)
    normed = block.norms[0](x)
    q, k, v = (getattr(block.attention, n)(normed).unflatten(-1, (H, -1)).transpose(1, 2) for n in "qkv")
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
    h = x + block.attention.o(mixed)
    expected = h + block.feed_forward.down(block.feed_forward.up(block.norms[1](h)).relu())
    assert torch.equal(block(x, causal=True), expected)
