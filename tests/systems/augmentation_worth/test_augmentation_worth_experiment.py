"""The claim against a loop, the arms, and the published data's formats on tiny files."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.data.cifar import CIFAR10
from holdfast.errors import InputError
from holdfast.experiment import PerUnit, Record, RecordTable, Scalar
from holdfast.metrics.scaling import MonotoneCurve
from holdfast.systems.augmentation_worth.experiment import ARMS, CLAIMS, DIGITS, SHIFTED, experiment
from holdfast.systems.augmentation_worth.problems import DIGIT_SIZES, Cinic, Digits
from holdfast.testing.runs import run_of

HEADLINE = CLAIMS[0]


def table(rate, replicates=3):
    """Records of a reference and an arm that acts as `rate` times the data, the reference shifted in each replicate."""
    records = []
    for r in range(replicates):

        def error(n, r=r):
            return (9 + r) * n**-0.5 + r

        for n in DIGIT_SIZES:
            values = {"error": error(n), SHIFTED: 2 * error(n)}
            records.append(Record("", "none", DIGITS, {"n": n}, 1000 + r, "ok", values))
        for n in (100, 200, 400):
            values = {"error": error(rate * n), SHIFTED: 2 * error(2 * rate * n)}
            for arm in ("affine", "affine, 4 stored"):
                scale = 1 if arm == "affine" else 0.5
                better = {
                    k: error((2 if k == SHIFTED else 1) * scale * rate * n) * (2 if k == SHIFTED else 1) for k in values
                }
                records.append(Record("", arm, DIGITS, {"n": n}, 1000 + r, "ok", better))
    return RecordTable(records, experiment, experiment.scales["small"])


def test_the_claim_reads_each_replicate_on_its_own_curve():
    found = HEADLINE.statistic(table(2))
    assert found == {1000 + r: pytest.approx(1.0) for r in range(3)}
    assert replace(HEADLINE, than="affine, 4 stored", places=(100, 200)).statistic(table(2))[1001] == pytest.approx(1)
    assert replace(HEADLINE, metric=SHIFTED, there="error").statistic(table(2))[1002] == pytest.approx(1)
    assert HEADLINE.region.lo == pytest.approx(np.log2(1.2))


def test_the_claim_is_vectorised_over_draws():
    rng = np.random.default_rng(0)
    draws = {n: np.sort(rng.uniform(5, 30, 7))[::-1] / np.sqrt(n / 100) for n in DIGIT_SIZES}
    arm = {n: draws[n] * rng.uniform(0.6, 1.1, 7) for n in (100, 200, 400)}

    class Drawn:
        experiment = table(2).experiment
        swept = staticmethod(table(2).swept)

        @staticmethod
        def values(metric, name, problem, point):
            return {1: (draws if name == "none" else arm)[point["n"]]}

    found = HEADLINE.statistic(Drawn())[1]
    for k in range(7):
        curve = MonotoneCurve(DIGIT_SIZES, [draws[n][k] for n in DIGIT_SIZES])
        one = [np.log2(curve.inverse([arm[n][k]]).size[0] / n) for n in (100, 200, 400)]
        assert found[k] == pytest.approx(np.mean(one))


def test_bad_claims_are_refused():
    with pytest.raises(InputError, match="places"):
        replace(HEADLINE, places=())
    with pytest.raises(InputError, match="places"):
        replace(HEADLINE, places=(150,)).check(experiment)
    with pytest.raises(InputError, match="there"):
        replace(HEADLINE, there="speed").check(experiment)


def measured(arm, n, folder):
    run = run_of(experiment, arm, DIGITS, Path(folder), scale="smoke", point={"n": n})
    return {m.name: m for m in experiment.trial(run) if isinstance(m, Scalar)}


@pytest.mark.parametrize("arm", [name for name in ARMS if name not in ("none", "affine")])
def test_every_arm_trains_and_is_measured(arm, tmp_path):
    found = measured(arm, 200, tmp_path)
    assert set(found) == set(experiment.metrics)
    assert 0 < found["error"].value <= 100
    assert found["gradient noise"].value > 0


def test_cases_give_the_error_and_the_identity_has_other_seeds(tmp_path):
    run = run_of(experiment, "identity", DIGITS, tmp_path, scale="smoke", point={"n": 100})
    plain = run_of(experiment, "none", DIGITS, tmp_path, scale="smoke", point={"n": 100})
    assert run.seed("init") != plain.seed("init")
    assert run.seed("split") == plain.seed("split")
    found = list(experiment.trial(plain))
    cases = next(m for m in found if isinstance(m, PerUnit) and m.name == SHIFTED)
    value = next(m for m in found if isinstance(m, Scalar) and m.name == SHIFTED)
    assert 100 * np.mean(cases.values) == pytest.approx(value.value)
    assert len(cases.units) == 1500


def test_parts_of_the_digits_do_not_overlap():
    pool = Digits().load()
    sizes = [len(pool.labels), len(pool.validation[1]), len(pool.test[1])]
    assert sizes == [3250, 250, 1500]
    assert torch.equal(pool.test[1], pool.shifted[1])
    assert not torch.equal(pool.test[0], pool.shifted[0])
    assert pool.images.shape[1:] == (1, 14, 14)


def test_published_files_are_read(tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    assert not Cinic().available()
    rng = np.random.default_rng(0)
    for part in ("train", "valid", "test"):
        for name in CIFAR10:
            folder = tmp_path / "CINIC-10" / part / name
            folder.mkdir(parents=True)
            for file in ("n01-1.png", "cifar10-train-7.png"):
                Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / file)
    batches = tmp_path / "cifar-10-batches-py"
    batches.mkdir()
    for file in ["test_batch", *(f"data_batch_{k}" for k in range(1, 6))]:
        content = {b"data": rng.integers(0, 256, (4, 3072), dtype=np.uint8), b"labels": [0, 1, 2, 9]}
        (batches / file).write_bytes(pickle.dumps(content))
    pool = Cinic().load()
    assert pool.labels.tolist() == list(range(10))  # one image a class: those of CIFAR-10 are left out
    assert pool.images.shape == (10, 3, 32, 32)
    assert pool.shifted[1].tolist() == [0, 1, 2, 9]
    with Image.open(tmp_path / "CINIC-10/test/airplane/n01-1.png") as image:
        red = np.asarray(image)[0, 0, 0] / 255
    assert float(pool.test[0][0, 0, 0, 0]) == pytest.approx((red - 0.4914) / 0.2470, rel=1e-4)
    corrupted = tmp_path / "CIFAR-10-C"
    corrupted.mkdir()
    noisy = rng.integers(0, 256, (10, 32, 32, 3), dtype=np.uint8)
    np.save(corrupted / "gaussian_noise.npy", noisy)
    np.save(corrupted / "labels.npy", np.tile([3, 5], 5))
    shifted = Cinic(shifted="gaussian_noise").load().shifted
    assert shifted[1].tolist() == [3, 5]
    assert float(shifted[0][0, 0, 0, 0]) == pytest.approx((noisy[4, 0, 0, 0] / 255 - 0.4914) / 0.2470, rel=1e-4)
    assert Cinic().network()(pool.images[:2]).shape == (2, 10)
