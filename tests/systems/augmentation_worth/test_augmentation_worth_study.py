"""The study on a training function with a known answer, resumed, and on what it must refuse."""

import numpy as np
import pandas as pd
import pytest
import torch

from holdfast.data.augment import Identity, Mirror, Noise
from holdfast.errors import InputError
from holdfast.systems.augmentation_worth import AugmentationStudy

SIZES = [10, 30, 90, 270]
X = torch.arange(400.0).reshape(400, 1, 1, 1).expand(400, 1, 2, 2)
Y = torch.arange(400) % 2
TESTS = {"clean": (X[:50], Y[:50]), "odd": (X[1:100:2].numpy(), Y[1:100:2].numpy())}


class Counting:
    """Gives errors that follow a law; an augmented sample counts twice. Remembers its calls."""

    def __init__(self, stop=None):
        self.calls, self.stop = [], stop

    def __call__(self, images, labels, transform, seed):
        if len(self.calls) == self.stop:
            raise KeyboardInterrupt
        self.calls.append((images[:, 0, 0, 0].tolist(), labels.tolist(), transform, seed))
        error = 0.9 * (len(images) * (2 if isinstance(transform, Noise) else 1)) ** -0.5
        return {"clean": error, "odd": error / 2}


def study(train, **more):
    given = {"augmentations": {"noise": Noise()}, "sizes": SIZES, "seeds": [3, 5], "test_sets": TESTS} | more
    return AugmentationStudy(train, given.pop("data", (X, Y)), **given)


def test_every_arm_has_the_same_rows_and_rates_are_those_of_the_law():
    train, seen = Counting(), []
    made = study(train)
    found = made.run(progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k, 16) for k in range(1, 17)]
    assert list(found.columns) == ["arm", "n", "seed", "test_set", "error"]
    assert len(found) == 32
    for (plain, _, _, seed), (noisy, _, transform, other) in zip(train.calls[::2], train.calls[1::2], strict=True):
        assert plain == noisy
        assert seed == other
        assert isinstance(transform, Noise)
        assert len(set(plain)) == len(plain)
    assert isinstance(train.calls[0][2], Identity)
    assert train.calls[0][0] != train.calls[2][0]  # another seed, another subset
    assert all(labels == [int(v) % 2 for v in images] for images, labels, _, _ in train.calls)
    assert all(abs(np.mean(labels) - 0.5) < 0.01 for _, labels, _, _ in train.calls)
    rates = made.exchange_table(n_boot=5)
    assert rates["test_set"].tolist() == ["clean"] * 4 + ["odd"] * 4
    np.testing.assert_allclose(rates["rate"][:3], 2, rtol=0.1)
    np.testing.assert_allclose(rates["law_rate"], 2, rtol=1e-4)
    assert len(made.plot(n_boot=5).axes) == 4


@pytest.mark.parametrize("name", ["runs.csv", "runs.parquet"])
def test_a_study_resumes_and_keeps_rows_of_others(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(KeyboardInterrupt):
        study(Counting(stop=5)).run(path)
    rest = Counting()
    found = study(rest).run(path)
    assert len(rest.calls) == 11
    pd.testing.assert_frame_equal(found, study(Counting()).run())
    none = Counting()
    pd.testing.assert_frame_equal(study(none).run(path), found)
    assert not none.calls
    more = Counting()
    assert set(study(more, augmentations={"flip": Mirror()}).run(path)["arm"]) == {"none", "flip"}
    assert len(more.calls) == 8
    assert not study(none).run(path).empty
    assert not none.calls
    wider = {**TESTS, "clean": TESTS["odd"], "again": TESTS["odd"]}
    with pytest.raises(InputError, match="error from 0 to 1 on again"):  # a new test set needs every training
        study(Counting(), test_sets=wider).run(path)


@pytest.mark.parametrize("scores", [True, False])
def test_predictors_are_tested(scores):
    def train(images, labels, transform, seed):
        said = lambda x: (x[:, 0, 0, 0] >= 10).long()  # noqa: E731
        return (lambda x: torch.nn.functional.one_hot(said(x), 2)) if scores else said

    found = study(train).run().groupby("test_set")["error"].first()
    assert found["clean"] == pytest.approx(np.mean((np.arange(50) >= 10) != np.arange(50) % 2))
    assert found["odd"] == pytest.approx(5 / 50)


def constant(images, labels, transform, seed):
    return {"clean": 0.5, "odd": 0.25}


@pytest.mark.slow
def test_two_processes_give_the_same():
    errors = {"clean": 0.5, "odd": 0.25}
    closure = lambda images, labels, transform, seed: errors  # noqa: E731  # as of a notebook: sent whole, not by name
    pd.testing.assert_frame_equal(study(closure).run(n_jobs=2), study(closure).run())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"sizes": [10, 30, 90]}, "at least 4 sizes"),
        ({"sizes": [100, 200, 300, 400]}, "factor of 10"),
        ({"sizes": [10, 30, 90, 500]}, "sizes"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [-1]}, "seeds"),
        ({"augmentations": {}}, "augmentations: must not be empty"),
        ({"augmentations": {"none": Noise()}}, "not the reference's"),
        ({"augmentations": {"+noise": Noise()}}, "start with no sign"),
        ({"test_sets": {}}, "test_sets"),
        ({"test_sets": {"a": (X[:3], Y[:2])}}, "as many rows"),
        ({"data": (X * float("nan"), Y)}, "images of data: must be finite"),
        ({"data": (X, Y / 2)}, "labels of data"),
        ({"data": (X[:0], Y[:0])}, "must not be empty"),
    ],
)
def test_bad_studies_are_refused(more, said):
    with pytest.raises(InputError, match=said):
        study(constant, **more)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3, "a predictor or"),
        ({"clean": 0.5}, "on odd"),
        ({"clean": 50.0, "odd": 0.1}, "from 0 to 1 on clean"),
        (lambda x: torch.zeros(7), "labels"),
    ],
)
def test_what_a_training_gives_is_checked(given, said):
    with pytest.raises(InputError, match=said):
        study(lambda *_: given).run()


def test_other_tables_are_refused_and_no_result_is_none(tmp_path):
    path = tmp_path / "runs.csv"
    for text in ("arm,n,error\nnone,10,.5\n", "arm,n,seed,test_set,error\nnone,10,0,clean,40\n", "arm,n\n", "a\n1\n"):
        path.write_text(text)
        with pytest.raises(InputError, match=r"runs\.csv"):
            study(constant).run(path)
        assert path.read_text() == text
    with pytest.raises(InputError, match="path"):
        study(constant).run(tmp_path / "runs.txt")
    with pytest.raises(InputError, match="run"):
        study(constant).exchange_table()
    with pytest.raises(InputError, match="run"):
        study(constant).plot()
    with pytest.raises(InputError, match="n_jobs"):
        study(constant).run(n_jobs=0)
