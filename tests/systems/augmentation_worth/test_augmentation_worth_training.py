"""Copies, orbits and probes against loops and the reference's numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from holdfast.data.augment import Noise
from holdfast.errors import InputError
from holdfast.metrics.landscape.noise import Welford
from holdfast.systems.augmentation_worth.method.training import (
    CROSS,
    Moved,
    OrbitModel,
    RepeatedAugmentation,
    flatness,
    gradient_noise,
    stored_copies,
)


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 6), nn.Tanh(), nn.Linear(6, 3))


def batch(n=12):
    rng = torch.Generator().manual_seed(1)
    return torch.rand(n, 1, 4, 4, generator=rng), torch.randint(0, 3, (n,), generator=rng)


@pytest.mark.parametrize(("group", "turn"), [("hflip", lambda x: x.flip(3)), ("rot4", lambda x: x.rot90(1, (2, 3)))])
@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_orbits_make_invariant(group, turn, reduce):
    x, _ = batch()
    model = OrbitModel(net(), group, reduce)
    torch.testing.assert_close(model(x), model(turn(x)))
    assert not torch.allclose(model.model(x), model.model(turn(x)))


def test_orbits_against_a_loop_and_gradients_reach_every_parameter():
    x, y = batch()
    model = OrbitModel(net(), CROSS)
    expected = torch.stack([model.model(view(x)) for view in CROSS])
    torch.testing.assert_close(model(x), expected.mean(0))
    torch.testing.assert_close(OrbitModel(model.model, CROSS, "max")(x), expected.max(0).values)
    F.cross_entropy(model(x), y).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_moves_against_numpy():
    image = torch.arange(1.0, 13).reshape(1, 1, 3, 4)
    down = Moved(1, 0)(image)[0, 0]
    assert down.tolist() == [[0, 0, 0, 0], [1, 2, 3, 4], [5, 6, 7, 8]]
    left = Moved(0, -1)(image)[0, 0]
    assert left.tolist() == [[2, 3, 4, 0], [6, 7, 8, 0], [10, 11, 12, 0]]
    assert [view(image).sum().item() for view in CROSS] == [78, 36, 68, 54, 63]


def test_stored_copies_are_neighbours_and_drawn_once():
    x, _ = batch(3)
    found = stored_copies(x, Noise(0.5), 4, seed=2, original=True)
    assert torch.equal(found[::4], x)
    again = stored_copies(x, Noise(0.5), 4, seed=2, original=True)
    assert torch.equal(found, again)
    assert not torch.equal(found, stored_copies(x, Noise(0.5), 4, seed=3, original=True))
    fresh = stored_copies(x, Noise(0.5), 2)
    assert fresh.shape == (6, 1, 4, 4)
    assert not (fresh[::2] == x).any()
    near = (found - x.repeat_interleave(4, 0)).flatten(1).std(1)
    assert near.max() < 1.0
    with pytest.raises(InputError, match="rounds"):
        stored_copies(x, Noise(), 0)


def test_repeated_augmentation_gives_the_same_copy_whenever_asked():
    rows = [(torch.full((1, 2, 2), float(i)), i) for i in range(3)]
    data = RepeatedAugmentation(rows, Noise(0.01), 2, seed=5)
    assert [data[i][1] for i in range(len(data))] == [0, 0, 1, 1, 2, 2]
    last = data[5][0]
    assert torch.equal(data[5][0], last)
    assert (last - 2).abs().max() < 0.1
    copies = torch.stack([image for image, _ in data])
    assert len(torch.unique(copies.flatten(1), dim=0)) == 6
    for index in (6, -1):
        with pytest.raises(IndexError):
            data[index]


def test_flatness_scales_with_the_weights_and_averages_directions():
    class Line(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.full((1, 1), 2.0))

        def forward(self, x):
            return x * self.weight

    # One weight of 2: the direction is +-2, and |w - 2| reaches 1 after 5 steps of 0.1 * 2.
    loss = lambda out, y: (out - y).abs().mean()  # noqa: E731
    x = torch.ones(2, 1)
    rng = torch.Generator().manual_seed(0)
    found = flatness(Line(), loss, [(x, 2 * x)], threshold=0.99, n_directions=3, generator=rng)
    assert found == pytest.approx(1.0, rel=1e-5)
    walk = flatness(Line(), loss, [(x, 2 * x)], threshold=0.39, step=0.2, n_directions=2)
    assert walk == pytest.approx(0.4, rel=1e-5)
    # A batch of one sample that is off by 3 and one of three that are not: a mean loss of 0.75 at the start.
    uneven = [(torch.ones(1, 1), torch.full((1, 1), 5.0)), (torch.ones(3, 1), torch.full((3, 1), 2.0))]
    assert flatness(Line(), loss, uneven, threshold=0.74, n_directions=1) == 0
    assert flatness(Line(), loss, uneven, threshold=0.76, n_directions=1) > 0
    with pytest.raises(InputError, match="at least one sample"):
        flatness(Line(), loss, [])


def test_gradient_noise_against_autograd():
    model, (x, y) = net(), batch(14)
    found = gradient_noise(model, F.cross_entropy, zip(x.split(4), y.split(4), strict=True))  # two rows left over
    rows = []
    for k in range(3):
        model.zero_grad()
        F.cross_entropy(model(x[4 * k : 4 * k + 4]), y[4 * k : 4 * k + 4]).backward()
        rows.append(torch.cat([(p.grad * p.norm() / p.grad.norm()).flatten() for p in model.parameters()]).detach())
    g = torch.stack(rows).double().numpy()
    assert found.std_norm == pytest.approx(np.linalg.norm(g.std(0, ddof=1)), rel=1e-4)
    assert found.mean_norm == pytest.approx(np.linalg.norm(g.mean(0)), rel=1e-4)
    each, whole = (g**2).sum(1).mean(), found.mean_norm**2
    assert found.noise == pytest.approx((each - whole) / (1 / 4 - 1 / 12), rel=1e-4)
    with pytest.raises(InputError, match="at least 2"):
        gradient_noise(model, F.cross_entropy, [(x[:4], y[:4]), (x[4:7], y[4:7])])


def test_welford_against_the_reference():
    with np.load(Path(__file__).parents[2] / "vectors" / "augmentation_worth.npz") as file:
        rows = torch.from_numpy(file["welford_in"])
    moments = Welford()
    for row in rows:
        moments.add(row)
    torch.testing.assert_close(moments.variance(), rows.var(0), rtol=1e-5, atol=1e-7)


def test_probes_equal_the_references():
    """The published functions on the reference's own net: its direction, its loss, its gradients."""
    with np.load(Path(__file__).parents[2] / "vectors" / "augmentation_worth.npz") as file:
        stored = {name: torch.from_numpy(file[name]) for name in file.files}
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(16, 5)
    )
    model.load_state_dict({name[3:]: value for name, value in stored.items() if name.startswith("sd/")})
    model.eval()
    x, y = stored["X"], stored["Y"].long()
    assert float(F.cross_entropy(model(x), y).detach()) == pytest.approx(float(stored["total_loss"]), rel=1e-5)
    rng = torch.Generator().manual_seed(3)
    batches = list(zip(x.split(10), y.split(10), strict=True))
    found = flatness(model, F.cross_entropy, batches, n_directions=1, generator=rng)
    distance, steps = stored["flatness_seed3_step0.1_thr1"].tolist()
    assert found == pytest.approx(distance * (steps - 1) / steps, rel=1e-5)  # the reference counts one step more
    # Batches of one sample: the reference's unit gradients, each tensor brought to the length of its weights.
    noise = gradient_noise(model, F.cross_entropy, zip(x[:6].split(1), y[:6].split(1), strict=True))
    weights = list(model.parameters())
    rows = []
    for unit in stored["unit_grads_first6"]:
        parts = unit.split([w.numel() for w in weights])
        scaled = [p * w.detach().norm() / (p.norm() + 1e-10) for p, w in zip(parts, weights, strict=True)]
        rows.append(torch.cat(scaled).double())
    assert noise.mean_norm == pytest.approx(float(torch.stack(rows).mean(0).norm()), rel=1e-4)
    assert noise.std_norm == pytest.approx(float(torch.stack(rows).std(0).norm()), rel=1e-4)


def test_bad_groups_are_refused():
    for group in ("flip", ()):
        with pytest.raises(InputError, match="group"):
            OrbitModel(net(), group)
    with pytest.raises(InputError, match="reduce"):
        OrbitModel(net(), reduce="sum")
