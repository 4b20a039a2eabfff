"""Trained networks used like exact predictors: batched, from windows, as streams, saved and loaded."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.errors import InputError
from holdfast.estimator import NotFitted
from holdfast.layers.sequence import NETWORKS
from holdfast.systems.nonstationary_meta import (
    KT,
    ALiBi,
    Chunks,
    MetaPredictor,
    NetworkStream,
    PiecewiseBernoulli,
    Recurrent,
    SinCos,
    SlidingWindow,
    SourcePrior,
    StackRNN,
    Transformer,
    WindowMLP,
    network_log_probs,
)
from holdfast.systems.nonstationary_meta.predictor import Predictor, Streaming
from holdfast.systems.nonstationary_meta.symbols import SymbolTypeError

KINDS = [
    Recurrent("lstm", hidden=6),
    Recurrent("gru", hidden=6, layers=2),
    StackRNN(hidden=5, stacks=2, depth=3, width=2),
    WindowMLP(window=3, hidden=6),
    Transformer(8, 2, 2, ALiBi(), SlidingWindow(3)),
    Transformer(8, 2, 2, SinCos(), Chunks(4)),
    Transformer(8, 1, 2, SinCos()),
]
each = pytest.mark.parametrize("network", KINDS, ids=lambda n: f"{type(n).__name__} {getattr(n, 'cell', '')}".strip())


def net_of(network, alphabet=2):
    torch.manual_seed(0)
    net = network.build(alphabet)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return net


def bits(rows=3, length=9, alphabet=2):
    return np.random.default_rng(0).integers(0, alphabet, (rows, length))


def explicit(net, past):
    """Log-probabilities of the symbol after `past`, read in one piece from the start token."""
    with torch.no_grad():
        return net.eval()(torch.tensor([[net.alphabet, *past]]))[0][0, -1].double().log_softmax(-1).numpy()


# ----------------------------------------------------------------------------------------------------------- batched
@each
@pytest.mark.parametrize("tokens", [1, 7, 65_536])
def test_log_probs_are_those_of_every_prefix(network, tokens):
    net, x = net_of(network, 3), bits(alphabet=3)
    ours = network_log_probs(net, x, tokens=tokens)
    assert ours.dtype == np.float64
    for b in range(3):
        for t in range(9):
            assert np.allclose(ours[b, t], explicit(net, x[b, :t].tolist()), atol=1e-5)


@pytest.mark.filterwarnings("error")
def test_arrays_that_may_not_be_written_are_read_without_a_word():
    net, x = net_of(KINDS[0]), bits()
    x.setflags(write=False)
    np.testing.assert_array_equal(network_log_probs(net, x), network_log_probs(net, x.copy()))


@each
@pytest.mark.parametrize("context", [1, 4, 20])
def test_with_a_context_each_symbol_is_predicted_from_a_window(network, context):
    net, x, seen = net_of(network), bits(), []
    ours = network_log_probs(net, x, context=context, tokens=11, on_step=lambda done, total: seen.append((done, total)))
    for b in range(3):
        for t in range(9):
            window = x[b, max(0, t - context + 1) : t].tolist()
            assert np.allclose(ours[b, t], explicit(net, window), atol=1e-5)
    assert seen[-1][0] == seen[-1][1]


def test_training_mode_is_put_back_and_dropout_is_off():
    net = Transformer(8, 1, 2, dropout=0.5).build().train()
    assert np.array_equal(network_log_probs(net, bits()), network_log_probs(net, bits()))
    assert net.training
    assert net.blocks[0].dropout.training


def test_kinds_of_input():
    net = net_of(KINDS[0])
    tensor = network_log_probs(net, torch.from_numpy(bits()))
    assert isinstance(tensor, torch.Tensor)
    assert np.array_equal(tensor.numpy(), network_log_probs(net, bits()))
    assert network_log_probs(net, bits().astype(np.int8)).shape == (3, 9, 2)
    assert network_log_probs(net, np.zeros((0, 5), int)).shape == (0, 5, 2)
    assert network_log_probs(net, np.zeros((2, 0), int)).shape == (2, 0, 2)
    with pytest.raises(SymbolTypeError):
        network_log_probs(net, bits() / 2)
    wrong = bits()
    wrong[1, 4] = 2
    with pytest.raises(InputError, match=r"2 at index \(1, 4\)"):
        network_log_probs(net, wrong)
    with pytest.raises(InputError, match="context"):
        network_log_probs(net, bits(), context=0)


# ----------------------------------------------------------------------------------------------------------- streams
@each
def test_a_stream_says_what_the_batch_says(network):
    net, x = net_of(network), bits(1, 12)
    batched = network_log_probs(net, x)[0]
    stream, marginal = NetworkStream(net), 0.0
    for t, symbol in enumerate(x[0].tolist()):
        assert np.allclose(stream.log_prob(), batched[t], atol=1e-5)
        marginal += batched[t, symbol]
        stream.update(symbol)
    assert stream.log_marginal == pytest.approx(marginal, abs=1e-4)
    assert stream.t == 12
    steps = NetworkStream(net).extend(x[0])
    assert np.allclose(steps.log_probs, batched, atol=1e-5)
    assert np.isnan(steps.change).all()


@each
def test_copies_and_states_are_independent(network):
    net = net_of(network)
    stream = NetworkStream(net)
    stream.extend([0, 1, 1, 0, 1])
    twin, other = stream.copy(), NetworkStream(net)
    other.load_state_dict(stream.state_dict())
    before = stream.log_prob()
    stream.extend([1, 1, 1])
    for each_ in (twin, other):
        assert np.array_equal(each_.log_prob(), before)
        assert each_.t == 5
        each_.extend([1, 1, 1])
        assert np.allclose(each_.log_prob(), stream.log_prob(), atol=1e-6)
        assert each_.log_marginal == pytest.approx(stream.log_marginal, abs=1e-6)


def test_states_of_something_else_are_refused():
    stream = NetworkStream(net_of(KINDS[0]))
    state = stream.state_dict()
    with pytest.raises(InputError, match="state"):
        stream.load_state_dict({**state, "more": np.zeros(1)})
    with pytest.raises(InputError, match=r"state\.0"):
        stream.load_state_dict({**state, "state.0": np.zeros(3, dtype=int)})
    with pytest.raises(InputError, match="symbol"):
        stream.update(2)
    with pytest.raises(InputError, match="state"):
        stream.load_state_dict(KT().state_dict())


# --------------------------------------------------------------------------------------------------------- estimator
def tiny(**settings):
    return MetaPredictor(**{"network": KINDS[0], "source": SourcePrior("ptw", 8), "steps": 3, "batch": 4, **settings})


def test_a_fitted_predictor_is_a_predictor(tmp_path):
    model = tiny().fit()
    assert isinstance(model, Predictor)
    assert isinstance(model, Streaming)
    assert (model.name, model.alphabet) == ("meta lstm", 2)
    x = bits()
    log_probs = model.log_probs(x)
    assert np.allclose(np.exp(log_probs).sum(-1), 1)
    assert np.allclose(model.predict_proba(x), np.exp(log_probs))
    stream = model.stream()
    stream.extend(x[0])
    assert stream.log_marginal == pytest.approx(log_probs[0, np.arange(9), x[0]].sum(), abs=1e-4)
    loaded = MetaPredictor.load(model.save(tmp_path / "model"))
    assert np.array_equal(loaded.log_probs(x), log_probs)


def test_every_named_network_can_be_asked_for():
    for name in NETWORKS:
        assert MetaPredictor(name)._network() is NETWORKS[name]
        assert MetaPredictor(name).name == f"meta {name}"
    assert MetaPredictor(Transformer()).name == "meta transformer"


def test_training_on_a_source_or_on_sequences_of_ones_own():
    source = PiecewiseBernoulli("lin", T=8, beta=(1.0, 2.0))
    model = MetaPredictor.from_source(source, network=KINDS[0], steps=2, batch=4)
    assert model.source == SourcePrior(source.partition, 8, (1.0, 2.0))
    x = np.random.default_rng(0).integers(0, 3, (64, 6))
    x[:, 1:] = x[:, :1]  # the first symbol says all
    own = MetaPredictor(Recurrent("gru", hidden=12), alphabet=3, steps=150, batch=16, lr=0.02).fit(x)
    sure = own.predict_proba(x)[np.arange(64), 3, x[:, 3]]
    assert sure.min() > 0.8


def test_wrong_use_is_named():
    with pytest.raises(NotFitted):
        tiny().stream()
    with pytest.raises(InputError, match="context"):
        tiny(context=3).fit().stream()
    cases = [
        ({"network": "lstmm"}, "network"),
        ({"source": "pwt"}, "kind"),
        ({"alphabet": 1}, "alphabet"),
        ({"steps": 0}, "steps"),
        ({"lr": -1}, "lr"),
        ({"chunk": 0}, "chunk"),
        ({"precision": "64"}, "precision"),
    ]
    for settings, named in cases:
        with pytest.raises(InputError, match=named):
            tiny(**settings).fit()
    for wrong, named in ((np.zeros((2, 5), int), "X"), (np.full((8, 5), 2), "X"), (np.zeros((8, 0), int), "X")):
        with pytest.raises(InputError, match=named):
            tiny().fit(wrong)
    with pytest.raises(SymbolTypeError):
        tiny().fit(np.zeros((8, 5)))
