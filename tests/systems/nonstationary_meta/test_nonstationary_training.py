"""Meta-training: fresh data, the loss in loops, truncated backpropagation by hand, resuming."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats

from holdfast.errors import InputError
from holdfast.layers.sequence import start_first
from holdfast.systems.nonstationary_meta import (
    MetaLearner,
    MetaTrainer,
    Recurrent,
    SlidingWindow,
    SourceBatches,
    SourcePrior,
    Transformer,
    TruncatedMetaLearner,
)
from holdfast.systems.nonstationary_meta.method.meta_learning import cosine_to_zero

GRU = Recurrent("gru", hidden=6, embedding=3)


# ------------------------------------------------------------------------------------------------------------- data
def test_batches_are_fresh_and_a_function_of_seed_and_position():
    one, two = (SourceBatches(SourcePrior("lin", 8), 4, seed=3) for _ in range(2))
    first, second = next(one)["x"], next(one)["x"]
    assert first.dtype == torch.int64
    assert first.shape == (4, 8)
    assert not torch.equal(first, second)
    next(two)
    again = SourceBatches(SourcePrior("lin", 8), 4, seed=3)
    again.load_state_dict(two.state_dict())
    assert torch.equal(next(again)["x"], second), "a resumed stream goes on where it was"
    assert not torch.equal(next(SourceBatches(SourcePrior("lin", 8), 4, seed=4))["x"], first)


def test_every_process_has_sources_of_its_own():
    batches = [SourceBatches(SourcePrior("ptw", 16), 6, seed=0) for _ in range(3)]
    for rank, each in enumerate(batches):
        each.shard(rank, 3)
    shares = [next(each)["x"] for each in batches]
    assert all(share.shape == (2, 16) for share in shares)
    assert len({tuple(share.flatten().tolist()) for share in shares}) == 3
    with pytest.raises(InputError, match="size"):
        SourceBatches(SourcePrior("ptw", 16), 6).shard(0, 4)
    with pytest.raises(InputError, match="seed"):
        SourceBatches(SourcePrior("ptw", 16), 6, seed=1).load_state_dict(batches[0].state_dict())


def test_lengths_vary_uniformly_over_powers_of_two_and_agree_between_processes():
    prior = SourcePrior("static", 8, fixed_length=False)
    one, other = SourceBatches(prior, 2, seed=0), SourceBatches(prior, 2, seed=0)
    other.shard(1, 2)
    lengths = [next(one)["x"].shape[1] for _ in range(400)]
    assert [next(other)["x"].shape[1] for _ in range(400)] == lengths
    counts = Counter(lengths)
    assert sorted(counts) == [1, 2, 4, 8]
    assert stats.chisquare(list(counts.values())).pvalue > 0.001
    with pytest.raises(InputError, match="power of two"):
        SourcePrior("static", 6, fixed_length=False)


# --------------------------------------------------------------------------------------------------------- learning
def test_the_loss_is_the_mean_of_minus_log_p_over_all_symbols():
    learner, x = MetaLearner(GRU.build()), torch.randint(0, 2, (3, 5))
    loss, parts = learner.loss({"x": x}, torch.Generator())
    total = 0.0
    for row in x.tolist():
        for t, symbol in enumerate(row):
            tokens = torch.tensor([[2, *row[:t]]])  # the start token, then what came before
            total -= float(learner.net(tokens)[0][0, -1].log_softmax(-1)[symbol].detach())
    assert float(loss.detach()) == pytest.approx(total / 15, rel=1e-5)
    assert float(parts["bits per symbol"]) == pytest.approx(total / 15 / math.log(2), rel=1e-5)


class _Gradients:
    """Stands for `Minimise`: keeps what it was asked to do."""

    def __init__(self):
        self.losses, self.updates = [], 0

    def backward(self, loss, player=None, retain_graph=False):
        self.losses.append(float(loss.detach()))
        loss.backward()

    def update(self, player=None):
        self.updates += 1


@pytest.mark.parametrize("network", [GRU, Recurrent("lstm", hidden=5), Transformer(8, 1, 2, context=SlidingWindow(3))])
@pytest.mark.parametrize("chunk", [1, 3, 7, 20])
def test_truncated_gradients_are_those_of_chunks_with_the_state_cut_off(network, chunk):
    torch.manual_seed(0)
    learner, x = TruncatedMetaLearner(network.build(), chunk=chunk), torch.randint(0, 2, (4, 7))
    minimise = _Gradients()
    parts = learner.step({"x": x}, torch.Generator(), minimise)
    ours = [p.grad.clone() for p in learner.parameters()]

    learner.zero_grad()
    total, state, tokens = 0.0, None, start_first(x, 2)
    for start in range(0, 7, chunk):
        logits, state = learner.net(tokens[:, start : start + chunk], state)
        state = torch.utils._pytree.tree_map(torch.Tensor.detach, state)
        log_probs = logits.log_softmax(-1).gather(2, x[:, start : start + chunk, None])
        total = total - log_probs.sum() / x.numel()
    total.backward()
    theirs = [p.grad for p in learner.parameters()]
    assert minimise.updates == 1
    assert len(minimise.losses) == -(-7 // chunk)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(ours, theirs, strict=True))
    assert float(parts["loss"]) == pytest.approx(float(total.detach()), rel=1e-5)
    whole = MetaLearner(learner.net)
    whole.zero_grad()
    whole.loss({"x": x}, torch.Generator())[0].backward()
    same = all(torch.allclose(a, p.grad, atol=1e-6) for a, p in zip(ours, learner.parameters(), strict=True))
    recurrent = isinstance(network, Recurrent)
    assert same == (chunk >= 7 or not recurrent), "only recurrent states carry gradients that can be cut"


def trained(steps=40, **settings):
    trainer = MetaTrainer(GRU, SourcePrior("static", 8), **{"steps": steps, "batch": 32, "lr": 0.02, **settings})
    return trainer.train(seed=1)


def test_training_lowers_the_loss_below_that_of_a_coin():
    history = trained(120).history["loss"][1]
    assert history[-1] < math.log(2) - 0.05  # a static source of 8 symbols has 0.14 nats per symbol to be learnt


def test_equal_seeds_give_equal_weights_and_chunks_train_too():
    one, two = trained(5), trained(5)
    pairs = zip(one.learner.parameters(), two.learner.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    chunked = trained(5, chunk=3)
    assert isinstance(chunked.learner, TruncatedMetaLearner)
    assert np.isfinite(chunked.history["loss"][1]).all()


def test_a_run_that_was_cut_short_goes_on_with_the_same_numbers(tmp_path):
    class Killed(Exception):
        pass

    def kill(done, steps):
        if done == 7:
            raise Killed

    trainer = MetaTrainer(GRU, SourcePrior("ptw", 8, fixed_length=False), steps=10, batch=4)
    with pytest.raises(Killed):
        trainer.train(seed=2, checkpoint=str(tmp_path), on_step=kill)
    again = trainer.train(seed=2, checkpoint=str(tmp_path))
    whole = trainer.train(seed=2)
    assert all(
        torch.equal(a, b) for a, b in zip(again.learner.parameters(), whole.learner.parameters(), strict=True)
    )  # fmt: skip


def test_the_schedule_falls_to_zero():
    assert cosine_to_zero(0.0) == 1.0
    assert cosine_to_zero(0.5) == pytest.approx(0.5)
    assert cosine_to_zero(1.0) == pytest.approx(0.0)


def test_wrong_settings_are_named():
    for wrong, named in (({"lr": 0}, "lr"), ({"batch": 0}, "size"), ({"steps": 0}, "steps"), ({"chunk": 0}, "chunk")):
        with pytest.raises(InputError, match=named):
            trained(**wrong)
