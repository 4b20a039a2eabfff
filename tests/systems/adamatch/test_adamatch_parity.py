"""Three optimiser steps of the reference implementation (JAX), reproduced from its recorded inputs and random draws."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from holdfast.data.domain_batch import DomainBatch
from holdfast.layers.norm import BiasedBatchNorm2d
from holdfast.layers.same_conv import SameConv2d
from holdfast.systems.adamatch import AdaMatch, AdaMatchSettings, cosine_lr, mu_schedule
from holdfast.systems.adamatch.method import interpolate_logits

VECTORS = np.load(Path(__file__).parents[2] / "vectors" / "adamatch.npz")


class Tiny(nn.Module):
    """The network of the recording: two strided convolutions with batch norm, mean, linear."""

    def __init__(self):
        super().__init__()
        self.c1, self.c2 = SameConv2d(3, 8, 3, 2), SameConv2d(8, 16, 3, 2)
        self.b1, self.b2 = (BiasedBatchNorm2d(c, eps=1e-6, momentum=0.001) for c in (8, 16))
        self.l = nn.Linear(16, 4)

    def forward(self, x):
        x = F.leaky_relu(self.b1(self.c1(x)), 0.1)
        x = F.leaky_relu(self.b2(self.c2(x)), 0.1)
        return self.l(x.mean((2, 3)))


KEYS = {
    **{f"c{i}.weight": f"(Tiny).c{i}(Conv2D).w" for i in (1, 2)},
    **{f"c{i}.bias": f"(Tiny).c{i}(Conv2D).b" for i in (1, 2)},
    **{f"b{i}.weight": f"(Tiny).b{i}(BatchNorm2D).gamma" for i in (1, 2)},
    **{f"b{i}.bias": f"(Tiny).b{i}(BatchNorm2D).beta" for i in (1, 2)},
    **{f"b{i}.running_mean": f"(Tiny).b{i}(BatchNorm2D).running_mean" for i in (1, 2)},
    **{f"b{i}.running_var": f"(Tiny).b{i}(BatchNorm2D).running_var" for i in (1, 2)},
    "l.weight": "(Tiny).l(Linear).w",
    "l.bias": "(Tiny).l(Linear).b",
}


def weights(prefix, dtype):
    """The recorded weights in PyTorch's layouts: convolutions HWIO -> OIHW, linear transposed, the rest flat."""
    out = {}
    for ours, theirs in KEYS.items():
        w = torch.as_tensor(VECTORS[f"{prefix}/{theirs}"], dtype=dtype)
        out[ours] = w.permute(3, 2, 0, 1) if w.ndim == 4 and "weight" in ours and "c" in ours else w
        if ours == "l.weight":
            out[ours] = w.T
        elif out[ours].ndim == 3 or (out[ours].ndim == 4 and ours[0] == "b"):
            out[ours] = w.flatten()
    return out


@dataclass
class RecordedInterpolation:
    """Random logit interpolation with the recorded draw (rows alternate weak, strong) instead of a fresh one."""

    lam: torch.Tensor | None = None
    regulariser: torch.Tensor | None = None

    def __call__(self, z_joint, source_pass, generator):
        z_source = source_pass()
        z = interpolate_logits(z_joint, z_source, torch.cat([self.lam[::2], self.lam[1::2]]))
        self.regulariser = (z - z_source).square().mean().detach()
        return z


@pytest.fixture(scope="module", params=[torch.float64, torch.float32], ids=["float64", "float32"])
def replay(request):
    """Parts of the three steps, and the learner after them."""
    dtype = request.param
    interpolate = RecordedInterpolation()
    learner = AdaMatch(Tiny(), 4, AdaMatchSettings(interpolate=interpolate)).to(dtype)
    missing, unexpected = learner.net.load_state_dict(weights("before", dtype), strict=False)
    assert not unexpected
    assert all("num_batches_tracked" in key for key in missing)
    (optimizer,) = learner.optimizers()
    steps = []
    for t in range(3):
        step = {k.split("/", 1)[1]: torch.as_tensor(v) for k, v in VECTORS.items() if k.startswith(f"step{t}/")}
        sx, tu, interpolate.lam = (step[k].to(dtype) for k in ("sx", "tu", "lam"))
        views = torch.cat([sx, tu])
        rows = DomainBatch(views[:, 0], step["sy"].argmax(1), source=5, extra=0, target=15)
        learner.progress = float(step["progress"])
        decay = 0.5 * sum((p**2).sum() for p in learner.net.parameters() if p.ndim > 1).item()
        optimizer.zero_grad()
        loss, parts = learner.loss_of_views(views[:, 0], views[:, 1], rows, None)
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = 0.03 * cosine_lr(learner.progress)
        optimizer.step()
        aligner = learner.criterion.aligner
        ours = {
            "losses/xe": parts["source"],
            "losses/xeu": parts["target"],
            "losses/wd": decay,
            "losses/hregbn": interpolate.regulariser,
            "monitors/confidence_ratio": parts["threshold"],
            "monitors/mask": parts["mask_rate"],
            "monitors/wu": mu_schedule(learner.progress),
            "monitors/lr": group["lr"],
            "monitors/klmodel": (aligner.p_src * (aligner.p_src / aligner.p_tgt).log()).sum(),
            "p_labeled": aligner.p_src,
            "p_unlabeled": aligner.p_tgt,
        }
        total = parts["source"] + mu_schedule(learner.progress) * parts["target"]
        assert torch.allclose(loss.detach(), total)
        steps.append(
            {name: (torch.as_tensor(value).clone().numpy(), step[name].numpy()) for name, value in ours.items()}
        )
    return learner, steps, dtype


@pytest.mark.parametrize("t", range(3))
def test_losses_masks_and_statistics_of_each_step(replay, t):
    _, steps, _ = replay
    for name, (ours, reference) in steps[t].items():
        np.testing.assert_allclose(ours, reference, rtol=1e-5, atol=1e-6, err_msg=f"step {t}, {name}")


@pytest.mark.parametrize("t", range(3))
def test_as_many_rows_pass_the_mask(replay, t):
    """The mask rate is a multiple of 1/15: agreement to 1e-6 means that the same number of rows passed."""
    _, steps, _ = replay
    ours, reference = steps[t]["monitors/mask"]
    assert round(float(ours) * 15) == round(float(reference) * 15)


def test_weights_and_running_statistics_after_three_steps(replay):
    learner, _, dtype = replay
    state = learner.net.state_dict()
    for name, reference in weights("after", dtype).items():
        np.testing.assert_allclose(state[name].numpy(), reference.numpy(), rtol=1e-5, atol=1e-5, err_msg=name)


def test_running_statistics_moved_and_are_biased(replay):
    """With unbiased variances the running variance of the second layer would be off by more than the tolerance."""
    learner, _, dtype = replay
    before, after = (weights(w, dtype)["b2.running_var"] for w in ("before", "after"))
    moved = (after - before).abs().max()
    assert moved > 1e-4
    ours = (learner.net.b2.running_var - after).abs().max()
    assert ours < 1e-3 * moved


def test_schedules():
    progress = VECTORS["sched/progress"]
    np.testing.assert_allclose([0.03 * cosine_lr(p) for p in progress], VECTORS["sched/lr"], atol=1e-7)
    np.testing.assert_allclose([mu_schedule(p) for p in progress], VECTORS["sched/wu"], atol=1e-7)
