"""Scores of probabilities and attention: loops, closed forms, the reference's numbers."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from holdfast.errors import InputError
from holdfast.systems.nmt_hallucinations import (
    MCDSim,
    Outputs,
    SeqLogprob,
    WassToData,
    attn_ignored_source,
    attn_to_eos,
    seq_logprob,
    wass_combo,
    wass_to_unif,
)
from holdfast.systems.nmt_hallucinations.method.model_based import OfAttention, convert_score, earth_movers, received

VECTORS = np.load(Path(__file__).parents[2] / "vectors" / "nmt_hallucinations.npz")
MAPS = [torch.from_numpy(VECTORS[f"wass_attn_{i}"].T.copy()) for i in range(6)]  # ours: (target, source)


def drawn(T, S, seed=0):
    return torch.rand(T, S, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).softmax(1)


def test_seq_logprob_is_the_mean_over_the_real_tokens():
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 5, 7, generator=rng, dtype=torch.float64)
    labels = torch.tensor([[1, 2, 3, 6, 0], [4, 6, 0, 0, 0], [1, 1, 1, 1, 6]])  # 0 fills up, 6 ends
    for ending in (True, False):
        for found, row, said in zip(seq_logprob(logits, labels, 0, ending), labels, logits, strict=True):
            real = [t for t in range(5) if row[t] != 0]
            real = real if ending else real[:-1]
            each = [float(said[t, row[t]]) - math.log(sum(math.exp(float(x)) for x in said[t])) for t in real]
            assert float(found) == pytest.approx(sum(each) / len(each), abs=1e-12)


def test_a_sure_model_has_log_probability_0():
    labels = torch.tensor([[2, 1]])
    assert float(seq_logprob(1e4 * torch.nn.functional.one_hot(labels, 4).float(), labels, 0)) == 0


def test_attention_scores_by_loops():
    A = drawn(4, 6)
    mass = [sum(float(A[t, j]) for t in range(4)) for j in range(6)]
    for threshold in (0.2, 0.6, 0.7):
        assert attn_ignored_source(A, threshold) == pytest.approx(sum(m < threshold for m in mass) / 6)
    assert attn_to_eos(A) == pytest.approx(mass[-1] / 4)
    assert wass_to_unif(A) == pytest.approx(0.5 * sum(abs(m / 4 - 1 / 6) for m in mass))
    assert wass_to_unif(torch.full((3, 5), 0.2)) == pytest.approx(0, abs=1e-7)
    assert wass_to_unif(torch.eye(5)[[2, 2]]) == pytest.approx(1 - 1 / 5)


def test_parity_with_the_references_distances():
    for A, expected in zip(MAPS, VECTORS["wass_unif"], strict=True):
        assert wass_to_unif(A) == pytest.approx(float(expected), abs=1e-12)
    width = max(A.shape[1] for A in MAPS)
    padded = torch.stack([torch.nn.functional.pad(received(A), (0, width - A.shape[1])) for A in MAPS])
    found = torch.stack([earth_movers(u, padded) for u in padded])
    assert torch.allclose(found, torch.from_numpy(VECTORS["wass_emd"]), atol=1e-12)
    assert torch.allclose(torch.cdist(padded, padded, p=1) / 2, torch.from_numpy(VECTORS["wass_tv"]), atol=1e-12)
    assert torch.allclose(found, found.T)
    assert (found.diagonal() == 0).all()
    assert (found[:, None, :] <= found[:, :, None] + found[None, :, :] + 1e-12).all()  # triangle


def test_wass_to_data_by_sorting_distances_in_the_window():
    references = [
        drawn(T, S, seed) for seed, (T, S) in enumerate([(9, 5), (10, 8), (10, 3), (11, 6), (10, 12), (20, 4)])
    ]
    A = drawn(10, 7, 99)
    tool = WassToData(references, bottom_k=2)
    near = [r for r in references if 9 < len(r) < 11]  # both ends excluded
    assert len(near) == 3

    def distance(a, b):
        u, v = (np.zeros(20) for _ in range(2))
        u[: a.shape[1]], v[: b.shape[1]] = a.mean(0), b.mean(0)
        return np.abs(np.cumsum(u - v)).sum()

    expected = np.mean(sorted(distance(A, r) for r in near)[:2])
    assert tool.of(A) == pytest.approx(expected)
    assert tool.score(outputs=Outputs((), [A, A]))[1] == pytest.approx(expected)
    alone = WassToData(references, bottom_k=2).of(drawn(40, 7))  # nobody is as long: all count
    assert alone == pytest.approx(np.mean(sorted(distance(drawn(40, 7), r) for r in references)[:2]))


def test_wass_to_data_draws_no_more_references_than_it_may():
    references = [drawn(10, 5, seed) for seed in range(30)]
    few = WassToData(references, bottom_k=1, max_refs=3, seed=1).of(references[0])
    assert few == WassToData(references, bottom_k=1, max_refs=3, seed=1).of(references[0])
    assert {WassToData(references, 1, max_refs=3, seed=s).of(references[0]) > 0 for s in range(40)} == {True, False}
    assert WassToData(references, bottom_k=1).of(references[0]) == pytest.approx(0, abs=1e-12)
    with pytest.raises(InputError, match="at least one map"):
        WassToData([])


def test_the_combination_switches_where_uniform_is_beyond_clean_data():
    clean_unif, clean_data = np.linspace(0, 0.5, 1001), np.linspace(1, 3, 1001)
    to_unif, to_data = np.array([0.1, 0.49999, 0.9]), np.array([2.0, 7.0, 1.5])
    found = wass_combo(to_unif, to_data, clean_unif, clean_data)
    assert found.tolist() == pytest.approx([2.0, 1 + 0.49999 * 4, 1 + 0.9 * 4])
    assert wass_combo(to_unif, to_data, clean_unif, clean_data, share=0.5)[0] == 2.0
    assert convert_score(np.array([2.0, 4.0]), (2.0, 4.0), (0.0, 10.0)).tolist() == [0.0, 10.0]


@pytest.mark.parametrize("of", [attn_ignored_source, attn_to_eos, wass_to_unif])
def test_the_wrong_axis_is_noticed(of):
    A = drawn(4, 6)
    with pytest.raises(InputError, match="is it \\(source, target\\)"):
        of(A.T)
    with pytest.raises(InputError, match="off by"):
        of(A * 1.5)
    assert OfAttention(of).score(outputs=Outputs((), [A])).shape == (1,)


def test_detectors_say_what_is_missing():
    each = [torch.tensor([-1.0, -2.0]), torch.tensor([-0.5])]
    assert SeqLogprob().score(outputs=Outputs(each)).tolist() == [1.5, 0.5]
    with pytest.raises(InputError, match="row 1"):
        SeqLogprob().score(outputs=Outputs([each[0], torch.tensor([float("nan")])]))
    for detector in (SeqLogprob(), OfAttention(attn_to_eos)):
        with pytest.raises(InputError, match="outputs"):
            detector.score(["x"], ["y"])
    with pytest.raises(InputError, match="attention"):
        OfAttention(attn_to_eos).score(outputs=Outputs(each))


def test_mc_dsim_is_minus_the_mean_similarity():
    def shared(texts, others):
        return np.array([len(set(a) & set(b)) for a, b in zip(texts, others, strict=True)], float)

    outputs = Outputs((), (), [["ab", "b", "zz"], ["cd", "cd", "cd"]])
    assert MCDSim(2, shared).score(None, ["ab", "cx"], outputs=outputs).tolist() == [-1.5, -1.0]
    same = Outputs((), (), [["the cat"] * 3])
    assert MCDSim(3).score(None, ["the cat"], outputs=same).tolist() == [-100.0]  # without dropout: sim(y, y)
    with pytest.raises(InputError, match="4 hypotheses"):
        MCDSim(4).score(None, ["ab", "cx"], outputs=outputs)
    with pytest.raises(InputError, match="'chrf'"):
        MCDSim(2, "meteor").score(None, ["ab", "cx"], outputs=outputs)
