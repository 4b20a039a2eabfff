"""Models of other libraries in a model folder: each in its own format, nothing trusted that was not named."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeRegressor

from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.estimator.foreign_models import FORMATS, format_called, format_of
from holdfast.testing.estimator_checks import checks_for

ROWS = np.random.default_rng(0).normal(size=(40, 3))
TARGET = ROWS @ [1.0, -2.0, 0.5]


def xgboost_model() -> object:
    xgboost = pytest.importorskip("xgboost")
    return xgboost.train({"max_depth": 2}, xgboost.DMatrix(ROWS, TARGET), 3)


def lightgbm_model() -> object:
    lightgbm = pytest.importorskip("lightgbm")
    settings = {"verbosity": -1, "min_data_in_leaf": 3}
    return lightgbm.train(settings, lightgbm.Dataset(ROWS, TARGET), 3)


def test_what_is_nobodys_model_has_no_format() -> None:
    assert [format_of(value) for value in (None, 3, "x", np.zeros(2), object())] == [None] * 5
    assert format_called("$pickle") is None
    assert len({f.tag for f in FORMATS}) == len({f.suffix for f in FORMATS}) == len(FORMATS)


@pytest.mark.parametrize("make", [xgboost_model, lightgbm_model])
def test_a_booster_comes_back_as_it_was(make: object, tmp_path: Path) -> None:
    model = make()  # type: ignore[operator]
    kept = format_of(model)
    assert kept is not None
    path = tmp_path / f"model{kept.suffix}"
    kept.save(model, path, ())
    again = kept.load(path, ())
    if kept.tag == "$xgboost":
        np.testing.assert_array_equal(again.inplace_predict(ROWS), model.inplace_predict(ROWS))
    else:
        np.testing.assert_array_equal(again.predict(ROWS), model.predict(ROWS))
    with pytest.raises(InputError, match="no such file"):
        kept.load(tmp_path / "nothing", ())
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="must be a model of"):
        kept.load(path, ())


def test_a_scikit_learn_model_that_could_not_be_loaded_is_not_saved(tmp_path: Path) -> None:
    pytest.importorskip("skops")
    tree = DecisionTreeRegressor().fit(ROWS, TARGET)
    kept = format_of(tree)
    assert kept is not None
    with pytest.raises(InputError, match=r"DecisionTreeRegressor must be made of trusted types.*_tree\.Tree"):
        kept.save(tree, tmp_path / "tree.skops", ())
    assert list(tmp_path.iterdir()) == []
    kept.save(tree, tmp_path / "tree.skops", ("sklearn.tree._tree.Tree",))
    again = kept.load(tmp_path / "tree.skops", ("sklearn.tree._tree.Tree",))
    np.testing.assert_array_equal(again.predict(ROWS), tree.predict(ROWS))


class Counter(Estimator):
    """Continues a sequence; takes a number of steps, not rows.

    >>> Counter().fit([1.0, 2.0]).predict(steps=2)
    array([3., 4.])
    """

    tags = Tags(arrays=("y",), predicts_rows=False, seed="random_state", tolerance=1e-5)

    def __init__(self, noise: float = 0.0, random_state: int = 0) -> None:
        self.noise, self.random_state = noise, random_state

    def fit(self, y: object) -> "Counter":
        from holdfast.validation import check_array

        y = np.asarray(check_array(y, "T", name="y", dtype="float64"))
        self._forget()
        self.line_ = Ridge(1e-9).fit(np.arange(len(y))[:, None], y)
        self.steps_ = len(y)
        self.shift_ = self.noise * float(np.random.default_rng(self.random_state).normal())
        return self

    def predict(self, steps: int) -> np.ndarray:
        self.check_fitted()
        return np.round(self.line_.predict(np.arange(self.steps_, self.steps_ + steps)[:, None]) + self.shift_, 6)

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        return Example({"y": rng.normal(size=12).cumsum()}, {"steps": 2}, {"noise": 1.0})


@pytest.mark.parametrize(("name", "check"), checks_for(Counter))
def test_an_estimator_may_take_other_arguments_than_rows(name: str, check: object) -> None:
    check()  # type: ignore[operator]


def test_what_is_asked_of_rows_is_not_asked_of_it() -> None:
    names = {name for name, _ in checks_for(Counter)}
    assert "check_seed_is_used" in names
    assert not names & {"check_batch_of_one", "check_wrong_prediction_input_is_named"}
