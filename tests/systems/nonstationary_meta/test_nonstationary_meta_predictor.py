"""Trained networks used like exact predictors: batched, from windows, as streams, saved and loaded."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest
import torch

from holdfast.canonical import sealed
from holdfast.data.symbols import SymbolTypeError
from holdfast.errors import InputError
from holdfast.estimator import NotFitted
from holdfast.layers.sequence import NETWORKS
from holdfast.systems.nonstationary_meta import (
    KT,
    ALiBi,
    Chunks,
    MetaPredictor,
    NetworkStream,
    NormalGaps,
    PiecewiseBernoulli,
    RandomShift,
    Recurrent,
    SinCos,
    SlidingWindow,
    SourcePrior,
    StackRNN,
    Transformer,
    WindowMLP,
    network_log_probs,
)
from holdfast.systems.nonstationary_meta.estimator import MOVED
from holdfast.systems.nonstationary_meta.tool.predictors import Predictor, Streaming

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


def test_models_saved_before_parts_moved_are_read(tmp_path):
    model = tiny(source=SourcePrior(RandomShift(NormalGaps(5, 1)), 8)).fit()
    config = model.save(tmp_path / "model") / "config.json"
    text = config.read_text()
    for was, now in MOVED.items():
        module, _, name = now.partition(":")
        assert hasattr(importlib.import_module(module), name), now
        text = text.replace(f'"{now}"', f'"{was}"')
    for earlier in ("meta:SourcePrior", "networks.recurrent:Recurrent", "partitions:NormalGaps"):
        assert f'"holdfast.systems.nonstationary_meta.{earlier}"' in text
    config.write_text(json.dumps(sealed({k: v for k, v in json.loads(text).items() if k != "digest"})))
    loaded = MetaPredictor.load(config.parent)
    assert loaded.source == model.source
    assert np.array_equal(loaded.log_probs(bits()), model.log_probs(bits()))
