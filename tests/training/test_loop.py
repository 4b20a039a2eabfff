import math
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from holdfast.data.batches import Batches, Joined, LoaderBatches
from holdfast.errors import HoldfastError, InputError
from holdfast.training import EMA, Diverged, Learner, fit
from holdfast.training.checkpoint import Checkpoints
from holdfast.training.history import History

torch.set_num_threads(1)


def make_data(rows=40, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 3, generator=g)
    return {"x": x, "y": x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.1}


class Regression(Learner):
    """Linear regression; the smallest learner."""

    def __init__(self, seed=0):
        super().__init__()
        self.w = nn.Parameter(torch.randn(3, 1, generator=torch.Generator().manual_seed(seed)))
        self.b = nn.Parameter(torch.zeros(1))

    def loss(self, batch, rng):
        error = batch["x"] @ self.w + self.b - batch["y"]
        return error.square().mean(), {"mae": error.abs().mean(), "progress": self.progress}


class Everything(Learner):
    """Convolution, batch norm, dropout, augmentation from rng, python's and numpy's generators, a queue, a schedule."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.conv, self.norm, self.head = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 3)
        self.register_buffer("queue", torch.zeros(4))

    def optimizers(self):
        return [torch.optim.SGD(self.conv.parameters(), 0.05, momentum=0.9, nesterov=True),
                torch.optim.AdamW([*self.norm.parameters(), *self.head.parameters()], 0.01)]  # fmt: skip

    def loss(self, batch, rng):
        x = batch["x"] + 0.1 * torch.randn(batch["x"].shape, generator=rng) + 0.1 * random.random()
        h = self.norm(self.conv(x)).relu().mean((2, 3))
        z = self.head(nn.functional.dropout(h, 0.3)) * (1 + 0.1 * np.random.rand())  # noqa: NPY002
        self.queue = torch.cat([self.queue[1:], z.detach().mean().reshape(1)])
        return nn.functional.cross_entropy(z, batch["y"]), {"queue": self.queue.sum(), "noise": float(x[0, 0, 0, 0])}


class Killed(Exception):
    pass


def killer(at):
    def on_step(done, total):
        if done == at:
            raise Killed

    return on_step


def everything(folder=None, every=11, kill=None, **changes):
    g = torch.Generator().manual_seed(3)
    data = {"x": torch.randn(30, 1, 6, 6, generator=g), "y": torch.randint(3, (30,), generator=g)}
    settings = {"steps": 20, "ema": EMA(0.9), "clip": 0.5, "schedule": math.cos, "log_every": 3, "seed": 5}
    settings |= {"checkpoints": folder and Checkpoints(folder, every=every), "on_step": kill and killer(kill)}
    return fit(Everything(), Batches(data, 8, seed=2), **(settings | changes))


def assert_same_module(a, b):
    a, b = a.state_dict(), b.state_dict()
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def straight():
    return everything()


# ------------------------------------------------------------------------------------------------------------ the loop
def test_equals_a_loop_written_by_hand():
    data, steps = make_data(), 12
    trained = fit(Regression(), Batches(data, 8, seed=1), steps=steps, schedule=lambda p: 1 - p, clip=0.7, log_every=5)
    w = Regression().w.detach().clone()
    b, vw, vb = torch.zeros(1), torch.zeros(3, 1), torch.zeros(1)
    batches, mae = Batches(data, 8, seed=1), []
    for step in range(steps):
        batch = next(batches)
        error = batch["x"] @ w + b - batch["y"]
        mae.append(error.abs().mean().item())
        gw, gb = 2 * batch["x"].T @ error / 8, 2 * error.mean(0)
        scale = min(1.0, 0.7 / (gw.square().sum() + gb.square().sum()).sqrt().item())
        vw, vb = 0.9 * vw + scale * gw, 0.9 * vb + scale * gb
        w, b = w - 0.03 * (1 - step / steps) * vw, b - 0.03 * (1 - step / steps) * vb
    torch.testing.assert_close(trained.learner.w.detach(), w)
    torch.testing.assert_close(trained.learner.b.detach(), b)
    at, values = trained.history["mae"]
    assert at == [5, 10, 12]
    assert values == pytest.approx([mae[4], mae[9], mae[11]], rel=1e-5)
    assert trained.history["progress"][1] == pytest.approx([4 / 12, 9 / 12, 11 / 12])
    assert set(trained.history) == {"loss", "mae", "progress"}
    assert trained.averaged is trained.learner
    assert not trained.learner.training
    assert trained.learner.progress == 1.0


def test_accumulating_batches_equals_larger_batches():
    class InOrder(Batches):
        def permutation(self, epoch):
            return torch.arange(self.rows)

    small = fit(Regression(), InOrder(make_data(), 4), steps=5, accumulate=2, clip=1.0, log_every=1)
    large = fit(Regression(), InOrder(make_data(), 8), steps=5, clip=1.0, log_every=1)
    torch.testing.assert_close(small.learner.w, large.learner.w)
    assert small.history["mae"][1] == pytest.approx(large.history["mae"][1])


def test_average_follows_the_weights_with_the_scaled_decay():
    seen = []

    class Watched(Regression):
        def after_step(self):
            seen.append(self.w.detach().clone())

    steps = 20
    trained = fit(Watched(), Batches(make_data(), 8), steps=steps, ema=EMA(0.99))
    expected = Regression().w.detach().clone()
    for w in seen:
        expected = 0.75 * expected + 0.25 * w  # 1 - 5 / 20
    torch.testing.assert_close(trained.averaged.w.detach(), expected)
    assert trained.averaged is not trained.learner
    assert not trained.averaged.training


def test_same_seed_same_numbers_and_the_global_generators_are_left_alone(straight):
    torch.manual_seed(11)
    random.seed(11)
    before = torch.get_rng_state(), random.getstate()
    again = everything()
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == random.getstate()
    assert_same_module(again.averaged, straight.averaged)
    assert again.history == straight.history
    other = everything(seed=6)
    assert not torch.equal(other.learner.head.weight, straight.learner.head.weight)


def test_the_generator_given_to_the_loss_comes_from_the_seed_and_differs_from_the_global_one():
    class Drawing(Regression):
        def loss(self, batch, rng):
            return super().loss(batch, rng)[0], {"rng": torch.rand((), generator=rng), "global": torch.rand(())}

    def draws(seed):
        history = fit(Drawing(), Batches(make_data(), 8), steps=2, log_every=1, seed=seed).history
        return history["rng"][1] + history["global"][1]

    assert draws(1) == draws(1)
    assert len(set(draws(1) + draws(2))) == 8


def test_bf16_keeps_weights_in_float32_and_computes_in_bf16():
    types = []

    class Net(Regression):
        def loss(self, batch, rng):
            out = batch["x"] @ self.w
            types.append(out.dtype)
            return (out.float() + self.b - batch["y"]).square().mean(), {}

    trained = fit(Net(), Batches(make_data(), 8), steps=20, precision="bf16-mixed")
    assert set(types) == {torch.bfloat16}
    assert trained.learner.w.dtype == torch.float32
    exact = fit(Regression(), Batches(make_data(), 8), steps=20)
    assert 0 < (trained.learner.w - exact.learner.w).abs().max() < 0.02


def test_float64():
    data = {name: t.double() for name, t in make_data().items()}
    trained = fit(Regression(), Batches(data, 8), steps=3, precision="64-true")
    assert trained.learner.w.dtype == torch.float64


def test_learning_rate_in_a_tensor_follows_the_schedule():
    class Capturable(Regression):
        def optimizers(self):
            return [torch.optim.Adam(self.parameters(), lr=torch.tensor(0.05))]

    class Plain(Regression):
        def optimizers(self):
            return [torch.optim.Adam(self.parameters(), lr=0.05)]

    a, b = (fit(kind(), Batches(make_data(), 8), steps=7, schedule=lambda p: 1 - p) for kind in (Capturable, Plain))
    torch.testing.assert_close(a.learner.w, b.learner.w)


def test_progress_is_reported_every_step():
    calls = []
    fit(Regression(), Batches(make_data(), 8), steps=3, on_step=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


# ------------------------------------------------------------------------------------------------------------ the hooks
def test_pruning_mask_in_after_step():
    class Pruned(Regression):
        def __init__(self):
            super().__init__()
            self.register_buffer("mask", torch.tensor([[1.0], [0.0], [1.0]]))

        def after_step(self):
            self.w *= self.mask

    trained = fit(Pruned(), Batches(make_data(), 8), steps=40)
    assert trained.learner.w[1].item() == 0
    assert trained.learner.w[0].item() == pytest.approx(1.0, abs=0.5)


class Relabelled(Learner):
    """Two clusters; labels are the side of the mean of the last pass's projections."""

    def __init__(self):
        super().__init__()
        self.head, self.passes = nn.Linear(2, 2), []
        nn.init.eye_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def before_epoch(self, data):
        self.passes.append(data.epoch)
        data.replace("y", self.head(data.tensors["x"]).argmax(1))

    def loss(self, batch, rng):
        return nn.functional.cross_entropy(self.head(batch["x"]), batch["y"]), {"labels": batch["y"].float().mean()}


def relabelled(folder=None, kill=None):
    x = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    batches = Batches({"x": x, "y": torch.zeros(20, dtype=torch.int64)}, 8, seed=1)
    options = {"checkpoints": folder and Checkpoints(folder, every=3), "on_step": kill and killer(kill)}
    return fit(Relabelled(), batches, steps=10, log_every=1, **options)


def test_relabelling_before_every_pass_survives_a_kill(tmp_path):
    trained = relabelled()  # 2 batches of 8 in 20 rows: 5 passes
    assert trained.learner.passes == [0, 1, 2, 3, 4]
    assert max(trained.history["labels"][1]) > 0
    with pytest.raises(Killed):
        relabelled(tmp_path, kill=5)
    resumed = relabelled(tmp_path)
    assert resumed.learner.passes == [2, 3, 4]  # continued at step 3, in the middle of pass 1, whose labels were saved
    assert resumed.history == trained.history
    assert torch.equal(resumed.learner.head.weight, trained.learner.head.weight)


class TwoPlayers(Learner):
    """min over g, max over d of d * (g - 2) - d^2 / 2: both have one number, the solution is g = 2, d = 0."""

    def __init__(self):
        super().__init__()
        self.g, self.d = nn.Parameter(torch.zeros(())), nn.Parameter(torch.ones(()))

    def optimizers(self):
        return [torch.optim.SGD([self.g], 0.1), torch.optim.SGD([self.d], 0.2)]

    def game(self):
        return self.d * (self.g - 2) - self.d.square() / 2

    def loss(self, batch, rng):
        return self.game(), {}

    def step(self, batch, rng, minimise):
        minimise(-self.game(), player=1)
        self.seen = self.g.grad, self.d.grad.clone()
        game = self.game()
        minimise(game, player=0)
        return {"game": game}


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_two_players(precision):
    trained = fit(TwoPlayers(), Batches(make_data(), 8), steps=400, log_every=1, precision=precision)
    assert trained.learner.g.item() == pytest.approx(2, abs=1e-2)
    assert trained.learner.d.item() == pytest.approx(0, abs=1e-2)
    assert len(trained.history["game"][0]) == 400


def test_a_players_loss_gives_no_gradient_to_the_other_and_players_alternate():
    learner = TwoPlayers()
    fit(learner, Batches(make_data(), 8), steps=1)
    g_grad, d_grad = learner.seen
    assert g_grad is None
    assert d_grad.item() == pytest.approx(-(0 - 2 - 1))  # d(-game)/dd = -(g - 2 - d) at g = 0, d = 1
    d = 1 - 0.2 * 3
    assert learner.d.item() == pytest.approx(d)
    assert learner.g.item() == pytest.approx(0 - 0.1 * d)  # the second player saw the first's new value


def test_two_players_under_autocast_do_not_reuse_casts_of_old_weights():
    class Adversaries(Learner):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(3, 1, bias=False)
            nn.init.zeros_(self.net.weight)
            self.outputs = []

        def optimizers(self):
            return [torch.optim.SGD(self.parameters(), 1.0)]

        def loss(self, batch, rng):
            out = self.net(batch["x"])
            self.outputs.append(out.detach().abs().max().item())
            return (out.float() - 1).square().mean(), {}

        def step(self, batch, rng, minimise):
            minimise(self.loss(batch, rng)[0])
            minimise(self.loss(batch, rng)[0])
            return {}

    learner = Adversaries()
    fit(learner, Batches(make_data(), 8), steps=1, precision="bf16-mixed")
    assert learner.outputs[0] == 0
    assert learner.outputs[1] > 0


# -------------------------------------------------------------------------------------------- checkpoint and resume
@pytest.mark.parametrize(("every", "kill"), [(11, 11), (4, 11), (11, 3)])
def test_killed_and_resumed_equals_straight_bit_by_bit(tmp_path, straight, every, kill):
    with pytest.raises(Killed):
        everything(tmp_path, every, kill)
    random.seed(kill), torch.manual_seed(kill)  # a new process would have other states
    resumed = everything(tmp_path, every)
    assert_same_module(resumed.learner, straight.learner)
    assert_same_module(resumed.averaged, straight.averaged)
    assert resumed.history == straight.history


def test_a_finished_run_is_not_repeated(tmp_path, straight):
    everything(tmp_path)
    again = everything(tmp_path, kill=20)  # would raise if a step were made
    assert_same_module(again.averaged, straight.averaged)
    assert again.history == straight.history


def test_other_settings_or_learners_do_not_continue_a_run(tmp_path):
    everything(tmp_path)
    with pytest.raises(HoldfastError, match=r"step-0000000020.safetensors: .* clip = 0.5, this one has 2.0") as error:
        everything(tmp_path, clip=2.0)
    assert "\n" not in str(error.value)
    with pytest.raises(HoldfastError, match="another learner") as error:
        fit(Regression(), Batches(make_data(30), 8, seed=2), steps=20, ema=EMA(0.9), clip=0.5, seed=5,
            checkpoints=Checkpoints(tmp_path))  # fmt: skip
    assert "\n" not in str(error.value)


def test_a_damaged_checkpoint_is_named_and_the_one_before_still_works(tmp_path, straight):
    everything(tmp_path, every=11)
    newest = tmp_path / "step-0000000020.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.raises(HoldfastError, match=r"step-0000000020.*delete it.*continues from step-0000000011"):
        everything(tmp_path, every=11)
    newest.unlink()
    assert_same_module(everything(tmp_path, every=11).averaged, straight.averaged)


# ---------------------------------------------------------------------------------------------------------- divergence
class Exploding(Regression):
    """Its loss is not finite from step 8 on; `value` says how."""

    def __init__(self, value=math.nan):
        super().__init__()
        self.value = value

    def loss(self, batch, rng):
        loss, parts = super().loss(batch, rng)
        return (loss * self.value if self.progress >= 0.7 else loss), parts


@pytest.mark.parametrize(("value", "word"), [(math.nan, "nan"), (math.inf, "inf")])
def test_divergence_names_the_step_and_saves_nothing(tmp_path, value, word):
    learner = Exploding(value)
    with pytest.raises(Diverged, match=f"became {word} at step 8 of 10") as error:
        fit(learner, Batches(make_data(), 8), steps=10, checkpoints=Checkpoints(tmp_path, every=1))
    assert error.value.step == 8
    assert bool(learner.w.isfinite().all())
    assert Checkpoints(tmp_path).newest() == 7


def test_divergence_found_late_is_not_saved_either(tmp_path, monkeypatch):
    class Late(History):  # as on a GPU
        def __init__(self, steps, device):
            super().__init__(steps, device)
            self._at_once = False

    monkeypatch.setattr("holdfast.training.loop.History", Late)
    with pytest.raises(Diverged, match="at step 8 of 10"):
        fit(Exploding(), Batches(make_data(), 8), steps=10)
    with pytest.raises(Diverged, match="at step 8 of 10"):
        fit(Exploding(), Batches(make_data(), 8), steps=10, checkpoints=Checkpoints(tmp_path, every=3))
    assert Checkpoints(tmp_path).newest() == 6


# ---------------------------------------------------------------------------------------------------------------- input
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0), ("steps", 2.5), ("seed", 0.5), ("accumulate", 0), ("clip", 0.0), ("log_every", 0), ("devices", 0),
        ("precision", "32"), ("precision", "16-mixed"), ("device", "cuda:99"), ("device", "abacus"),
        ("strategy", "fsdp"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(name, value):
    with pytest.raises(InputError, match=f"^{name}: "):
        fit(Regression(), Batches(make_data(), 8), **({"steps": 2} | {name: value}))


def test_what_cannot_be_trained_is_named():
    with pytest.raises(InputError, match=r"^batches: .*BatchSource.* received list"):
        fit(Regression(), [make_data()], steps=1)
    with pytest.raises(InputError, match=r"^learner: must be a Learner; received Linear"):
        fit(nn.Linear(2, 2), Batches(make_data(), 8), steps=1)
    with pytest.raises(InputError, match=r"^accumulate"):
        fit(TwoPlayers(), Batches(make_data(), 8), steps=1, accumulate=2)

    class Vector(Regression):
        def loss(self, batch, rng):
            return self.w.flatten(), {}

    with pytest.raises(InputError, match=r"^loss: must be a scalar; received shape \(3,\)"):
        fit(Vector(), Batches(make_data(), 8), steps=1)


def test_joined_sources():
    class Sum(Regression):
        def loss(self, batch, rng):
            source, target = ({k.removeprefix(f"{s}/"): v for k, v in batch.items() if k.startswith(s)} for s in "st")
            return super().loss(source, rng)[0] + super().loss(target, rng)[0], {}

    data, other = make_data(), make_data(60, seed=1)
    trained = fit(Sum(), Joined(s=Batches(data, 8), t=Batches(other, 16)), steps=100)
    torch.testing.assert_close(trained.learner.w.flatten(), torch.tensor([1.0, -2.0, 0.5]), atol=0.05, rtol=0)


class Rows(Dataset):
    """Rows of `make_data` with noise from a global generator."""

    def __len__(self):
        return 40

    def __getitem__(self, row):
        data = make_data()
        return {"x": data["x"][row] + 0.1 * torch.randn(3), "y": data["y"][row]}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_trains_and_resumes(tmp_path, workers):
    def run(**more):
        return fit(Regression(), LoaderBatches(Rows(), 8, workers=workers), steps=9, **more)

    with pytest.raises(Killed):
        run(checkpoints=Checkpoints(tmp_path, every=3), on_step=killer(4))
    assert_same_module(run(checkpoints=Checkpoints(tmp_path, every=3)).learner, run().learner)


def test_fabric_is_not_imported_with_the_module():
    code = "import sys, holdfast.training; sys.exit('lightning_fabric' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ------------------------------------------------------------------------------------------ several processes
SCRIPT = '''
import sys
import numpy as np, torch
from holdfast.training.checkpoint import Checkpoints
from holdfast.data.batches import Batches
from holdfast.training.distributed import all_mean
from holdfast.training import EMA, Learner, fit
from torch import nn

torch.set_num_threads(1)
folder, crash_at = sys.argv[1], []
g = torch.Generator().manual_seed(0)
data = {"x": torch.randn(50, 4, generator=g), "y": torch.randn(50, 1, generator=g)}

class Net(Learner):
    """Two players, a statistic over the whole batch, and a parameter that only some batches use."""
    def __init__(self, start=1.0):
        super().__init__()
        self.w, self.v = nn.Parameter(torch.full((4, 1), start)), nn.Parameter(torch.zeros(1))
        self.rare = nn.Parameter(torch.zeros(1))
    def optimizers(self):
        return [torch.optim.SGD([self.w, self.rare], 0.05, momentum=0.9), torch.optim.Adam([self.v], 0.01)]
    def loss(self, batch, rng):
        x, y = batch["x"], batch["y"]
        scale = all_mean(x.square().mean())
        error = (x @ self.w + self.v - y).square().mean() * scale
        if 2 in batch["row"]:
            error = error + (x * self.rare)[batch["row"] == 2].sum() / len(x)
        return error, {"scale": scale, "mae": (x @ self.w - y).abs().mean()}
    def step(self, batch, rng, minimise):
        minimise(self.loss(batch, rng)[0], player=1)
        loss, parts = self.loss(batch, rng)
        minimise(loss, player=0)
        return {"loss": loss, **parts}
    def after_step(self):
        if crash_at and self.progress >= crash_at[0]:
            raise KeyboardInterrupt

def run(devices, start=1.0, **more):
    batches = Batches({**data, "row": torch.arange(50)}, 8, seed=3)
    return fit(Net(start), batches, steps=20, ema=EMA(0.9), clip=1.0, log_every=5, devices=devices, **more)

one = run(1)
rank = int(__import__("os").environ.get("LOCAL_RANK", 0))
two = run(2, start=1.0 + rank, strategy="ddp")
series = Checkpoints(folder + "/series", every=6)
crash_at.append(0.45)
try:
    run(2, checkpoints=series)
except KeyboardInterrupt:
    crash_at.clear()
resumed = run(2, checkpoints=series)
assert series.steps() == [18, 20]
assert one.learner.rare.item() != 0
out = {}
for name, result in {"one": one, "two": two, "resumed": resumed}.items():
    for key, value in result.averaged.state_dict().items():
        out[f"{name}.averaged.{key}"] = value.numpy()
    for key, value in result.learner.state_dict().items():
        out[f"{name}.learner.{key}"] = value.numpy()
    for key, (steps, values) in result.history.items():
        out[f"{name}.history.{key}"] = np.array(values)
out["mean"] = all_mean(torch.tensor([float(rank), 4.0])).numpy()
np.savez(f"{folder}/rank{rank}.npz", **out)
'''


@pytest.mark.slow
def test_two_processes_equal_one_on_the_joined_batch(tmp_path: Path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    ranks = [dict(np.load(tmp_path / f"rank{rank}.npz")) for rank in (0, 1)]
    for rank in ranks:
        np.testing.assert_array_equal(rank["mean"], [0.5, 4.0])
        names = [name for name in rank if name.startswith("one.")]
        assert len(names) == 9
        for name in names:
            np.testing.assert_allclose(rank[name.replace("one", "two")], rank[name], rtol=2e-5, atol=1e-6)
            np.testing.assert_array_equal(rank[name.replace("one", "resumed")], rank[name.replace("one", "two")])
    for name, value in ranks[0].items():
        np.testing.assert_array_equal(value, ranks[1][name])
