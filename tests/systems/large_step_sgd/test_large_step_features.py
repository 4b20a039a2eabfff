"""Sparsity of features and its monitor, against scans, the reference and hand-made cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.layers.outputs import Hooks
from holdfast.systems.large_step_sgd import FeatureSparsityMonitor, feature_sparsity, jacobian_rank
from holdfast.systems.large_step_sgd.method.features import correlations, first_to_go

VECTORS = Path(__file__).parents[2] / "vectors" / "large_step_sgd.npz"


def scanned(phi, threshold):
    """The recipe step by step, on numpy: columns are deleted one at a time, and the scan goes on behind."""
    n, m = phi.shape
    alive = [j for j in range(m) if (phi[:, j] > 0).any()]
    columns = list(alive)
    for j in alive:
        for k in columns:
            if k == j or phi[:, j].std() == 0 or phi[:, k].std() == 0:
                continue
            if abs(np.corrcoef(phi[:, j], phi[:, k])[0, 1]) > threshold:
                columns.remove(j)
                break
    return columns, (phi[:, columns] > 0).sum() / (n * m)


@pytest.mark.parametrize("seed", range(4))
def test_the_coefficient_is_that_of_a_scan(seed):
    rng = np.random.default_rng(seed)
    basis = rng.normal(size=(30, 6))
    phi = np.maximum(basis[:, rng.integers(0, 6, 25)] + 0.3 * rng.normal(size=(30, 25)), 0)
    phi[:, 3] = 0
    phi[:, 8] = 2.0
    for threshold in (0.95, 0.8, 0.6):
        kept, dedup = scanned(phi, threshold)
        report = feature_sparsity(torch.from_numpy(phi), threshold)
        assert report.kept_indices.tolist() == kept
        assert report.dedup == pytest.approx(dedup, abs=1e-12)
        assert report.n_dead == 1
        assert report.n_duplicates == 25 - 1 - len(kept)
        assert report.raw == pytest.approx((phi > 0).mean())
        assert report.dedup <= report.raw
    assert report.n_duplicates > 0
    assert 8 in kept


def test_of_a_group_of_duplicates_the_last_one_is_left():
    rng = np.random.default_rng(0)
    a, b = rng.random(10), rng.random(10)
    phi = torch.tensor(np.stack([a, b, 2 * a, 3 * a, b], axis=1))
    assert feature_sparsity(phi).kept_indices.tolist() == [3, 4]
    chain = np.zeros((4, 4), bool)  # 0-1, 1-2, 2-3: 0 goes for 1, 1 for 2, 2 for 3
    for i in range(3):
        chain[i, i + 1] = chain[i + 1, i] = True
    assert first_to_go(chain).tolist() == [False, False, False, True]
    star = np.zeros((3, 3), bool)  # 0-1 and 0-2: 0 goes, and 1 and 2 have nobody
    star[0, 1:] = star[1:, 0] = True
    assert first_to_go(star).tolist() == [False, True, True]
    back = np.zeros((3, 3), bool)  # 2 is like 0 and 1; 0 and 1 go first
    back[2, :2] = back[:2, 2] = True
    assert first_to_go(back).tolist() == [False, False, True]


def test_constant_columns_are_never_deleted():
    phi = torch.full((9, 3), 0.1, dtype=torch.float64)
    phi[:, 2] = torch.arange(9)
    report = feature_sparsity(phi)
    assert report.kept_indices.tolist() == [0, 1, 2]
    assert correlations(phi)[0].isnan()[1:].all()


def test_scale_dead_units_and_doubled_units():
    rng = torch.Generator().manual_seed(0)
    phi = torch.randn(50, 12, generator=rng).relu()
    once = feature_sparsity(phi)
    assert feature_sparsity(phi * torch.rand(12, generator=rng).add(0.1)).dedup == once.dedup
    assert feature_sparsity(torch.cat([phi, torch.zeros(50, 4)], 1)).dedup == pytest.approx(once.dedup * 12 / 16)
    twice = feature_sparsity(torch.cat([phi, phi], 1))
    assert twice.dedup == pytest.approx(once.dedup / 2)
    assert twice.raw == pytest.approx(once.raw)
    assert twice.kept_indices.tolist() == (12 + once.kept_indices).tolist()


def test_units_are_drawn_and_are_the_denominator():
    phi = torch.eye(40).repeat(2, 1)
    report = feature_sparsity(phi, max_units=10)
    assert report.units == 10
    assert report.raw == pytest.approx(1 / 40)
    assert len(report.kept_indices) == 10
    other = feature_sparsity(phi, max_units=10, generator=torch.Generator().manual_seed(5))
    assert other.kept_indices.tolist() != report.kept_indices.tolist()
    assert feature_sparsity(phi, max_units=None).units == 40
    assert feature_sparsity(phi.reshape(80, 4, 10), max_units=10).kept_indices.tolist() == report.kept_indices.tolist()


def test_rows_of_norm_one_leave_rows_of_zeros():
    phi = torch.tensor([[3.0, 4.0], [0.0, 0.0], [6.0, 8.0], [1.0, 0.5]])
    assert feature_sparsity(phi, 0.9, normalize=True).raw == 0.75
    assert feature_sparsity(phi, 0.9).n_duplicates == 1


def test_dead_layers_are_zero_with_a_warning_and_bad_features_are_refused():
    with pytest.warns(UserWarning, match="no unit is active"):
        report = feature_sparsity(torch.zeros(4, 3))
    assert (report.raw, report.dedup, report.n_dead) == (0.0, 0.0, 3)
    for bad, what in ((torch.ones(1, 3), "features"), (torch.full((3, 2), float("nan")), "features")):
        with pytest.raises(InputError, match=what):
            feature_sparsity(bad)
    for threshold in (0.0, 1.5):
        with pytest.raises(InputError, match="corr_threshold"):
            feature_sparsity(torch.ones(3, 2), threshold)


def three_layers(saved):
    net = nn.Sequential(nn.Linear(3, 10), nn.ReLU(), nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 1))
    with torch.no_grad():
        for k, i in enumerate((0, 2, 4)):
            net[i].weight.copy_(torch.from_numpy(saved[f"fc3_W{k}"]))
            net[i].bias.copy_(torch.from_numpy(saved[f"fc3_b{k}"]))
    return net


def test_three_layers_are_the_references():
    with np.load(VECTORS) as file:
        saved = dict(file)
    net, x = three_layers(saved), torch.from_numpy(saved["fc2_X"])
    np.testing.assert_allclose(net(x).detach().numpy(), saved["fc3_out"], atol=1e-6)
    with Hooks(net, ["3"]) as hooks:
        net(x)
    phi = hooks.features()["3"]
    assert feature_sparsity(phi, 0.99, normalize=True).dedup == pytest.approx(float(saved["fc3_sparsity_0.99"]))
    report = feature_sparsity(phi, 0.8, normalize=True)
    assert report.n_dead + report.n_duplicates == int(saved["fc3_ncorr_0.8"])  # all that are removed
    for method in ("exact", "sketch"):
        assert [jacobian_rank(net, x, method=method).rank] == saved["fc3_jac_rank_1e-4"].tolist()


def test_a_monitor_measures_every_so_often_in_evaluation_mode():
    net = nn.Sequential(nn.Linear(2, 5), nn.Dropout(0.5), nn.ReLU())
    x = torch.randn(20, 2)
    monitor = FeatureSparsityMonitor(net, ["2"], [(x[:10], 0), (x[10:], 0)], every=3)
    found = [monitor.step() for _ in range(6)]
    assert [report is None for report in found] == [True, True, False, True, True, False]
    assert [step for step, _ in monitor.history] == [3, 6]
    assert net.training
    assert found[2]["2"].dedup == feature_sparsity(net[0](x).relu()).dedup


def test_a_monitor_names_the_layer_whose_outputs_are_not_finite():
    net = nn.Sequential(nn.ReLU(), nn.Linear(1, 1), nn.ReLU())
    nn.init.constant_(net[1].weight, 1e38)
    monitor = FeatureSparsityMonitor(net, ["0", "2"], [torch.full((3, 1), 1e3)], every=1)
    with pytest.raises(InputError, match="outputs of layer 2: must be finite"):
        monitor.step()
