"""The training: the tree of every pass, the queue's cached shares, resume, two processes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.baselines.moco import MoCo
from holdfast.data.batches import Batches, LoaderBatches
from holdfast.layers.perceptron import Perceptron
from holdfast.systems.hcsc import HCSCLearner, HCSCLoss, instance_keep_prob
from holdfast.training import Checkpoints, fit

X = torch.randn(48, 5, generator=torch.Generator().manual_seed(0))


def noisy(x, rng):
    return x + 0.1 * torch.randn(x.shape, generator=rng)


def made(kind=HCSCLearner, augment=noisy, **settings):
    torch.manual_seed(0)
    more = {} if kind is MoCo else {"n_clusters": (8, 3), "warmup": 1, **settings}
    return kind(Perceptron(5, 12), augment, (8, 4), queue=16, m=0.9, generator=torch.Generator().manual_seed(1), **more)


def batches():
    return Batches({"x": X}, 8, seed=3, index="index")


def weights(learner):
    return torch.cat([p.detach().flatten() for p in learner.parameters()])


def test_before_the_first_tree_it_is_moco():
    a, b = made(), made(MoCo)
    for learner in (a, b):
        fit(learner, batches(), steps=6, seed=2)
    assert torch.equal(weights(a), weights(b))
    assert a.tree is None


def test_the_tree_of_a_pass_is_that_of_all_rows_by_the_key_encoder():
    learner = made(warmup=0)
    rows = batches()
    learner.before_epoch(rows)
    with torch.no_grad():
        features = nn.functional.normalize(learner.followers(X), dim=1)
    torch.testing.assert_close(learner.features(rows), features)
    expected = learner.make_tree(features)
    assert torch.equal(learner.tree.assign[1], expected.assign[1])
    assert [len(c) for c in learner.tree.prototypes] == [8, 3]
    assert float(learner.tree.temperatures[0].mean()) == pytest.approx(0.2, rel=1e-5)
    first = learner.tree
    fit(learner, rows, steps=13)
    assert not torch.equal(learner.tree.prototypes[0], first.prototypes[0])


def test_the_key_encoder_answers_in_evaluation_mode_and_goes_back():
    learner = made(warmup=0)
    learner.followers.module.append(nn.Dropout(0.5))
    learner.train()
    found = [learner.features(batches()) for _ in range(2)]
    assert torch.equal(*found)
    assert learner.followers.module[-1].training


def test_shares_of_the_queue_are_those_of_its_keys_after_every_step():
    learner = made(warmup=0)
    done = []

    def look(step, _):
        for level, a in enumerate(learner.tree.assign):
            index = torch.arange(4)
            expected = instance_keep_prob(learner.queue.keys, learner.tree, level, a[index])
            torch.testing.assert_close(learner.keep(learner.tree, index)[level], expected)
        done.append(step)

    fit(learner, batches(), steps=8, on_step=look)  # 6 steps a pass: a new tree in between
    assert done == list(range(1, 9))


def test_every_weight_gets_a_gradient_and_the_followers_none():
    learner = made(warmup=0)
    rows = batches()
    learner.before_epoch(rows)
    loss, _ = learner.loss(next(rows), torch.Generator().manual_seed(0))
    loss.backward()
    for part in (learner.encoder, learner.projector):
        assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in part.parameters())
    assert all(p.grad is None for p in learner.followers.parameters())


def test_a_loss_without_selection_asks_for_no_shares():
    learner = made(warmup=0, criterion=HCSCLoss(instance_keep=None))
    fit(learner, batches(), steps=2)
    assert learner.keep(learner.tree, torch.arange(3)) is None
    assert learner._kept == []


def test_a_run_that_was_stopped_goes_on_with_its_tree(tmp_path):
    whole = fit(made(), batches(), steps=16, seed=4).learner

    def stop(step, _):
        if step == 10:  # in the middle of the second pass
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(made(), batches(), steps=16, seed=4, checkpoints=Checkpoints(tmp_path, every=5), on_step=stop)
    again = fit(made(), batches(), steps=16, seed=4, checkpoints=Checkpoints(tmp_path, every=5)).learner
    torch.testing.assert_close(weights(again), weights(whole), atol=1e-5, rtol=1e-4)
    assert torch.equal(again.tree.assign[0], whole.tree.assign[0])


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return {"x": X[i]}


def test_rows_of_a_data_set_that_is_loaded():
    loaded = made(warmup=0).features(LoaderBatches(Rows(), 8, 3, index="index"))
    torch.testing.assert_close(loaded, made(warmup=0).features(batches()))


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[2])
import numpy as np, os, torch
from holdfast.data.augment import Identity
from holdfast.systems.hcsc import HCSCLoss
from holdfast.training import fit
import test_hcsc_learner as t

def run(devices):
    criterion = HCSCLoss(instance_keep=None, prototype_keep=None)  # draws would differ between processes
    learner = t.made(augment=Identity(), warmup=0, criterion=criterion, n_clusters=(7, 3))
    return fit(learner, t.batches(), steps=8, devices=devices, strategy="ddp" if devices > 1 else "auto").learner

one = run(1)
two = run(2)
rank = int(os.environ.get("LOCAL_RANK", 0))
np.savez(f"{sys.argv[1]}/rank{rank}.npz", one=t.weights(one), two=t.weights(two), a=two.tree.assign[0],
         b=one.tree.assign[0], index=two.queue.index, index1=one.queue.index)
"""


@pytest.mark.slow
def test_two_processes_share_encoding_and_tree(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    here = __file__.rsplit("/", 1)[0]
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), here], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    ranks = [dict(np.load(tmp_path / f"rank{rank}.npz")) for rank in (0, 1)]
    for rank in ranks:
        np.testing.assert_allclose(rank["two"], rank["one"], atol=1e-4)
        assert np.array_equal(rank["a"], rank["b"])
        assert np.array_equal(rank["index"], rank["index1"])
    assert np.array_equal(ranks[0]["two"], ranks[1]["two"])
