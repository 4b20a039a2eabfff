"""The encoder-decoder: forced decoding, beam search and attention agree, and padding is nothing."""

import pytest
import torch

from holdfast.data.batches import Batches
from holdfast.layers.encoder_decoder import END, EncoderDecoder, padded_ids
from holdfast.training import fit
from holdfast.training.translation import TranslationLearner

SOURCE = [[3, 4, 5, 6], [7], [2, 2, 8]]
TARGET = [[5, 1], [2, 3, 4, 6], [9]]


def net(seed=0, layers=2):
    torch.manual_seed(seed)
    return EncoderDecoder(10, 11, width=16, layers=layers, heads=2, hidden=32).eval()


@torch.no_grad()
def test_rows_do_not_depend_on_the_padding_of_others():
    model = net()
    source, real = padded_ids(SOURCE)
    target, counts = padded_ids(TARGET)
    together = model(source, real, target)
    for i in range(3):
        alone = model(*padded_ids([SOURCE[i]]), padded_ids([TARGET[i]])[0])
        assert torch.allclose(together[i, counts[i]], alone[0], atol=1e-5)


@torch.no_grad()
def test_logits_of_a_token_do_not_look_at_it_or_beyond():
    model = net()
    source, real = padded_ids(SOURCE[:1])
    one, other = torch.tensor([[5, 1, 7, END]]), torch.tensor([[5, 1, 2, END]])
    a, b = model(source, real, one), model(source, real, other)
    assert torch.equal(a[:, :3], b[:, :3])
    assert not torch.allclose(a[:, 3], b[:, 3])


@torch.no_grad()
def test_the_beam_says_what_forced_decoding_says():
    model = net()
    source, real = padded_ids(SOURCE)
    beams = model.beam(source, real, 4, 6)
    for w in range(4):
        ids, lengths = beams.tokens[:, w], beams.lengths[:, w]
        log_p = model(source, real, ids).log_softmax(2).gather(2, ids[..., None])[..., 0]
        for i in range(3):
            n = int(lengths[i])
            assert torch.allclose(log_p[i, :n], beams.log_probs[i, w, :n], atol=1e-5)
            assert float(beams.scores[i, w]) == pytest.approx(float(log_p[i, :n].mean()), abs=1e-5)
    assert (beams.scores[:, :-1] >= beams.scores[:, 1:]).all()


@torch.no_grad()
def test_attention_is_a_distribution_over_the_words_of_the_source():
    model = net()
    source, real = padded_ids(SOURCE)
    with model.cross_attention() as kept:
        model(source, real, padded_ids(TARGET)[0])
    weights = kept[0]
    assert weights.shape == (3, 2, 5, 5)
    assert torch.allclose(weights.sum(3), torch.ones(3, 2, 5), atol=1e-5)
    assert (weights.permute(0, 3, 1, 2)[~real] == 0).all()


def test_it_learns_to_copy_and_every_parameter_gets_a_gradient():
    torch.manual_seed(0)
    rows = torch.randint(1, 9, (256, 4)).tolist()
    ids, real = padded_ids(rows)
    lengths = real.sum(1)
    data = {"source": ids, "target": ids, "source length": lengths, "target length": lengths}
    learner = TranslationLearner(net(layers=1).train(), lr=5e-3)
    loss, _ = learner.loss({name: value[:8] for name, value in data.items()}, torch.Generator())
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in learner.parameters())
    fit(learner, Batches(data, 64, 0), steps=150, seed=0)
    best = learner.net.eval().beam(ids[:32], real[:32], 2, 8).best()
    assert (best.tokens[:, :5] == ids[:32]).float().mean() > 0.5  # one in eight by chance


@torch.no_grad()
def test_padding_counts_for_nothing_in_the_loss():
    model = net()
    source, real = padded_ids(SOURCE)
    target, counts = padded_ids(TARGET)
    batch = {"source": source, "target": target, "source length": real.sum(1), "target length": counts.sum(1)}
    loss, _ = TranslationLearner(model).loss(batch, torch.Generator())
    total = 0.0
    for i in range(3):
        ids = [*TARGET[i], END]
        log_p = model(*padded_ids([SOURCE[i]]), torch.tensor([ids])).log_softmax(2)[0]
        total -= sum(float(log_p[t, token]) for t, token in enumerate(ids))
    assert float(loss) == pytest.approx(total / int(counts.sum()), abs=1e-5)
