import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.losses.alignment import Alignment, DistributionAligner, align


def simplex(generator, *shape):
    return torch.rand(*shape, generator=generator, dtype=torch.float64).add(0.01).log().softmax(-1)


def test_align_against_loops():
    g = torch.Generator().manual_seed(0)
    q, p_src, p_tgt = simplex(g, 7, 4), simplex(g, 4), simplex(g, 4)
    expected = np.zeros((7, 4))
    for i in range(7):
        for k in range(4):
            expected[i, k] = float(q[i, k]) * (1e-6 + float(p_src[k])) / (1e-6 + float(p_tgt[k]))
        expected[i] /= sum(expected[i])
    np.testing.assert_allclose(align(q, p_src, p_tgt).numpy(), expected, rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(1, 9), st.integers(0, 999))
def test_aligned_rows_sum_to_one_and_equal_marginals_change_nothing(k, n, seed):
    g = torch.Generator().manual_seed(seed)
    q, p, other = simplex(g, n, k), simplex(g, k), simplex(g, k)
    torch.testing.assert_close(align(q, p, other).sum(1), torch.ones(n, dtype=torch.float64))
    torch.testing.assert_close(align(q, p, p), q)


def test_align_survives_classes_that_never_occur():
    q = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    out = align(q, torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))
    assert torch.isfinite(out).all()
    torch.testing.assert_close(out.sum(1), torch.ones(2))


@pytest.mark.parametrize("window", [1, 3, 128])
def test_running_marginals_against_a_list(window):
    """p_src: exponential average from 1/K. p_tgt: mean of the last `window` values, filled with 1/K before."""
    aligner = DistributionAligner(3, ema=0.9, window=window).double()
    g = torch.Generator().manual_seed(1)
    p, history = np.full(3, 1 / 3), [np.full(3, 1 / 3)] * window
    for _ in range(7):
        source, target = simplex(g, 3), simplex(g, 3)
        aligner.update(source, target)
        p = 0.9 * p + 0.1 * source.numpy()
        history.append(target.numpy())
        np.testing.assert_allclose(aligner.p_src, p, rtol=1e-6)
        np.testing.assert_allclose(aligner.p_tgt, np.mean(history[-window:], 0), rtol=1e-6)
    q = simplex(g, 5, 3)
    torch.testing.assert_close(aligner(q), align(q, aligner.p_src, aligner.p_tgt))


def test_modes_choose_the_reference_marginal():
    probs, labels = torch.tensor([[0.9, 0.1], [0.7, 0.3]]), torch.tensor([1, 1])
    torch.testing.assert_close(DistributionAligner(2).source_marginal(probs, labels), torch.tensor([0.8, 0.2]))
    by_labels = DistributionAligner(2, "labels").source_marginal(probs, labels)
    torch.testing.assert_close(by_labels, torch.tensor([0.0, 1.0]))
    fixed = DistributionAligner(2, "prior", prior=[3, 1])
    fixed.update(torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.5]))
    torch.testing.assert_close(fixed.p_src, torch.tensor([0.75, 0.25]))


def test_state_is_saved_with_its_position():
    a, b = DistributionAligner(3, window=4), DistributionAligner(3, window=4)
    for i in range(6):
        a.update(torch.eye(3)[i % 3], torch.eye(3)[i % 3])
    b.load_state_dict(a.state_dict())
    for x in (a, b):
        x.update(torch.eye(3)[0], torch.eye(3)[1])
    assert torch.equal(a.p_src, b.p_src)
    assert torch.equal(a.recent, b.recent)
    assert set(a.state_dict()) == {"p_src", "recent", "cursor"}


def test_half_precision_marginals_are_kept_in_single_precision():
    aligner = DistributionAligner(2)
    aligner.update(torch.tensor([0.5, 0.5], dtype=torch.bfloat16), torch.tensor([0.5, 0.5], dtype=torch.bfloat16))
    assert aligner.p_src.dtype == torch.float32


@pytest.mark.parametrize(
    ("argument", "arguments"),
    [
        ("num_classes", {"num_classes": 1}),
        ("mode", {"mode": "target"}),
        ("ema", {"ema": 1.5}),
        ("window", {"window": 0}),
        ("prior", {"mode": "prior"}),
        ("prior", {"prior": (0.5, 0.5)}),
        ("prior", {"mode": "prior", "prior": (0.5, 0.25, 0.25)}),
        ("prior", {"mode": "prior", "prior": (1.0, 0.0)}),
    ],
)
def test_wrong_settings_are_refused_by_name(argument, arguments):
    with pytest.raises(InputError, match=f"^{argument}: "):
        DistributionAligner(**{"num_classes": 2, **arguments})


def test_settings_build_the_aligner_they_describe():
    aligner = Alignment("prior", ema=0.5, window=7, eps=1e-3, prior=(1.0, 3.0)).build(2)
    assert (aligner.mode, aligner.ema, aligner.window, aligner.eps) == ("prior", 0.5, 7, 1e-3)
    torch.testing.assert_close(aligner.p_src, torch.tensor([0.25, 0.75]))
