import math
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.data.batches import Batches
from holdfast.errors import HoldfastError, InputError
from holdfast.training import EMA, Best, Diverged, Learner, fit
from holdfast.training.checkpoint import Checkpoints, load_state, save_state
from holdfast.training.history import History

torch.set_num_threads(1)


def make_data(rows=40, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 3, generator=g)
    return {"x": x, "y": x @ torch.tensor([[1.0], [-2.0], [0.5]]) + torch.randn(rows, 1, generator=g)}


HELD_OUT = make_data(seed=1)


class Regression(Learner):
    """Linear regression whose steps are so long that its error goes up and down."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(3, 1))

    def optimizers(self):
        return [torch.optim.SGD(self.parameters(), 0.3)]

    def loss(self, batch, rng):
        return (batch["x"] @ self.w - batch["y"]).square().mean(), {}


def held_out_error(w):
    return (HELD_OUT["x"] @ w - HELD_OUT["y"]).square().mean().item()


def error(learner):
    return held_out_error(learner.w)


def by_hand(steps, decay=None):
    """Weights, or their averages, after each step."""
    w, batches, after = torch.zeros(3, 1), Batches(make_data(), 8, seed=1), []
    average = w
    for _ in range(steps):
        batch = next(batches)
        w = w - 0.3 * 2 * batch["x"].T @ (batch["x"] @ w - batch["y"]) / 8
        average = w if decay is None else decay * average + (1 - decay) * w
        after.append(average)
    return after


# ------------------------------------------------------------------------------------------------------- what is kept
@pytest.mark.parametrize(("ema", "decay"), [(None, None), (EMA(0.5), 0.5)])
@pytest.mark.parametrize("sign", [1, -1])
def test_equals_a_loop_written_by_hand(ema, decay, sign):
    keep = Best(3, lambda learner: sign * error(learner), higher_is_better=sign < 0, name="signed error")
    trained = fit(Regression(), Batches(make_data(), 8, seed=1), steps=20, ema=ema, keep=keep)
    weights = by_hand(20, decay)
    at = [3, 6, 9, 12, 15, 18, 20]
    errors = [held_out_error(weights[step - 1]) for step in at]
    assert trained.history["signed error"][0] == at
    assert trained.history["signed error"][1] == pytest.approx([sign * e for e in errors], rel=1e-4)
    best = min(range(len(at)), key=errors.__getitem__)
    assert 0 < best < len(at) - 1  # otherwise a loop that keeps the first or the last would pass
    assert trained.best_step == at[best]
    torch.testing.assert_close(trained.best.w.detach(), weights[at[best] - 1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(trained.averaged.w.detach(), weights[-1], rtol=1e-4, atol=1e-5)
    assert sign * error(trained.best) == trained.history["signed error"][1][best]
    assert not trained.best.training
    assert trained.best.progress == at[best] / 20


def test_the_first_of_equals_stays_and_numbers_may_be_infinite():
    def best_step(values, **more):
        of_step = iter(values)
        return fit(Regression(), Batches(make_data(), 8), steps=4, keep=Best(1, lambda _: next(of_step), **more))

    assert best_step([1, 2, 2, 1]).best_step == 2
    assert best_step([2, 1, 1, 2], higher_is_better=False).best_step == 2
    assert best_step([-math.inf, 0, math.inf, 1]).best_step == 3
    assert best_step([math.inf, math.inf, 5, math.inf], higher_is_better=False).best_step == 3
    trained = best_step([torch.tensor([0.5]), np.float32(2), 3, torch.tensor(1.0)])
    assert trained.history["metric"] == ([1, 2, 3, 4], [0.5, 2.0, 3.0, 1.0])
    assert trained.best_step == 3


def test_without_keep_the_last_weights_are_the_best():
    trained = fit(Regression(), Batches(make_data(), 8), steps=4, ema=EMA())
    assert trained.best is trained.averaged
    assert trained.best_step == 4


# ------------------------------------------------------------------------------------- evaluations change nothing else
class Everything(Learner):
    """Batch norm, dropout, a queue, and every generator there is."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.body, self.norm, self.head = nn.Linear(3, 6), nn.BatchNorm1d(6), nn.Linear(6, 1)
        self.register_buffer("queue", torch.zeros(4))

    def forward(self, x):
        return self.head(nn.functional.dropout(self.norm(self.body(x)).relu(), 0.2, self.training))

    def loss(self, batch, rng):
        noise = torch.randn(batch["x"].shape, generator=rng) + random.random() + np.random.rand()  # noqa: NPY002
        out = self(batch["x"] + 0.05 * noise)
        self.queue = torch.cat([self.queue[1:], out.detach().float().mean().reshape(1)])
        return (out.float() - batch["y"]).square().mean(), {"queue": self.queue.sum()}


def rude(learner):
    """A metric that does all it can to disturb the training."""
    random.seed(0), torch.manual_seed(0), np.random.seed(0)  # noqa: NPY002
    value = (learner(HELD_OUT["x"]) - HELD_OUT["y"]).square().mean().item()
    learner.train()
    learner.progress = 0.25
    with torch.enable_grad():
        learner.loss(HELD_OUT, torch.Generator())[0].backward()
    for tensor in learner.state_dict().values():
        tensor.fill_(0)
    return value


class Killed(Exception):
    pass


def everything(folder=None, every=5, kill=None, **changes):
    def on_step(done, total):
        if done == kill:
            raise Killed

    settings = {"steps": 20, "ema": EMA(0.5), "clip": 2.0, "log_every": 4, "seed": 5, "on_step": on_step}
    settings |= {"checkpoints": folder and Checkpoints(folder, every=every)}
    settings |= {"keep": Best(3, rude, higher_is_better=False, name="error")}
    return fit(Everything(), Batches(make_data(), 8, seed=2), **(settings | changes))


def assert_same_module(a, b):
    a, b = a.state_dict(), b.state_dict()
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("ema", [None, EMA(0.5)])
def test_the_trained_numbers_are_the_same_with_and_without(precision, ema):
    torch.manual_seed(11), random.seed(11)
    before = torch.get_rng_state(), random.getstate()
    kept, plain = (everything(precision=precision, ema=ema, **more) for more in ({}, {"keep": None}))
    assert_same_module(kept.learner, plain.learner)
    assert_same_module(kept.averaged, plain.averaged)
    assert kept.history.pop("error")[0] == [3, 6, 9, 12, 15, 18, 20]
    assert kept.history == plain.history
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == random.getstate()
    assert bool(kept.best.head.weight.any())  # what a metric does to its copy is not kept either


def test_what_a_metric_is_given():
    seen = []

    def look(learner):
        out = learner(HELD_OUT["x"])
        modes = {module.training for module in learner.modules()}
        seen.append((modes, out.requires_grad, out.dtype, learner.progress, torch.rand(()).item(), random.random()))
        return 0.0

    everything(keep=Best(5, look), precision="bf16-mixed")
    assert [entry[:4] for entry in seen] == [({False}, False, torch.float32, p) for p in (0.25, 0.5, 0.75, 1.0)]
    assert len({entry[4:] for entry in seen}) == 1  # evaluations draw the same, so that they can be compared
    everything(keep=Best(20, look), seed=6)
    assert seen[-1][4:] != seen[0][4:]


# -------------------------------------------------------------------------------------------- checkpoint and resume
@pytest.fixture(scope="module")
def straight():
    return everything()


@pytest.mark.parametrize(("every", "kill"), [(5, 13), (7, 8), (1, 19), (6, 6)])
def test_killed_and_resumed_equals_straight_bit_by_bit(tmp_path, straight, every, kill):
    with pytest.raises(Killed):
        everything(tmp_path, every, kill)
    resumed = everything(tmp_path, every)
    for module in ("learner", "averaged", "best"):
        assert_same_module(getattr(resumed, module), getattr(straight, module))
    assert resumed.history == straight.history
    assert resumed.best_step == straight.best_step
    assert resumed.best.progress == straight.best.progress


@pytest.mark.parametrize(("values", "best"), [([1.0, 5.0, 2.0, 3.0], 10), ([1.0, 2.0, 5.0, 3.0], 15)])
def test_the_best_lies_on_either_side_of_a_kill_and_a_finished_run_is_not_evaluated_again(tmp_path, values, best):
    coming = iter(values)
    keep = Best(5, lambda _: next(coming))
    with pytest.raises(Killed):
        everything(tmp_path, 5, 11, keep=keep)
    resumed = everything(tmp_path, 5, keep=keep)
    again = everything(tmp_path, 5, keep=keep)  # would raise StopIteration if it evaluated
    straight = everything(keep=Best(5, lambda learner: float(learner.progress == best / 20)))
    for trained in (resumed, again):
        assert trained.history["metric"] == ([5, 10, 15, 20], values)
        assert trained.best_step == best
        assert_same_module(trained.best, straight.best)
        assert not torch.equal(trained.best.head.weight, trained.averaged.head.weight)


@pytest.mark.parametrize(
    ("keep", "this"),
    [
        (None, "None"), (Best(4, rude, False, "error"), "lowest error every 4 steps"),
        (Best(3, rude, True, "error"), "highest error every 3 steps"),
        (Best(3, rude, False, "loss!"), "lowest loss! every 3 steps"),
    ],
)  # fmt: skip
def test_a_run_with_another_keep_does_not_continue(tmp_path, keep, this):
    with pytest.raises(Killed):
        everything(tmp_path, kill=12)
    with pytest.raises(HoldfastError, match=f"keep = lowest error every 3 steps, this one has {this}; use"):
        everything(tmp_path, keep=keep)


def test_checkpoints_from_before_there_was_keep_continue(tmp_path):
    plain = everything(keep=None)
    with pytest.raises(Killed):
        everything(tmp_path, kill=12, keep=None)
    for path in tmp_path.glob("step-*"):
        state = load_state(path)
        del state["kept"], state["settings"]["keep"]
        save_state(path, state)
    with pytest.raises(HoldfastError, match="keep = None, this one has lowest error"):
        everything(tmp_path)
    assert_same_module(everything(tmp_path, keep=None).averaged, plain.averaged)


# ---------------------------------------------------------------------------------------------------------------- input
@pytest.mark.parametrize(
    ("value", "received"),
    [
        (math.nan, "NaN"), (torch.tensor(math.nan), "NaN"), (None, "NoneType"), ("0.5", "str"), (True, "bool"),
        (torch.zeros(2), r"Tensor of shape \(2,\)"), ([1.0], "list"),
    ],
)  # fmt: skip
def test_a_metric_that_is_no_number_is_refused(tmp_path, value, received):
    with pytest.raises(
        InputError, match=f"^keep: must have a metric that returns one number; received {received} after step 4"
    ):
        everything(tmp_path, 2, keep=Best(4, lambda _: value))
    assert Checkpoints(tmp_path).newest() == 2


def test_weights_that_are_not_finite_are_a_divergence_and_not_a_bad_metric():
    class Overflowing(Regression):
        def after_step(self):
            if self.progress >= 0.5:
                self.w.fill_(math.inf)

    with pytest.raises(Diverged, match="the error became nan at step 6 of 10") as raised:
        fit(Overflowing(), Batches(make_data(), 8), steps=10, keep=Best(6, lambda net: 0 * error(net), name="error"))
    assert (raised.value.step, raised.value.what) == (6, "error")


def test_a_loss_that_is_not_finite_is_found_before_the_evaluation(monkeypatch):
    class Late(History):  # as on a GPU
        def __init__(self, steps, device):
            super().__init__(steps, device)
            self._at_once = False

    class Exploding(Regression):
        def loss(self, batch, rng):
            loss, parts = super().loss(batch, rng)
            return (loss * math.inf if self.progress >= 0.5 else loss), parts

    monkeypatch.setattr("holdfast.training.loop.History", Late)
    seen = []
    with pytest.raises(Diverged, match="the loss became inf at step 6 of 10"):
        fit(Exploding(), Batches(make_data(), 8), steps=10, keep=Best(4, lambda net: seen.append(net.progress) or 0.0))
    assert seen == [0.4]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("every", (0, error)), ("every", (2.5, error)), ("metric", (1, "accuracy")),
        ("higher_is_better", (1, error, "no")), ("name", (1, error, True, "")), ("name", (1, error, True, 3)),
    ],
)  # fmt: skip
def test_bad_attributes_are_named(name, arguments):
    with pytest.raises(InputError, match=f"^{name}: "):
        Best(*arguments)


def test_what_is_no_best_or_has_a_parts_name_is_refused():
    with pytest.raises(InputError, match=r"^keep: must be a Best or None; received function"):
        everything(keep=error)
    for name in ("loss", "queue"):
        with pytest.raises(InputError, match=f"^keep: must have a name that no part of the loss has; received {name}"):
            everything(keep=Best(20, rude, name=name))


# ------------------------------------------------------------------------------------------ several processes
SCRIPT = """
import os, sys
import numpy as np, torch
from torch import nn
from holdfast.training.checkpoint import Checkpoints
from holdfast.data.batches import Batches
from holdfast.training import Best, Learner, fit

torch.set_num_threads(1)
folder, rank = sys.argv[1], int(os.environ.get("LOCAL_RANK", 0))
g = torch.Generator().manual_seed(0)
data = {"x": torch.randn(48, 4, generator=g), "y": torch.randn(48, 1, generator=g)}
stop_at = []

class Net(Learner):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(4, 1))
    def optimizers(self):
        return [torch.optim.SGD(self.parameters(), 0.4)]
    def loss(self, batch, rng):
        return (batch["x"] @ self.w - batch["y"]).square().mean(), {}
    def after_step(self):
        if stop_at and self.progress >= stop_at[0]:
            raise KeyboardInterrupt

def run(devices, rows, **more):
    def error(net):
        return (data["x"][rows] @ net.w - data["y"][rows]).square().mean()
    keep = Best(2, error, higher_is_better=False, name="error")
    return fit(Net(), Batches(data, 8, seed=3), steps=20, devices=devices, keep=keep, **more)

one = run(1, slice(None))
half = slice(24 * rank, 24 * rank + 24)  # the mean over the halves is the mean over all
two = run(2, half)
series = Checkpoints(folder + "/series", every=6)
stop_at.append(0.7)
try:
    run(2, half, checkpoints=series)
except KeyboardInterrupt:
    stop_at.clear()
resumed = run(2, half, checkpoints=series)
out = {}
for name, trained in {"one": one, "two": two, "resumed": resumed}.items():
    out[f"{name}.step"] = trained.best_step
    out[f"{name}.best"] = trained.best.w.detach().numpy()
    out[f"{name}.last"] = trained.learner.w.detach().numpy()
    out[f"{name}.error"] = np.array(trained.history["error"][1])
np.savez(f"{folder}/rank{rank}.npz", **out)
"""


@pytest.mark.slow
def test_two_processes_with_half_of_the_cases_each_keep_what_one_keeps(tmp_path: Path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    for rank in (0, 1):
        out = dict(np.load(tmp_path / f"rank{rank}.npz"))
        assert out["one.step"] == out["two.step"] == out["resumed.step"] < 20
        for name in ("best", "last", "error"):
            np.testing.assert_allclose(out[f"two.{name}"], out[f"one.{name}"], rtol=1e-4, atol=1e-6)
            np.testing.assert_array_equal(out[f"resumed.{name}"], out[f"two.{name}"])
        assert not np.allclose(out["two.best"], out["two.last"], rtol=1e-3)
