"""Image problems: who sees what, and the published formats on tiny files."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.errors import InputError
from holdfast.experiment.run import Run
from holdfast.layers.convs import ConvEncoder
from holdfast.systems.fct.experiment import ARMS, experiment, trial
from holdfast.systems.fct.experiment.stages import divided
from holdfast.systems.fct.problems import Cifar100Growth, ImageNetGrowth, MnistGrowth
from holdfast.trials.stages import Stages
from holdfast.trials.streams import Streams
from toy_cifar import write_cifar


def test_parts_of_a_replicate_share_no_image_and_are_all_there_is():
    problem = MnistGrowth()
    parts = problem.split(np.random.default_rng(3))
    sizes = [len(parts.fit), len(parts.validation), len(parts.test)]
    assert sizes == [3600, 400, 1000]
    assert problem.resplit == (1000, 3600)
    every = torch.cat([p.read().flatten(1) for p in (parts.fit, parts.validation, parts.test)])
    from holdfast.data.digits import mnist5k

    assert torch.equal(every.sum(1).sort().values, mnist5k()[0].flatten(1).sum(1).sort().values)
    other = problem.split(np.random.default_rng(4))
    assert not torch.equal(parts.test.labels, other.test.labels)


def test_quick_runs_use_the_first_rows_of_the_same_parts():
    problem = MnistGrowth()
    few, all_ = divided(problem, 5, rows=64), divided(problem, 5)
    assert [len(few.fit), len(few.validation), len(few.test)] == [64, 16, 16]
    assert torch.equal(few.fit.read(), all_.fit.read()[:64])


def test_a_missing_data_set_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    for problem in (Cifar100Growth(), ImageNetGrowth()):
        assert not problem.available()
        assert "http" in problem.how_to_get
        assert problem.describe()
    write_cifar(tmp_path / "cifar-100-python")
    assert Cifar100Growth().available()
    before = Cifar100Growth().fingerprint()
    (tmp_path / "cifar-100-python" / "train").write_bytes(b"other")
    assert Cifar100Growth().fingerprint() != before


# ----------------------------------------------------------------------------------------------------------- ImageNet
def write_imagenet(folder, classes=("ant", "bee", "cat", "dog"), rows=8):
    for part in ("training", "validation"):
        for k, name in enumerate(classes):
            (folder / part / name).mkdir(parents=True)
            for i in range(rows):
                Image.new("RGB", (20 + i, 16), (60 * k, 10 * i, 90)).save(folder / part / name / f"{i}.png")


def test_imagenet_folders_are_listed_in_the_order_of_their_names(tmp_path):
    write_imagenet(tmp_path)
    problem = ImageNetGrowth(old_classes=2, validation=6, root=str(tmp_path), size=8)
    assert problem.available()
    assert problem.classes == 4
    parts = problem.split(np.random.default_rng(0))
    assert [len(parts.fit), len(parts.validation), len(parts.test)] == [26, 6, 32]
    assert parts.test.labels.tolist() == [k for k in range(4) for _ in range(8)]
    again = problem.split(np.random.default_rng(1))  # the division is not the replicate's
    assert again.fit.paths == parts.fit.paths
    assert not set(parts.fit.paths) & set(parts.validation.paths)


def test_folders_that_do_not_match_are_refused(tmp_path):
    write_imagenet(tmp_path)
    (tmp_path / "validation" / "dog").rename(tmp_path / "validation" / "emu")
    with pytest.raises(InputError, match="class folders of training"):
        ImageNetGrowth(root=str(tmp_path), size=8).both()


# --------------------------------------------------------------------------------------------------------------- full
@dataclasses.dataclass(frozen=True)
class TinyCifar(Cifar100Growth):
    def encoder(self):
        return ConvEncoder(3, 32, 8)


@dataclasses.dataclass(frozen=True)
class TinyImageNet(ImageNetGrowth):
    def encoder(self):
        return ConvEncoder(3, 8, 8)


@pytest.mark.parametrize("arm", ["new/new", "BCT new/old", "h + side"])
@pytest.mark.parametrize("layout", ["cifar", "imagenet"])
def test_the_full_configuration_runs_on_the_published_formats(tmp_path, arm, layout):
    full = experiment.scales["full"]
    assert full.status == "not yet run"
    if layout == "cifar":
        write_cifar(tmp_path / "data", classes=4)
        problem = TinyCifar(2, 12, str(tmp_path / "data"))
    else:
        write_imagenet(tmp_path / "data")
        problem = TinyImageNet(2, 12, str(tmp_path / "data"), 8)
    training = dataclasses.replace(full.training, epochs=1, batch=8, workers=0)
    scale = dataclasses.replace(full, training=training, side_epochs=1, side_batch=8, epochs=2, batch=8, inner=8)
    (tmp_path / "out").mkdir()
    run = Run(
        arm=ARMS[arm].method,
        arm_name=arm,
        problem=problem,
        problem_name=layout,
        point={},
        replicate=1000,
        scale=scale,
        device="cpu",
        dir=tmp_path / "out",
        streams=Streams(1000),
        stages=Stages(tmp_path / "stages"),
        report=lambda done, total: None,
    )
    measured = {m.name: m.value for m in trial(run)}
    assert set(measured) == {"recall@10", "top-1", "top-5", "mAP", "validation score"}
    assert (measured["recall@10"] == 100) == (arm == "new/new")
