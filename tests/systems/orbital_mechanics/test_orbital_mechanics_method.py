"""Pairs, edge functions, Newton's laws, shares and exponents, against loops and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from holdfast.randomness import seeded
from holdfast.systems.orbital_mechanics.method import (
    NOISE,
    CentralEdge,
    LawLearner,
    PairwiseLaw,
    SphericalEdge,
    acceleration_loss,
    cartesian,
    exponents,
    pairs,
    random_rotations,
    share_weights,
    spherical,
)


def law_of(bodies=4, **settings):
    with seeded(3):
        return PairwiseLaw(bodies, log_r=(-1.0, 1.0), **settings).double()


def positions(times=5, bodies=4, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(times, bodies, 3)))


KINDS = [{}, {"equivariance": "augment"}, {"equivariance": "none"}, {"edge": "power"}, {"node_scalars": 2}]


def test_pairs_are_all_of_them_receiver_first():
    i, j = pairs(4)
    assert list(zip(i, j, strict=True)) == [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]


def test_spherical_coordinates_by_hand_and_back():
    d = torch.from_numpy(np.random.default_rng(0).normal(size=(200, 3)) * 10.0 ** np.arange(-3, 5)[:, None, None])
    log_r, theta, phi = spherical(d)
    x, y, z = d[0, 0].tolist()
    r = math.sqrt(x * x + y * y + z * z)
    assert log_r[0, 0].item() == pytest.approx(math.log10(r), abs=1e-13)
    assert theta[0, 0].item() == pytest.approx(math.acos(z / r), abs=1e-13)
    assert phi[0, 0].item() == pytest.approx(math.atan2(y, x), abs=1e-13)
    back = cartesian(log_r, theta, phi)
    assert ((back - d).norm(dim=-1) / d.norm(dim=-1)).max() < 1e-12


def test_spherical_coordinates_near_the_poles():
    angle = 10.0 ** torch.arange(-8, -2, dtype=torch.float64)
    for side in (1.0, -1.0):
        d = torch.stack([angle.sin() * 0.6, angle.sin() * 0.8, side * angle.cos()], -1)
        assert ((cartesian(*spherical(d)) - d).norm(dim=-1)).max() < 1e-9 + 2e-8  # acos has no more digits there
        wide = d[angle >= 1e-6]
        assert ((cartesian(*spherical(wide)) - wide).norm(dim=-1)).max() < 1e-9
    pole = torch.tensor([[0.0, 0.0, 2.0], [0.0, 0.0, -2.0]], dtype=torch.float64)
    assert (cartesian(*spherical(pole)) - pole).abs().max() < 1e-9


def test_rotations_are_rotations_and_uniform():
    rng = torch.Generator().manual_seed(0)
    turn = random_rotations(20_000, rng, torch.zeros(1, dtype=torch.float64))
    assert (turn @ turn.transpose(1, 2) - torch.eye(3)).abs().max() < 1e-12
    assert (torch.linalg.det(turn) - 1).abs().max() < 1e-12
    # Any fixed vector goes to a uniform point: its height is uniform in [-1, 1]. The angle has density (1 - cos) / pi.
    for axis in range(3):
        height = turn[:, 2, axis].sort().values
        assert (height - torch.linspace(-1, 1, len(height))).abs().max() < 0.03
    angle = ((turn.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1).acos()
    assert angle.mean().item() == pytest.approx(math.pi / 2 + 2 / math.pi, abs=0.02)


def test_angles_of_euler_drawn_uniformly_are_not_uniform():
    """What the reference code does: the height of a turned pole is 0.405 on average, not 1/2."""
    drawn = np.random.default_rng(0).uniform(0, 2 * np.pi, (20_000, 3))
    assert np.abs(Rotation.from_euler("xyz", drawn).as_matrix()[:, 2, 2]).mean() == pytest.approx(0.405, abs=0.02)
    ours = random_rotations(20_000, torch.Generator().manual_seed(0), torch.zeros(1))
    assert ours[:, 2, 2].abs().mean().item() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("settings", KINDS)
def test_accelerations_are_sums_of_forces_over_masses(settings):
    law, pos = law_of(**settings), positions()
    z = law.scalars
    with torch.no_grad():
        found = law(pos)
        for t in range(2):
            force = torch.zeros(4, 3, dtype=torch.float64)
            for i in range(4):
                for j in range(i):
                    d = (pos[t, j] - pos[t, i])[None, None]
                    f = law.forces(d, z[i][None, None], z[j][None, None])[0, 0]
                    force[i] += f
                    force[j] -= f
            expected = force / 10.0 ** z[:, :1]
            assert (found[t] - expected).abs().max() < 1e-12 * expected.abs().max()


@pytest.mark.parametrize("settings", KINDS)
def test_third_law_holds_for_any_edge_function(settings):
    law, pos = law_of(**settings), positions()
    total = (10.0 ** law.log_mass[:, None] * law(pos)).sum(1)
    assert total.abs().max() < 1e-12 * (10.0 ** law.log_mass[:, None] * law(pos)).abs().max()


@pytest.mark.parametrize("equivariance", ["central", "none"])
def test_without_third_law_each_end_has_a_force_of_its_own(equivariance):
    law, pos = law_of(2, equivariance=equivariance, third_law=False), positions(bodies=2)
    z = law.scalars.expand(5, -1, -1)
    d = pos[:, :1] - pos[:, 1:]
    expected = torch.cat([law.forces(-d, z[:, :1], z[:, 1:]), law.forces(d, z[:, 1:], z[:, :1])], 1)
    assert (law(pos) - expected / 10.0 ** law.log_mass[:, None]).abs().max() < 1e-12
    assert (10.0 ** law.log_mass[:, None] * law(pos)).sum(1).abs().max() > 1e-3


def test_central_edge_is_ten_to_the_g_times_a_sign():
    with seeded(0):
        edge = CentralEdge((-1.0, 3.0), True, 1, (5, 4)).double()
    log_r, z_i, z_j = torch.rand(3, 2, 6, dtype=torch.float64)

    def net(a, b):
        row = torch.stack([2 * (log_r + 1) / 4 - 1, a / 12, b / 12], -1)
        for layer in edge.net:
            row = torch.tanh(row) if isinstance(layer, torch.nn.Tanh) else row @ layer.weight.T + layer.bias
        return row

    both = net(z_i, z_j) + net(z_j, z_i)
    expected = 10.0 ** both[..., 0] * torch.tanh(both[..., 1])
    assert (edge(log_r, z_i[..., None], z_j[..., None]) - expected).abs().max() < 1e-12
    edge.symmetric = False
    one = net(z_i, z_j)
    expected = 10.0 ** one[..., 0] * torch.tanh(one[..., 1])
    assert (edge(log_r, z_i[..., None], z_j[..., None]) - expected).abs().max() < 1e-12


def test_spherical_edge_scales_its_inputs_and_gives_a_vector():
    with seeded(0):
        edge = SphericalEdge((-1.0, 3.0), 1, (5,)).double()
    d, z = torch.randn(2, 6, 3, dtype=torch.float64), torch.rand(2, 2, 6, 1, dtype=torch.float64)
    r = d.norm(dim=-1)
    row = torch.stack(
        [
            (r.log10() + 1) / 2 - 1,
            (d[..., 2] / r).acos() / (math.pi / 2) - 1,
            torch.atan2(d[..., 1], d[..., 0]) / math.pi,
            z[0, ..., 0] / 12,
            z[1, ..., 0] / 12,
        ],
        -1,
    )
    size, theta, phi = edge.net(row).unbind(-1)
    x = 10.0**size * theta.sin() * phi.cos()
    y = 10.0**size * theta.sin() * phi.sin()
    expected = torch.stack([x, y, 10.0**size * theta.cos()], -1)
    assert (edge(d, z[0], z[1]) - expected).abs().max() < 1e-12


def test_forces_of_a_callable_are_along_the_line_and_attract_where_positive():
    law = law_of(2, edge=lambda r, m_i, m_j: m_i * m_j / r**2)
    pos = torch.tensor([[[0.0, 0.0, 0.0], [0.0, 2.0, 0.0]]], dtype=torch.float64)
    m = 10.0 ** law.log_mass.detach()
    expected = torch.stack([torch.tensor([0, m[1] / 4, 0]), torch.tensor([0, -m[0] / 4, 0])])
    assert torch.allclose(law(pos)[0], expected.double(), rtol=1e-6)


@pytest.mark.parametrize("settings", KINDS)
def test_translation_changes_nothing(settings):
    law, pos = law_of(**settings), positions()
    assert (law(pos + 7.5) - law(pos)).abs().max() < 1e-10 * law(pos).abs().max()


def test_central_law_turns_with_the_frame_and_the_others_do_not():
    pos = positions()
    turn = random_rotations(1, torch.Generator().manual_seed(2), pos)[0]
    law = law_of()
    assert (law(pos @ turn.T) - law(pos) @ turn.T).abs().max() < 1e-10
    law = law_of(equivariance="none")
    assert (law(pos @ turn.T) - law(pos) @ turn.T).abs().max() > 1e-3


def test_bodies_in_another_order_give_accelerations_in_that_order():
    law, pos = law_of(), positions()
    order = torch.tensor([2, 0, 3, 1])
    moved = law_of()
    moved.load_state_dict(law.state_dict())
    with torch.no_grad():
        moved.scalars.copy_(law.scalars[order])
    assert (moved(pos[:, order]) - law(pos)[:, order]).abs().max() < 1e-12 * law(pos).abs().max()


def test_forces_and_masses_times_c_leave_accelerations():
    law, pos = law_of(edge="power"), positions()
    before = law(pos).detach()
    with torch.no_grad():
        alpha, beta = law.edge.exponents[1:]
        law.scalars += 0.7
        law.edge.log_constant += 0.7 * (1 - alpha - beta)
    assert torch.allclose(law(pos), before, rtol=1e-10)


def test_augmentation_turns_flips_and_adds_noise_and_keeps_the_third_law():
    law, pos = law_of(equivariance="augment"), positions(400, 4)
    rng = torch.Generator().manual_seed(0)
    drawn = law(pos, rng)
    assert not torch.allclose(drawn, law(pos))
    assert torch.allclose(drawn, law(pos, torch.Generator().manual_seed(0)))
    central = law_of()
    assert torch.equal(central(pos, rng), central(pos))
    # A function that is equivariant, and the same in both directions, is changed by noise alone.
    law.forces = lambda d, z_i, z_j: d / d.norm(dim=-1, keepdim=True) ** 3 * 10.0 ** (z_i + z_j)
    noisy, clean = law(pos, rng).detach(), law(pos).detach()
    off = ((noisy - clean).norm(dim=-1) / clean.norm(dim=-1)).median().item()
    assert NOISE / 4 < off < 8 * NOISE


def test_flipped_edges_swap_receiver_and_sender():
    law, pos = law_of(2, equivariance="augment"), positions(200, 2)
    seen = []

    def edge(d, z_i, z_j):
        seen.append((d.detach(), z_i.detach(), z_j.detach()))
        return d

    law.forces = edge
    law(pos, torch.Generator().manual_seed(0))
    d, z_i, z_j = seen[0]
    first = (z_i[:, 0, 0] - law.scalars[1, 0]).abs() < 0.2 * law.scalars[1, 0].abs()
    other = (z_i[:, 0, 0] - law.scalars[0, 0]).abs() < 0.2 * law.scalars[0, 0].abs()
    assert (first | other).all()
    assert 0.35 < first.double().mean() < 0.65
    assert ((z_j[first, 0, 0] - law.scalars[0, 0]).abs() < 0.2 * law.scalars[0, 0].abs()).all()
    r = (pos[:, 0] - pos[:, 1]).norm(dim=1)
    spread = (d[:, 0].norm(dim=1) / r - 1).std().item()
    assert spread == pytest.approx(NOISE, rel=0.6)


def test_loss_counts_every_body_alike():
    rng = np.random.default_rng(0)
    a, b = (torch.from_numpy(rng.normal(size=(6, 3, 3))) for _ in range(2))
    expected = sum(
        sum(((a[t, n] - b[t, n]) ** 2).sum() for t in range(6)) / sum((b[t, n] ** 2).sum() for t in range(6))
        for n in range(3)
    )
    assert acceleration_loss(a, b).item() == pytest.approx(expected.item(), rel=1e-12)
    scale = torch.tensor([1.0, 1e-6, 1e3])[:, None]
    assert acceleration_loss(a * scale, b * scale).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("settings", [*KINDS, {"third_law": False}])
def test_gradient_reaches_every_parameter(settings):
    law = law_of(**settings)
    acceleration_loss(law(positions()), positions(seed=1)).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in law.parameters())


def test_learner_has_two_rates_that_fall_on_a_cosine_and_keeps_masses_in_range():
    law = law_of()
    learner = LawLearner(law, lr=0.01, scalar_lr=0.5)
    (optimizer,) = learner.optimizers()
    batch = {"pos": positions(), "acc": positions(seed=1)}
    for progress, share in ((0.0, 1.0), (0.5, 0.5), (0.75, 0.5 * (1 + math.cos(0.75 * math.pi)))):
        learner.progress = progress
        loss, _ = learner.loss(batch, torch.Generator())
        assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.01 * share, 0.5 * share])
        assert loss.item() == pytest.approx(acceleration_loss(law(batch["pos"]), batch["acc"]).item())
    groups = [{id(p) for p in g["params"]} for g in optimizer.param_groups]
    assert groups[1] == {id(law.scalars)}
    assert groups[0] == {id(p) for p in law.edge.parameters()}
    with torch.no_grad():
        law.scalars[0], law.scalars[1] = 99.0, -99.0
    learner.after_step()
    assert law.scalars[:2, 0].tolist() == [12.0, -12.0]


def test_share_weights_against_loops():
    rng = np.random.default_rng(0)
    force, masses = rng.normal(size=(3, 6)), rng.random(4) + 0.1
    i, j = pairs(4)
    found = share_weights(force, masses)
    for t in range(3):
        for e in range(6):
            shares = []
            for body in (i[e], j[e]):
                mine = [k for k in range(6) if body in (i[k], j[k])]
                total = sum(abs(force[t, k]) / masses[body] for k in mine)
                shares.append(abs(force[t, e]) / masses[body] / total)
            assert found[t, e] == pytest.approx(max(shares), rel=1e-12)


def test_exponents_with_weights_take_no_notice_of_rows_without():
    rng = np.random.default_rng(1)
    r, a, b = rng.normal(size=(3, 80))
    f = 0.3 - 2 * r + a + b
    weights = np.ones(80)
    f[:30] += rng.normal(size=30) * 5
    weights[:30] = 0
    assert exponents(r, a, b, f, weights) == pytest.approx([-2, 1, 1], abs=1e-10)
    assert np.abs(exponents(r, a, b, f) - [-2, 1, 1]).max() > 0.05
    # A weight of 2 is a row that stands there twice.
    twice = [np.concatenate([x, x[:10]]) for x in (r, a, b, f)]
    weights = np.ones(80)
    weights[:10] = 2
    assert exponents(r, a, b, f, weights) == pytest.approx(exponents(*twice), rel=1e-9)
