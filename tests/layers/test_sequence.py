"""Networks against explicit loops, causality, states, and gradients that reach every parameter."""

from __future__ import annotations

import functools
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.data.symbols import SymbolTypeError
from holdfast.errors import InputError
from holdfast.layers.sequence import (
    NETWORKS,
    ALiBi,
    Chunks,
    Everything,
    Positions,
    Recurrent,
    Relative,
    SinCos,
    SlidingWindow,
    StackRNN,
    Transformer,
    WindowMLP,
    stack_update,
    start_first,
)
from holdfast.layers.sequence.log_probs import network_log_probs

SMALL = {
    "lstm": Recurrent("lstm", hidden=6, embedding=3),
    "gru, two layers": Recurrent("gru", hidden=5, embedding=3, layers=2),
    "rnn with perceptrons": Recurrent("rnn", hidden=5, embedding=3, before=(4,), after=(7, 3)),
    "stack rnn": StackRNN(hidden=5, stacks=1, depth=4, width=3, embedding=3),
    "stack rnn, 2 stacks": StackRNN(hidden=5, stacks=2, depth=3, width=2, embedding=3, after=(4,)),
    "window": WindowMLP(window=3, hidden=6, embedding=2),
    "transformer, no positions": Transformer(8, 2, 2, Positions()),
    "transformer, alibi": Transformer(8, 2, 2, ALiBi()),
    "transformer, sin/cos": Transformer(8, 2, 2, SinCos()),
    "transformer, relative": Transformer(8, 2, 2, Relative()),
    "sliding window, relative": Transformer(8, 2, 4, Relative(), SlidingWindow(3)),
    "sliding window, sin/cos": Transformer(8, 3, 2, SinCos(), SlidingWindow(2)),
    "chunks, sin/cos": Transformer(8, 2, 2, SinCos(), Chunks(4)),
    "chunks, alibi": Transformer(8, 2, 2, ALiBi(), Chunks(3)),
}
each = pytest.mark.parametrize("settings", SMALL.values(), ids=SMALL)


def built(settings, alphabet=2, seed=0):
    """In float64, so that equal means equal to rounding."""
    torch.manual_seed(seed)
    net = settings.build(alphabet).double().eval()
    with torch.no_grad():
        for parameter in net.parameters():  # biases and u, v start at zero and would hide mistakes
            parameter.add_(0.3 * torch.randn_like(parameter))
    return net


kept = functools.cache(built)  # for many examples that only read


def symbols(rows=3, length=11, alphabet=2, seed=0):
    return torch.randint(0, alphabet, (rows, length), generator=torch.Generator().manual_seed(seed))


# ----------------------------------------------------------------------------------------------- for every network
@each
@pytest.mark.parametrize("alphabet", [2, 5])
def test_logits_have_the_shape_of_the_alphabet(settings, alphabet):
    x = symbols(alphabet=alphabet)
    assert built(settings, alphabet).read(x).shape == (3, 11, alphabet)


@each
@settings(max_examples=15)
@given(cut=st.integers(0, 10), seed=st.integers(0, 9))
def test_what_comes_later_changes_nothing(settings, cut, seed):
    net, x = kept(settings), symbols(seed=seed)
    other = x.clone()
    other[:, cut:] = 1 - other[:, cut:]
    with torch.no_grad():
        before, after = net.read(x), net.read(other)
    # The prediction of x[cut] is made from x[:cut] and is the last that must agree.
    assert torch.equal(before[:, : cut + 1], after[:, : cut + 1])


@each
def test_the_symbol_before_matters_and_the_first_prediction_needs_none(settings):
    net, x = built(settings), symbols()
    other = x.clone()
    other[:, 6] = 1 - other[:, 6]
    with torch.no_grad():
        before, after = net.read(x), net.read(other)
        alone = net(torch.full((1, 1), 2))[0]
    if not isinstance(getattr(settings, "context", None), Chunks) or 7 % settings.context.size:
        assert not torch.allclose(before[:, 7], after[:, 7])
    assert torch.allclose(before[:, 0], alone.expand(3, 1, 2)[:, 0])


@each
@settings(max_examples=10)
@given(cuts=st.lists(st.integers(1, 10), max_size=3, unique=True))
def test_pieces_with_a_state_give_what_the_whole_gives(settings, cuts):
    net, x = kept(settings), symbols()
    tokens = start_first(x, 2)
    state, parts, edges = None, [], [0, *sorted(cuts), 11]
    with torch.no_grad():
        for start, end in pairwise(edges):
            logits, state = net(tokens[:, start:end], state)
            parts.append(logits)
        assert torch.allclose(torch.cat(parts, 1), net.read(x), atol=1e-12)


@each
def test_gradients_reach_every_parameter(settings):
    net, x = built(settings), symbols(rows=8, length=12)
    F.cross_entropy(net.read(x).flatten(0, 1), x.flatten()).backward()
    still = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


def test_sizes_follow_width_and_layers():
    assert NETWORKS["lstm"].sized(8, 3) == Recurrent("lstm", hidden=8)
    assert NETWORKS["transformer"].sized(16, 3) == Transformer(16, 3)
    assert NETWORKS["stack_rnn"].sized(8, 3).hidden == NETWORKS["window_mlp"].sized(8, 3).hidden == 8


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (Recurrent("elman"), "cell"),
        (Recurrent(hidden=0), "hidden"),
        (StackRNN(depth=0), "depth"),
        (WindowMLP(window=0), "window"),
        (Transformer(width=10, heads=4), "width"),
        (Transformer(dropout=1.0), "dropout"),
        (Transformer(layers=0), "layers"),
    ],
)
def test_wrong_settings_are_named(settings, named):
    with pytest.raises(InputError, match=named):
        settings.build()
    with pytest.raises(InputError, match="alphabet"):
        Recurrent().build(alphabet=1)


# -------------------------------------------------------------------------------------------------------- recurrent
def test_an_lstm_starts_by_keeping_its_state():
    net = Recurrent("lstm", hidden=4, layers=2).build()
    for layer in range(2):
        assert (getattr(net.core, f"bias_ih_l{layer}")[4:8] == 1).all()
        assert (getattr(net.core, f"bias_ih_l{layer}")[:4] != 1).all()


# -------------------------------------------------------------------------------------------------------- Stack-RNN
def explicit_update(stack, actions, pushed):
    """One stack, as lists of cells: a mixture of three outcomes."""
    empty = [0.0] * len(pushed)
    outcomes = ([pushed, *stack[:-1]], stack, [*stack[1:], empty])
    return [
        [sum(a * outcome[cell][i] for a, outcome in zip(actions, outcomes, strict=True)) for i in range(len(pushed))]
        for cell in range(len(stack))
    ]


def test_stack_update_is_the_mixture_of_push_noop_and_pop():
    generator = torch.Generator().manual_seed(0)
    stack = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64)
    actions = torch.randn(2, 3, 3, generator=generator, dtype=torch.float64).softmax(-1)
    pushed = torch.randn(2, 3, 5, generator=generator, dtype=torch.float64)
    ours = stack_update(stack, actions, pushed)
    for b in range(2):
        for n in range(3):
            by_hand = explicit_update(stack[b, n].tolist(), actions[b, n].tolist(), pushed[b, n].tolist())
            assert torch.allclose(ours[b, n], torch.tensor(by_hand, dtype=torch.float64))


@pytest.mark.parametrize("action", [0, 1, 2])
def test_pure_actions_push_keep_and_pop(action):
    stack = torch.arange(1.0, 4.0).reshape(1, 1, 3, 1)
    weights = F.one_hot(torch.tensor([[action]]), 3).float()
    after = stack_update(stack, weights, torch.full((1, 1, 1), 9.0)).flatten().tolist()
    assert after == [[9, 1, 2], [1, 2, 3], [2, 3, 0]][action]


@pytest.mark.parametrize("stacks", [1, 2])
def test_stack_rnn_is_the_loop_over_time(stacks):
    settings = StackRNN(hidden=5, stacks=stacks, depth=3, width=2, embedding=4)
    net, x = built(settings), symbols(rows=2, length=6)
    for row in range(2):
        h = torch.zeros(5, dtype=torch.float64)
        held = [[[0.0, 0.0] for _ in range(3)] for _ in range(stacks)]
        for t, token in enumerate([2, *x[row, :-1].tolist()]):
            tops = torch.tensor([value for stack in held for value in stack[0]], dtype=torch.float64)
            pre = net.inputs.weight @ net.embed.weight[token] + net.inputs.bias
            h = torch.tanh(pre + net.recurrent.weight @ torch.cat([h, tops]))
            control = net.controls.weight @ h + net.controls.bias
            for s in range(stacks):
                actions = control[3 * s : 3 * s + 3].softmax(0)  # a softmax of its own for every stack
                pushed = control[3 * stacks + 2 * s : 3 * stacks + 2 * s + 2]
                held[s] = explicit_update(held[s], actions.tolist(), pushed.tolist())
            logits = net.head.layers[0].weight @ h.relu() + net.head.layers[0].bias
            assert torch.allclose(net.read(x)[row, t], logits)


# ------------------------------------------------------------------------------------------------------ transformer
@pytest.mark.parametrize(
    ("context", "sees"),
    [
        (Everything(), lambda q, k: k <= q),
        (SlidingWindow(3), lambda q, k: q - 3 < k <= q),
        (Chunks(3), lambda q, k: k <= q and q // 3 == k // 3),
    ],
)
def test_contexts_allow_what_they_say(context, sees):
    at = torch.arange(4, 12)
    allowed = context.allowed(at, at)
    assert allowed.tolist() == [[sees(q, k) for k in range(4, 12)] for q in range(4, 12)]
    assert allowed.diagonal().all(), "a row without a single key would give NaN"


def test_a_sliding_window_is_one_and_chunks_are_not():
    """How far back the prediction at the last token depends on tokens, through two layers."""

    def depends_on(context):
        net, x = built(Transformer(8, 2, 2, SinCos(), context)), symbols(rows=1, length=13)
        found = []
        with torch.no_grad():
            last = net.read(x)[0, -1]
            for i in range(12):
                other = x.clone()
                other[0, i] = 1 - other[0, i]
                if not torch.equal(net.read(other)[0, -1], last):
                    found.append(i)
        return found  # token i + 1 holds x[i]; the last prediction is made at token 12

    assert depends_on(SlidingWindow(3)) == [7, 8, 9, 10, 11]  # 2 layers reach 2 * (3 - 1) tokens back from token 12
    assert depends_on(Chunks(4)) == [11]  # tokens 12 ... 15 are a chunk: nothing before
    assert depends_on(Everything()) == list(range(12))


def test_chunks_restart_absolute_positions():
    net, x = built(Transformer(8, 1, 2, SinCos(), Chunks(4))), symbols(rows=1, length=4)
    tokens = torch.cat([x, x], dim=1)  # the same tokens in both chunks
    with torch.no_grad():
        logits = net(tokens)[0]
    assert torch.allclose(logits[:, :4], logits[:, 4:])


def test_embeddings_start_small_and_dropout_is_off_when_evaluating():
    net = Transformer(64, 1, 8, dropout=0.5).build()
    assert net.embed.weight.abs().max() <= 0.04
    assert 0.01 < float(net.embed.weight.detach().std()) < 0.02
    x = symbols()
    net.train()
    assert not torch.equal(net.read(x), net.read(x))
    net.eval()
    assert torch.equal(net.read(x), net.read(x))


def test_windows_bound_the_state():
    net = built(Transformer(8, 2, 2, ALiBi(), SlidingWindow(3)))
    _, (tokens, first) = net(symbols(rows=1, length=30))
    assert tokens.shape[1] == 4
    assert int(first) == 26
    assert built(Transformer(8, 2, 2))(symbols(rows=1, length=30))[1][0].shape[1] == 30


def test_weights_of_earlier_versions_are_taken():
    """Those had one matrix for queries, keys and values, and other names."""
    net, x = built(Transformer(8, 2, 2, Relative())), symbols()
    old = {}
    for name, value in net.state_dict().items():
        if name.endswith(("attention.k.weight", "attention.v.weight")):
            continue
        if name.endswith("attention.q.weight"):
            parts = [net.state_dict()[name.replace("q.weight", f"{part}.weight")] for part in "qkv"]
            old[name.replace("attention.q", "attention.project")] = torch.cat(parts)
        else:
            name = name.replace("attention.o.", "attention.out.")
            old[name.replace("feed_forward.up", "widen").replace("feed_forward.down", "narrow")] = value
    other = Transformer(8, 2, 2, Relative()).build().double().eval()
    other.load_state_dict(old)
    assert torch.equal(other.read(x), net.read(x))


# -------------------------------------------------------------------------------------------------- log-probabilities
def explicit(net, past):
    """Log-probabilities of the symbol after `past`, read in one piece from the start token."""
    with torch.no_grad():
        return net(torch.tensor([[net.alphabet, *past]]))[0][0, -1].log_softmax(-1).numpy()


@each
@pytest.mark.parametrize("tokens", [1, 7, 65_536])
def test_log_probs_are_those_of_every_prefix(settings, tokens):
    net, x = built(settings, 3), symbols(2, 6, alphabet=3).numpy()
    ours = network_log_probs(net, x, tokens=tokens)
    assert ours.dtype == np.float64
    for b in range(2):
        for t in range(6):
            np.testing.assert_allclose(ours[b, t], explicit(net, x[b, :t].tolist()), atol=1e-12)


@pytest.mark.filterwarnings("error")
def test_arrays_that_may_not_be_written_are_read_without_a_word():
    net, x = kept(SMALL["lstm"]), symbols().numpy()
    x.setflags(write=False)
    np.testing.assert_array_equal(network_log_probs(net, x), network_log_probs(net, x.copy()))


@each
@pytest.mark.parametrize("context", [1, 4, 20])
def test_with_a_context_each_symbol_is_predicted_from_a_window(settings, context):
    net, x, seen = kept(settings), symbols(2, 7).numpy(), []
    ours = network_log_probs(net, x, context=context, tokens=11, on_step=lambda done, total: seen.append((done, total)))
    for b in range(2):
        for t in range(7):
            window = x[b, max(0, t - context + 1) : t].tolist()
            np.testing.assert_allclose(ours[b, t], explicit(net, window), atol=1e-12)
    assert seen[-1][0] == seen[-1][1]


def test_training_mode_is_put_back_and_dropout_is_off():
    net, x = Transformer(8, 1, 2, dropout=0.5).build().train(), symbols()
    assert torch.equal(network_log_probs(net, x), network_log_probs(net, x))
    assert net.training
    assert net.blocks[0].dropout.training


def test_kinds_of_input():
    net, x = kept(SMALL["lstm"]), symbols(3, 9)
    tensor = network_log_probs(net, x)
    assert isinstance(tensor, torch.Tensor)
    assert np.array_equal(tensor.numpy(), network_log_probs(net, x.numpy()))
    assert network_log_probs(net, x.numpy().astype(np.int8)).shape == (3, 9, 2)
    assert network_log_probs(net, np.zeros((0, 5), int)).shape == (0, 5, 2)
    assert network_log_probs(net, np.zeros((2, 0), int)).shape == (2, 0, 2)
    with pytest.raises(SymbolTypeError):
        network_log_probs(net, x.numpy() / 2)
    x[1, 4] = 2
    with pytest.raises(InputError, match=r"2 at index \(1, 4\)"):
        network_log_probs(net, x)
    with pytest.raises(InputError, match="context"):
        network_log_probs(net, symbols(), context=0)
