"""Streams: one symbol at a time equals many at once, states travel, horizons end, wrong symbols change nothing."""

import itertools
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta import (
    KT,
    LIN,
    PTW,
    DecayedKT,
    PTWPredictor,
    SymbolTypeError,
    WindowKT,
    decayed_kt_log_probs,
    kt_log_probs,
    lin_log_probs,
    ptw_log_probs,
    window_kt_log_probs,
)
from holdfast.systems.nonstationary_meta.tool import batched, lin_stream, ptw_stream
from holdfast.systems.nonstationary_meta.tool.predictors import EXACT, Predictor, Streaming, predictor

MAKERS = {
    "kt": (lambda a: KT(a), lambda x, a: kt_log_probs(x, alphabet=a, return_predictive=True)),
    "decayed": (
        lambda a: DecayedKT(0.9, a),
        lambda x, a: decayed_kt_log_probs(x, 0.9, alphabet=a, return_predictive=True),
    ),
    "window": (lambda a: WindowKT(5, a), lambda x, a: window_kt_log_probs(x, 5, alphabet=a, return_predictive=True)),
    "ptw": (lambda a: PTW(7, a), lambda x, a: ptw_log_probs(x, 7, alphabet=a, return_predictive=True)),
    "ptw grows": (lambda a: PTW("auto", a), lambda x, a: ptw_log_probs(x, "auto", alphabet=a, return_predictive=True)),
    "ptw deep": (lambda a: PTW(40, a), lambda x, a: ptw_log_probs(x, 40, alphabet=a, return_predictive=True)),
    "lin": (lambda a: LIN(a), lambda x, a: lin_log_probs(x, alphabet=a, return_predictive=True)),
    "lin exact": (
        lambda a: LIN(a, prune=None),
        lambda x, a: lin_log_probs(x, prune=None, alphabet=a, return_predictive=True),
    ),
    "lin pruned": (
        lambda a: LIN(a, prune=6.0),
        lambda x, a: lin_log_probs(x, prune=6.0, alphabet=a, return_predictive=True),
    ),
}
each = pytest.mark.parametrize("name", MAKERS)
cases = st.integers(2, 20).flatmap(
    lambda a: st.tuples(st.just(a), st.lists(st.integers(0, a - 1), min_size=1, max_size=70), st.integers(0, 70))
)


def equal_states(a, b, tolerance=1e-10):
    first, second = a.state_dict(), b.state_dict()
    assert set(first) == set(second)
    for name, value in first.items():
        np.testing.assert_allclose(value, second[name], rtol=0, atol=tolerance, err_msg=name)


@each
@given(case=cases)
@settings(max_examples=12)
def test_one_by_one_equals_many_at_once(name, case):
    alphabet, x, cut = case
    make, batch = MAKERS[name]
    slow, fast = make(alphabet), make(alphabet)
    predicted, change = [], []
    for symbol in x:
        predicted.append(slow.log_prob())
        slow.update(symbol)
        change.append(slow.change_prob())
    parts = [fast.extend(x[:cut]), fast.extend(x[cut:])]
    np.testing.assert_allclose(predicted, batch([x], alphabet)[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.concatenate([p.log_probs for p in parts]), predicted, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.concatenate([p.change for p in parts]), change, rtol=0, atol=1e-12)
    assert slow.t == fast.t == len(x)
    assert slow.log_marginal == pytest.approx(sum(p[s] for p, s in zip(predicted, x, strict=True)), abs=1e-11)
    equal_states(slow, fast)


@each
@given(case=cases)
@settings(max_examples=8)
def test_without_the_compiled_loops_the_numbers_are_the_same(name, case):
    alphabet, x, _ = case
    make, batch = MAKERS[name]
    fast, stream = batch([x], alphabet), make(alphabet).extend(x)
    with pytest.MonkeyPatch.context() as patch:
        for module in (batched, ptw_stream, lin_stream):
            patch.setattr(module, "compiled", lambda: None)
        slow, slow_stream = batch([x], alphabet), make(alphabet).extend(x)
        stepwise = make(alphabet)
        for symbol in x:
            stepwise.update(symbol)
    np.testing.assert_allclose(slow, fast, rtol=0, atol=1e-12)
    np.testing.assert_allclose(slow_stream.log_probs, stream.log_probs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(slow_stream.change, stream.change, rtol=0, atol=1e-12)
    other = make(alphabet)
    other.extend(x)
    equal_states(stepwise, other)


@each
def test_states_travel(name):
    make, _ = MAKERS[name]
    x = np.random.default_rng(3).integers(0, 3, 60)
    stream = make(3)
    stream.extend(x[:37])
    twin, other = stream.copy(), make(3)
    other.load_state_dict(stream.state_dict())
    before = stream.state_dict()
    for each_one in (twin, other):
        each_one.extend(x[37:])
    equal_states(twin, other, 0)
    for key, value in before.items():
        np.testing.assert_array_equal(stream.state_dict()[key], value)  # copies share nothing with it
    stream.extend(x[37:])
    equal_states(stream, twin, 0)


@each
def test_reading_a_prediction_changes_nothing(name):
    make, _ = MAKERS[name]
    stream = make(2)
    stream.extend([0, 1, 1, 1, 0, 1, 1, 0])
    before = stream.state_dict()
    assert np.exp(stream.log_prob()).sum() == pytest.approx(1)
    for key, value in stream.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


WRONG = [
    (2, InputError, "received 2 at index 3"),
    (-1, InputError, "received -1 at index 3"),
    (0.0, SymbolTypeError, "0.0 at index 3"),
    (float("nan"), TypeError, "whole number"),
    ("1", TypeError, "whole number"),
    (None, TypeError, "whole number"),
]


@each
def test_wrong_symbols_are_named_and_change_nothing(name):
    stream = MAKERS[name][0](2)
    stream.extend([0, 1, 1])
    before = stream.state_dict()
    for symbol, error, words in WRONG:
        with pytest.raises(error, match=words):
            stream.update(symbol)
        if isinstance(symbol, int):
            with pytest.raises(InputError, match=f"received {symbol} at index 1"):
                stream.extend([0, symbol])
    for key, value in stream.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_symbols_of_all_whole_kinds_are_taken():
    stream = PTW()
    for symbol in (True, np.bool_(False), np.int8(1), np.uint64(0), torch.tensor(1)):
        stream.update(symbol)
    assert stream.extend(np.array([True, False])).log_probs.shape == (2, 2)
    assert stream.t == 7


def test_a_wrong_state_is_refused():
    stream = PTW(5)
    stream.extend([0, 1, 1])
    state = stream.state_dict()
    with pytest.raises(InputError, match="must have exactly"):
        PTW(5).load_state_dict({k: v for k, v in state.items() if k != "counts"})
    with pytest.raises(InputError, match="counts"):
        PTW(5).load_state_dict({**state, "counts": state["counts"] + 1})
    with pytest.raises(InputError, match="log_odds"):
        PTW(5).load_state_dict({**state, "log_odds": state["log_odds"] * np.nan})
    with pytest.raises(InputError, match="must be at least 2 for 3 symbols"):
        PTW(1).load_state_dict(state)
    for name, value in {"t": 1.5, "log_marginal": "none"}.items():
        with pytest.raises(InputError, match=rf"state\['{name}'\]: must hold"):
            PTW(5).load_state_dict({**state, name: value})
    with pytest.raises(InputError, match=r"state\['t'\]: must be a whole number of at least 0; received -1"):
        KT().load_state_dict({**KT().state_dict(), "t": -1})
    for other, key in ((KT(), "counts"), (DecayedKT(), "counts"), (WindowKT(2), "recent"), (LIN(), "length")):
        other.extend([0, 1, 1])
        wrong = other.state_dict()
        wrong[key] = wrong[key] + 7
        with pytest.raises(InputError, match=key):
            type(other)().load_state_dict(wrong)


# ------------------------------------------------------------------------------------------------------------- horizon
def test_the_horizon_is_a_limit_and_the_message_gives_the_depth_needed():
    stream = PTW(2)
    stream.extend([0, 1, 1, 0])
    for call in (lambda: stream.update(1), lambda: stream.extend([1]), stream.prob):
        with pytest.raises(InputError, match="depth: must be at least 3 for 5 symbols, or 'auto'; received 2"):
            call()
    assert stream.t == 4
    for depth in (-1, 63, 1.5, "deep", True):
        with pytest.raises(InputError, match="depth"):
            PTW(depth)


def test_depth_zero_and_the_first_symbol():
    stream = PTW(0)
    np.testing.assert_array_equal(stream.prob(), [0.5, 0.5])
    stream.update(1)
    assert stream.log_marginal == pytest.approx(np.log(0.5))


def test_a_stream_without_horizon_keeps_a_state_that_grows_with_the_logarithm():
    stream = PTW()
    sizes = []
    for _ in range(14):
        stream.extend(np.zeros(max(stream.t, 1), np.int64))  # doubles
        sizes.append(sum(value.nbytes for value in stream.state_dict().values()))
    assert stream.t == 1 << 13
    assert set(np.diff(sizes)) == {8 * 3}  # two counts and the odds of one more node


def test_lin_forgets_starts_before_a_change():
    stream = LIN()
    stream.extend(np.repeat([0, 1, 0, 1], 400))
    assert stream.records < 500
    start, probability = stream.starts()
    assert abs(int(start[probability.argmax()]) - 1200) <= 1
    assert probability.sum() == pytest.approx(1)


def test_a_limit_bounds_lin_where_nothing_changes():
    x = (np.random.default_rng(0).random(5000) < 0.3).astype(np.int64)
    exact, limited, in_parts = LIN(prune=None), LIN(limit=500), LIN(limit=500)
    exact.extend(x)
    steps = limited.extend(x)
    assert limited.records < 500 + 1024 < 4000 < exact.records
    assert 0 < limited.dropped < 0.1
    assert abs(exact.log_marginal - limited.log_marginal) < 0.05
    np.testing.assert_allclose(np.exp(steps.log_probs).sum(1), 1, rtol=0, atol=1e-12)
    for part in (x[:1000], x[1000:1030], x[1030:]):  # pieces that end on neither side of 1,024
        in_parts.extend(part)
    np.testing.assert_allclose(in_parts.prob(), limited.prob(), rtol=0, atol=1e-12)
    assert in_parts.records == limited.records
    assert exact.dropped == 0


def test_the_limit_of_one_by_one_is_that_of_many_at_once():
    x = (np.random.default_rng(1).random(1100) < 0.3).astype(np.int64)
    many, single = LIN(limit=300), LIN(limit=300)
    many.extend(x)
    for symbol in x.tolist():
        single.update(symbol)
    equal_states(many, single)
    assert many.records == 300 + 1100 - 1024
    with pytest.raises(InputError, match="limit: must be a whole number"):
        LIN(limit=1)


def test_long_equal_stretches_do_not_wrap_a_counter():
    """The reference's 8-bit counters do after 255 symbols."""
    stream = LIN(prune=None)
    stream.extend(np.zeros(600, np.int64))
    assert stream.prob()[0] > 0.9975
    kt = KT()
    kt.extend(np.zeros(70_000, np.int64))
    assert kt.prob()[0] == pytest.approx(70_000.5 / 70_001)


def test_many_symbols_use_logarithms_and_agree():
    """256 symbols are beyond what plain floats are safe for."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.integers(0, 4, 2000), rng.integers(100, 104, 2000)])
    fast, slow = PTW(alphabet=256), PTW(alphabet=256)
    steps = fast.extend(x)
    for t, symbol in enumerate(x.tolist()):
        if t % 500 == 499:
            np.testing.assert_allclose(slow.log_prob(), steps.log_probs[t], rtol=0, atol=1e-9)
        slow.update(symbol)
    lin = LIN(alphabet=256)
    assert np.isfinite(lin.extend(x[1900:2200]).log_probs).all()
    start, probability = lin.starts()
    assert start[probability.argmax()] == 100


# ---------------------------------------------------------------------------------------------------------- by name
def test_predictors_by_name_fit_the_interface():
    x = np.random.default_rng(0).integers(0, 2, (3, 20))
    for name in EXACT:
        each_one = predictor(name)
        assert isinstance(each_one, Predictor)
        assert isinstance(each_one, Streaming)
        assert each_one.alphabet == 2
        log_probs = each_one.log_probs(x)
        assert log_probs.shape == (3, 20, 2)
        stream = each_one.stream()
        if name != "ptw":  # without a depth a stream grows; see below
            np.testing.assert_allclose(stream.extend(x[0]).log_probs, log_probs[0], rtol=0, atol=1e-12)
    assert len({predictor(name).name for name in EXACT}) == len(EXACT)
    deep = PTWPredictor(depth=8)
    np.testing.assert_allclose(deep.stream().extend(x[0]).log_probs, deep.log_probs(x)[0], rtol=0, atol=1e-12)


def test_predictors_refuse_what_they_do_not_have():
    with pytest.raises(InputError, match="model: must be one of"):
        predictor("ctw")
    with pytest.raises(InputError, match="decay: must not be given with ptw"):
        predictor("ptw", decay=0.9)


def test_the_streams_need_neither_torch_nor_pandas():
    import subprocess

    code = "import sys; from holdfast.systems.nonstationary_meta import PTW, LIN; PTW(3).update(1); "
    code += "print([m for m in ('torch', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_strings_that_agree_have_equal_states():
    for x in itertools.product([0, 1], repeat=3):
        a, b = PTW(3), PTW(3)
        a.extend(x)
        b.extend(torch.tensor(x))
        equal_states(a, b, 0)
