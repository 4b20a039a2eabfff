"""The estimator contract on two toy classes, and that the generic checks find what they are there to find."""

import json
import random
import re
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.estimator.labels import encode_labels
from holdfast.testing.estimator_checks import checks_for
from holdfast.validation import check_array, check_positive, check_same_length


@dataclass(frozen=True)
class Scaling:
    factor: float = 1.0
    nested: tuple = ()


class NearestMean(Estimator):
    """Label of the nearest class mean.

    >>> NearestMean().fit([[0.0], [1.0]], [3, 5]).predict([[0.9]])
    array([5])
    """

    tags = Tags(
        classifier=True, labels=("y",), outputs=("predict", "predict_proba"), needs_seed=False, deterministic=True
    )

    def __init__(self, temperature=1.0, scaling=None):
        self.temperature, self.scaling = temperature, scaling

    def fit(self, X, y):
        check_positive(self.temperature, "temperature")
        X = np.asarray(check_array(X, "N D", name="X", dtype="float64"))
        indices, classes = encode_labels(y)
        check_same_length(X=X, y=indices)
        self._forget()
        self.classes_ = classes
        self.means_ = np.stack([X[indices == k].mean(0) for k in range(len(classes))])
        return self

    def predict_proba(self, X):
        self.check_fitted()
        sizes = {"D": self.means_.shape[1]}
        X = np.asarray(check_array(X, "N D", name="X", dtype="float64", sizes=sizes))
        logits = -((X[:, None] - self.means_) ** 2).sum(2) / self.temperature
        p = np.exp(logits - logits.max(1, keepdims=True))
        return p / p.sum(1, keepdims=True)

    def predict(self, X):
        p = self.predict_proba(X)
        return self.classes_[p.argmax(1)]

    @classmethod
    def example(cls, rng):
        y = np.arange(8) % 2
        return Example({"X": rng.normal(size=(8, 3)) + y[:, None], "y": y}, rng.normal(size=(4, 3)))


class Net(Estimator):
    """One linear layer trained for two steps.

    >>> Net(steps=1).fit([[0.0, 1.0], [1.0, 0.0]]).predict([[0.0, 0.0]]).shape
    (1, 2)
    """

    tags = Tags()

    def __init__(self, layer="linear", steps=2, seed=0):
        self.layer, self.steps, self.seed = layer, steps, seed

    def _make(self):
        return nn.Linear(self.width_, self.width_) if self.layer == "linear" else self.layer

    def _build(self):
        return {"layer_": self._make()}

    def fit(self, X):
        X = torch.as_tensor(check_array(X, "N D", name="X", dtype="float32"))
        self._forget()
        self.width_ = X.shape[1]
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            layer = self._make()
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        for _ in range(self.steps):
            optimizer.zero_grad()
            (layer(X) - X).square().mean().backward()
            optimizer.step()
        self.layer_ = layer.eval()
        self.extra_ = {"steps": (self.steps, float("nan")), 3: np.float64(0.5), "weights": [torch.ones(2, 2)]}
        return self

    @torch.no_grad()
    def predict(self, X):
        self.check_fitted()
        X = torch.as_tensor(check_array(X, "N D", name="X", dtype="float32", sizes={"D": self.width_}))
        return self.layer_(X).numpy()

    @classmethod
    def example(cls, rng):
        return Example({"X": rng.normal(size=(6, 3))}, rng.normal(size=(4, 3)), {"steps": 3})


@pytest.mark.parametrize(
    ("cls", "check"),
    [
        pytest.param(cls, check, id=f"{cls.__name__}-{name}")
        for cls in (NearestMean, Net)
        for name, check in checks_for(cls)
    ],
)
def test_generic_checks_pass_on_good_classes(cls, check):
    check()


# ------------------------------------------------------------------------------ the checks find what they are there for
class StoresElse(NearestMean):
    def __init__(self, temperature=1.0, scaling=None):
        self.temperature, self.scaling = temperature, scaling or Scaling()


class ForgetsCheck(NearestMean):
    def fit(self, X, y):
        self.classes_, self.means_ = np.unique(y), np.stack([np.asarray(X)[y == k].mean(0) for k in np.unique(y)])
        return self


class Remembers(NearestMean):
    def fit(self, X, y):
        old = self.means_ if self._learned() else 0
        super().fit(X, y)
        self.means_ = self.means_ + old
        return self


class ChangesInput(NearestMean):
    def fit(self, X, y):
        super().fit(X, y)
        X[0] += 1
        return self


class UsesGlobalGenerator(Net):
    def fit(self, X):
        super().fit(X)
        with torch.no_grad():
            self.layer_.bias.add_(torch.randn(()))
        return self


class IgnoresSeed(Net):
    def fit(self, X):
        kept, self.seed = self.seed, 0
        super().fit(X)
        self.seed = kept
        return self


class BatchDependent(NearestMean):
    def predict_proba(self, X):
        p = super().predict_proba(X)
        return p if len(p) == 1 else p**2 / (p**2).sum(1, keepdims=True)


class Unsaved(Net):
    def predict(self, X):
        return super().predict(X) + getattr(self, "_hidden", 0)

    def fit(self, X):
        self._hidden = 1.0
        return super().fit(X)


@pytest.mark.parametrize(
    ("cls", "finds"),
    [
        (StoresElse, "check_init_stores_arguments"),
        (ForgetsCheck, "check_wrong_arrays_are_named"),
        (ForgetsCheck, "check_wrong_labels_are_named"),
        (Remembers, "check_refit_resets_state"),
        (ChangesInput, "check_inputs_are_left_alone"),
        (UsesGlobalGenerator, "check_same_seed_same_result"),
        (IgnoresSeed, "check_seed_is_used"),
        (BatchDependent, "check_batch_of_one"),
        (Unsaved, "check_save_and_load"),
        (ForgetsCheck, "check_documented_examples"),
    ],
)
def test_generic_checks_fail_on_bad_classes(cls, finds):
    with pytest.raises(AssertionError):
        dict(checks_for(cls))[finds]()


# ------------------------------------------------------------------------------------------------------- save and load
@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(6, 3)), rng.normal(size=(4, 3))


def test_learned_values_of_every_kind_come_back(tmp_path, data):
    fitted = Net().fit(data[0])
    loaded = Net.load(fitted.save(tmp_path / "m"))
    assert loaded.extra_["steps"][0] == 2
    assert np.isnan(loaded.extra_["steps"][1])
    assert isinstance(loaded.extra_["steps"], tuple)
    assert loaded.extra_[3] == 0.5
    assert torch.equal(loaded.extra_["weights"][0], torch.ones(2, 2))
    assert isinstance(loaded.extra_["weights"][0], torch.Tensor)
    assert not loaded.layer_.training


def test_frozen_dataclasses_come_back_and_others_do_not(tmp_path):
    part = Scaling(2.0, (Scaling(3.0), "a"))
    model = NearestMean(scaling=part).fit([[0.0], [1.0]], ["x", "y"])
    loaded = NearestMean.load(model.save(tmp_path / "m"))
    assert loaded.scaling == part
    assert loaded.predict([[0.2]]).tolist() == ["x"]
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    for evil in (
        "subprocess:Popen",
        "os:system",
        "holdfast.files:Path",
        "holdfast.estimator:Estimator",
        "holdfast.no:A",
    ):
        config["init"]["scaling"]["$type"] = evil
        (tmp_path / "m" / "config.json").write_text(json.dumps(config))
        with pytest.raises(InputError, match=r"init\.scaling"):
            NearestMean.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 99}, "format 1"),
        ({"class": "elsewhere:Other"}, "NearestMean"),
        ({"library": "other"}, "holdfast model"),
        ({"init": {"nonsense": 1}}, "nonsense"),
        ({"learned": {"__class__": 1}}, "learned state"),
        ({"learned": {"means_": {"$array": "nothing"}}}, "every array"),
        ({"learned": {"means_": {"$code": "1"}}}, "kind this version knows"),
        ({"learned": {"means_": {"$sklearn": "../x.skops"}}}, "file of the model folder"),
    ],
)
def test_load_refuses_what_it_does_not_know(tmp_path, change, words):
    folder = NearestMean().fit([[0.0], [1.0]], [0, 1]).save(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(InputError, match=words):
        NearestMean.load(folder)


def test_load_refuses_damage(tmp_path, data):
    with pytest.raises(InputError, match=r"config\.json is missing"):
        Net.load(tmp_path)
    folder = Net().fit(data[0]).save(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    weights["learned.layer_/weight"] = torch.zeros(7, 7)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(InputError, match="layer_"):
        Net.load(folder)
    (folder / "model.safetensors").write_bytes(b"half")
    with pytest.raises(InputError, match="whole safetensors file"):
        Net.load(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(InputError, match="valid JSON"):
        Net.load(folder)


def test_modules_given_as_arguments_must_be_given_again(tmp_path, data):
    folder = Net(layer=nn.Linear(3, 3)).fit(data[0]).save(tmp_path / "m")
    with pytest.raises(InputError, match="layer=") as e:
        Net.load(folder)
    assert e.value.argument == "layer"
    given = Net.load(folder, layer=nn.Linear(3, 3))
    assert np.array_equal(given.predict(data[1]), Net.load(folder, layer=nn.Linear(3, 3)).predict(data[1]))
    with pytest.raises(InputError, match="layer_"):
        Net.load(folder, layer=nn.Linear(3, 4))


def test_save_replaces_models_only_and_leaves_no_rest(tmp_path, data, monkeypatch):
    model = Net().fit(data[0])
    model.save(tmp_path / "m")
    before = (tmp_path / "m" / "config.json").read_text()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_text("x")
    with pytest.raises(InputError, match=r"holiday\.jpg"):
        model.save(tmp_path / "photos")
    model.extra_ = object()
    with pytest.raises(InputError, match="extra_"):
        model.save(tmp_path / "m")
    assert (tmp_path / "m" / "config.json").read_text() == before
    model.extra_ = 1
    monkeypatch.chdir(tmp_path / "m")
    model.save(".")
    assert Net.load(tmp_path / "m").extra_ == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", "photos"]


@pytest.mark.slow  # importing skops takes seconds
def test_learned_scikit_learn_models_go_through_skops(tmp_path):
    skops = pytest.importorskip("skops")
    from sklearn.linear_model import LogisticRegression

    X, y = np.arange(8.0)[:, None], np.arange(8) // 4
    model = NearestMean().fit(X, y)
    model.inner_ = LogisticRegression().fit(X, y)
    loaded = NearestMean.load(model.save(tmp_path / "m"))
    assert np.array_equal(loaded.inner_.predict_proba(X), model.inner_.predict_proba(X))
    assert (tmp_path / "m" / "learned.inner_.skops").is_file()
    assert skops.__version__


# --------------------------------------------------------------------------------------------------------- scikit-learn
def test_works_in_scikit_learn():
    from sklearn.base import clone, is_classifier
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = rng.normal(size=(40, 3)) + 3 * y[:, None]
    part = Scaling(2.0)
    twin = clone(NearestMean(temperature=2.0, scaling=part))
    assert twin.get_params() == {"temperature": 2.0, "scaling": part}
    assert is_classifier(twin)
    pipeline = make_pipeline(StandardScaler(), NearestMean()).fit(X, y)
    assert (pipeline.predict(X) == y).mean() > 0.9
    assert cross_val_score(pipeline, X, y, scoring="accuracy").mean() > 0.9
    search = GridSearchCV(NearestMean(), {"temperature": [0.5, 2.0]}, scoring="neg_log_loss").fit(X, y)
    assert set(search.best_params_) == {"temperature"}


def test_nested_parameters():
    outer = NearestMean(scaling=NearestMean(temperature=3.0))
    assert outer.get_params()["scaling__temperature"] == 3.0
    outer.set_params(scaling__temperature=4.0)
    assert outer.scaling.temperature == 4.0
    with pytest.raises(InputError, match="must be an argument of NearestMean"):
        outer.set_params(temperature__x=1)


def test_repr_shows_differences_only_and_copes_with_arrays():
    assert repr(NearestMean(temperature=2.0)) == "NearestMean(temperature=2.0)"
    assert repr(NearestMean(scaling=np.ones((2, 3)))) == "NearestMean(scaling=<ndarray (2, 3)>)"
    assert repr(Net(layer=nn.Linear(1, 1))) == "Net(layer=<Linear>)"


def test_variadic_init_is_refused():
    class Loose(NearestMean):
        def __init__(self, **settings):
            self.settings = settings

    with pytest.raises(TypeError, match="settings"):
        Loose().get_params()


def test_other_numbers_than_those_that_were_saved_are_never_used(tmp_path):
    folder = NearestMean().fit([[0.0], [1.0]], [0, 1]).save(tmp_path / "m")
    rng = random.Random(0)
    for name in ("config.json", "model.safetensors"):
        whole = (folder / name).read_bytes()
        for _ in range(60):
            damaged = bytearray(whole)
            damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
            (folder / name).write_bytes(damaged)
            with pytest.raises(InputError, match=re.escape(str(folder))):
                NearestMean.load(folder)
        (folder / name).write_bytes(whole)
    assert NearestMean.load(folder).predict([[0.2]]).tolist() == [0]
