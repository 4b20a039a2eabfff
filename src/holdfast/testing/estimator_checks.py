"""Generic checks of an estimator class: what every class with `fit` must do, asked according to its tags.

In a test file of a plugin:

    from holdfast.testing.estimator_checks import checks_for

    @pytest.mark.parametrize(("name", "check"), checks_for(MyEstimator))
    def test_contract(name, check):
        check()

A check raises AssertionError with a sentence that says what is wrong. No test framework is needed.
"""

from __future__ import annotations

import copy
import doctest
import functools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, NotFitted
from holdfast.estimator.foreign_models import SUFFIXES
from holdfast.testing.comparisons import close, disturb_global_generators, equal, must_raise, to_numpy

SEED = 20211


class Subject:
    """An estimator class with its example; fitted once and shared by the checks that only look.

    Args:
        cls: the class to check.
    """

    def __init__(self, cls: type[Estimator]) -> None:
        self.cls, self.tags = cls, cls.tags

    def example(self, stream: int = 0) -> Example:
        """The class's example from its own stream of randomness."""
        return self.cls.example(np.random.default_rng([SEED, stream]))

    def fit(self, example: Example | None = None, **changes: Any) -> Estimator:
        """A new estimator with the example's settings, fitted on it; `changes` are other init arguments."""
        example = example or self.example()
        return self.cls(**{**example.settings, **changes}).fit(**example.fit)

    @functools.cached_property
    def fitted(self) -> Estimator:
        """The shared one: look, do not touch."""
        return self.fit()

    def outputs(self, estimator: Estimator, rows: Any) -> dict[str, np.ndarray]:
        """What the methods in `tags.outputs` answer, as numpy arrays."""
        return {name: to_numpy(self.answer(estimator, name, rows)) for name in self.tags.outputs}

    def answer(self, estimator: Estimator, name: str, rows: Any) -> Any:
        """What one of these methods answers to rows, or to arguments by name."""
        method = getattr(estimator, name)
        return method(rows) if self.tags.predicts_rows else method(**rows)


def checks_for(cls: type[Estimator]) -> list[tuple[str, Callable[[], None]]]:
    """(name, check) for every check that the class's tags ask for; `check()` runs it."""
    subject, tags = Subject(cls), cls.tags
    applies: dict[Callable[[Subject], None], bool] = {
        check_init_stores_arguments: True,
        check_parameters_and_clone: True,
        check_unfitted_use_raises: True,
        check_fit_returns_self_and_names_learned_state: True,
        check_inputs_are_left_alone: True,
        check_same_seed_same_result: tags.needs_seed or tags.deterministic,
        check_seed_is_used: tags.needs_seed and not tags.deterministic,
        check_refit_resets_state: True,
        check_batch_of_one: tags.predicts_rows and tags.accepts_batch_of_one,
        check_types_of_numbers: bool(tags.arrays),
        check_numpy_and_torch_agree: bool(tags.arrays),
        check_save_and_load: True,
        check_wrong_arrays_are_named: bool(tags.arrays),
        check_wrong_prediction_input_is_named: tags.predicts_rows and bool(tags.arrays),
        check_wrong_labels_are_named: bool(tags.labels),
        check_classifier: tags.classifier,
        check_documented_examples: True,
    }
    return [(check.__name__, functools.partial(check, subject)) for check, wanted in applies.items() if wanted]


# ---------------------------------------------------------------------------------------------------------- parameters
def check_init_stores_arguments(subject: Subject) -> None:
    """`__init__` keeps every argument under its own name, untouched, and does nothing else."""
    settings, default = dict(subject.example().settings), subject.cls()
    marks = {name: object() for name in subject.cls._parameters()}
    made = subject.cls(**marks)  # a check in __init__ would stumble over these
    for name, mark in marks.items():
        assert getattr(made, name, None) is mark, f"__init__ does not store {name} as it is"
    for name, parameter in subject.cls._parameters().items():
        assert getattr(default, name, None) is parameter.default, f"__init__ replaces the default of {name}"
    extra = set(vars(made)) - set(marks)
    assert not extra, f"__init__ sets more than its arguments: {sorted(extra)}"
    unknown = set(settings) - set(marks)
    assert not unknown, f"example.settings names arguments that __init__ lacks: {sorted(unknown)}"


def check_parameters_and_clone(subject: Subject) -> None:
    """get_params, set_params and clone agree, unknown names are refused, repr shows what differs from the defaults."""
    settings = dict(subject.example().settings)
    made = subject.cls(**settings)
    params = made.get_params(deep=False)
    assert set(params) == set(subject.cls._parameters()), "get_params must return every init argument"
    twin = subject.cls().set_params(**settings)
    assert repr(twin) == repr(made), "set_params must equal giving the arguments to __init__"
    copied = subject.fitted.clone()
    assert repr(copied) == repr(subject.fitted), "clone must copy the init arguments"
    assert not copied._learned(), "clone must copy nothing learned"
    assert repr(subject.cls()) == f"{subject.cls.__name__}()", "repr must show only what differs from the defaults"
    must_raise(InputError, "no_such_argument", lambda: made.set_params(no_such_argument=1))


def check_unfitted_use_raises(subject: Subject) -> None:
    """Every output method and save raise NotFitted before fit."""
    example = subject.example()
    made = subject.cls(**example.settings)
    for name in subject.tags.outputs:
        must_raise(NotFitted, "", functools.partial(subject.answer, made, name, example.predict))
    with tempfile.TemporaryDirectory() as folder:
        must_raise(NotFitted, "", lambda: made.save(Path(folder) / "model"))


# ----------------------------------------------------------------------------------------------------------------- fit
def check_fit_returns_self_and_names_learned_state(subject: Subject) -> None:
    """fit returns self, learned state ends in an underscore, and init arguments stay what they were."""
    example = subject.example()
    made = subject.cls(**example.settings)
    before = made.get_params(deep=False)
    assert made.fit(**example.fit) is made, "fit must return self"
    for name, value in before.items():
        assert getattr(made, name) is value, f"fit must not change the init argument {name}"
    strange = [n for n in vars(made) if n not in before and not n.endswith("_") and not n.startswith("_")]
    assert not strange, f"attributes set by fit must end in an underscore: {strange}"


def check_inputs_are_left_alone(subject: Subject) -> None:
    """fit and the output methods do not change the arrays they are given."""
    example = subject.example()
    kept = copy.deepcopy((dict(example.fit), example.predict))
    subject.outputs(subject.fit(example), example.predict)
    assert equal((dict(example.fit), example.predict), kept), "fit or predict changed its input in place"


def check_same_seed_same_result(subject: Subject) -> None:
    """Two fits with equal arguments answer bit for bit the same, whatever the global generators were doing."""
    disturb_global_generators(1)
    first = subject.fit()
    disturb_global_generators(2)
    rows = subject.example().predict
    one, two = subject.outputs(first, rows), subject.outputs(subject.fit(), rows)
    assert equal(one, two), "equal seeds must give equal results; is a global generator used?"


def check_seed_is_used(subject: Subject) -> None:
    """Another seed gives another result."""
    seed = subject.tags.seed
    default = subject.cls(**subject.example().settings).get_params(deep=False)[seed]
    rows = subject.example().predict
    others = [subject.outputs(subject.fit(None, **{seed: (default or 0) + i}), rows) for i in (1, 2, 3)]
    mine = subject.outputs(subject.fitted, rows)
    assert not all(equal(mine, other) for other in others), "the seed has no influence; tag the class deterministic"


def check_refit_resets_state(subject: Subject) -> None:
    """Fitting on A, then on B, equals fitting on B alone."""
    a, b = subject.example(), subject.example(1)
    again = subject.fit(a).fit(**b.fit)
    fresh = subject.fit(Example(b.fit, b.predict, a.settings))
    assert set(again._learned()) == set(fresh._learned()), "learned attributes of the first fit survived the second"
    one, two = subject.outputs(again, b.predict), subject.outputs(fresh, b.predict)
    assert equal(one, two), "a second fit must forget the first"


# ------------------------------------------------------------------------------------------------------- kinds of input
def check_batch_of_one(subject: Subject) -> None:
    """Each row alone is answered as it is among the others, up to rounding."""
    rows = subject.example().predict
    among = subject.outputs(subject.fitted, rows)
    for i in range(min(len(rows), 3)):
        alone = subject.outputs(subject.fitted, rows[i : i + 1])
        for name, answer in alone.items():
            assert close(answer, among[name][i : i + 1], subject.tags.tolerance), f"{name} of one row differs from {i}"


def check_types_of_numbers(subject: Subject) -> None:
    """The same numbers as float32 and float64 give the same answers within the tag's tolerance."""
    answers = []
    for dtype in ("float32", "float64"):
        example = convert(subject, functools.partial(_rounded, dtype=dtype))
        answers.append(subject.outputs(subject.fit(example), example.predict))
    for name in subject.tags.outputs:
        assert close(answers[0][name], answers[1][name], subject.tags.tolerance), f"{name} depends on the input's type"


def check_numpy_and_torch_agree(subject: Subject) -> None:
    """numpy arrays and torch tensors with the same values give the same answers bit for bit."""
    import torch

    arrays = convert(subject, lambda x: to_numpy(x).astype("float32"))
    tensors = convert(subject, lambda x: torch.from_numpy(to_numpy(x).astype("float32")))
    one = subject.outputs(subject.fit(arrays), arrays.predict)
    two = subject.outputs(subject.fit(tensors), tensors.predict)
    assert equal(one, two), "torch and numpy inputs must give equal answers"


def _rounded(x: Any, dtype: str) -> np.ndarray:
    """The values of float32 in another type, so that both hold the same numbers."""
    return to_numpy(x).astype("float32").astype(dtype)


def convert(subject: Subject, change: Callable[[Any], Any]) -> Example:
    """The example with every array of `tags.arrays` and the prediction input changed."""
    example = subject.example()
    fit = {k: change(v) if k in subject.tags.arrays else v for k, v in example.fit.items()}
    rows = change(example.predict) if subject.tags.predicts_rows else example.predict
    return Example(fit, rows, example.settings)


def check_save_and_load(subject: Subject) -> None:
    """A saved and loaded estimator has the same arguments and learned names and answers bit for bit the same."""
    rows = subject.example().predict
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        subject.fitted.save(path)
        names = {p.name for p in path.iterdir() if p.suffix not in SUFFIXES}
        assert names == {"config.json", "model.safetensors", "README.md"}, f"unexpected files in the model: {names}"
        loaded = subject.cls.load(path)
    assert repr(loaded) == repr(subject.fitted), "load must bring back the init arguments"
    assert set(loaded._learned()) == set(subject.fitted._learned()), "load must bring back all learned state"
    assert equal(subject.outputs(loaded, rows), subject.outputs(subject.fitted, rows)), "a loaded model answers else"


# ---------------------------------------------------------------------------------------------------------- wrong input
def spoilt(x: Any) -> dict[str, Any]:
    """Ways to break an array, by name."""
    x = to_numpy(x)
    hole = x.astype("float64")
    hole[(-1,) * hole.ndim] = np.nan
    infinite = x.astype("float64")
    infinite[(0,) * infinite.ndim] = np.inf
    return {
        "NaN": hole,
        "infinite": infinite,
        "empty": x[:0],
        "one axis too few": x.reshape(-1) if x.ndim > 1 else x[0],
        "one axis too many": x[..., None, None, None],
        "strings": x.astype(str),
        "objects": np.array([{}] * len(x), dtype=object),
        "complex": x.astype(complex),
        "ragged": [[1.0], [1.0, 2.0]],
        "None": None,
    }


def check_wrong_arrays_are_named(subject: Subject) -> None:
    """Every way to break every array of fit is an InputError that names the argument, and leaves nothing learned."""
    for argument in subject.tags.arrays:
        example = subject.example()
        for kind, value in spoilt(example.fit[argument]).items():
            made = subject.cls(**example.settings)
            fit = functools.partial(made.fit, **{**example.fit, argument: value})
            must_raise(InputError, argument, fit, f"{kind} in {argument}")
            assert not made._learned(), f"{kind} in {argument}: a refused fit left learned state behind"


def check_wrong_prediction_input_is_named(subject: Subject) -> None:
    """Every way to break the input of an output method is an InputError."""
    for name in subject.tags.outputs:
        for kind, value in spoilt(subject.example().predict).items():
            must_raise(InputError, "", functools.partial(getattr(subject.fitted, name), value), f"{kind} in {name}")


def check_wrong_labels_are_named(subject: Subject) -> None:
    """Labels that are too few, of one class only, mixed, fractional or of the wrong shape are named."""
    for argument in subject.tags.labels:
        example = subject.example()
        labels = to_numpy(example.fit[argument])
        wrong: dict[str, Any] = {
            "empty": labels[:0],
            "too few": labels[:-1],
            "one class": np.repeat(labels[:1], len(labels)),
            "two axes": np.stack([labels, labels], 1),
            "mixed types": [0, *["a"] * (len(labels) - 1)],
            "mixed objects": np.array([0, *["a"] * (len(labels) - 1)], dtype=object),
            "fractions": np.linspace(0.25, 1.75, len(labels)),
            "NaN": np.full(len(labels), np.nan),
        }
        for kind, value in wrong.items():
            fit = functools.partial(subject.cls(**example.settings).fit, **{**example.fit, argument: value})
            must_raise(InputError, argument, fit, f"{kind} in {argument}")


# --------------------------------------------------------------------------------------------------------------- others
def check_classifier(subject: Subject) -> None:
    """Predictions are known classes, probabilities sum to one, and the labels' type is the user's."""
    example = subject.example()
    given = {k: to_numpy(example.fit[k]) for k in subject.tags.labels if example.fit.get(k) is not None}
    named = {k: np.array([f"class {label}" for label in labels]) for k, labels in given.items()}
    for labels in (given, named):
        fitted: Any = subject.fit(Example({**example.fit, **labels}, example.predict, example.settings))
        answers = np.asarray(fitted.predict(example.predict))
        assert set(answers.tolist()) <= set(fitted.classes_.tolist()), "predict must answer with known classes"
        first = labels[subject.tags.labels[0]]
        assert set(first.tolist()) <= set(fitted.classes_.tolist()), "classes_ must hold every label of the data"
        if hasattr(fitted, "predict_proba"):
            p = to_numpy(fitted.predict_proba(example.predict))
            assert p.shape == (len(example.predict), len(fitted.classes_)), "predict_proba must be (N, K)"
            assert (p >= 0).all(), "probabilities must not be negative"
            assert np.allclose(p.sum(1), 1, atol=1e-5), "rows of predict_proba must sum to 1"
            assert np.array_equal(fitted.classes_[p.argmax(1)], answers), "predict must be the most probable class"


def check_documented_examples(subject: Subject) -> None:
    """The examples in the class's module run; the class has at least one."""
    module = sys.modules[subject.cls.__module__]
    found = [t for t in doctest.DocTestFinder().find(module) if t.examples]
    assert any(f".{subject.cls.__name__}" in t.name for t in found), "the class's docstring needs an example (>>>)"
    runner, lines = doctest.DocTestRunner(verbose=False), list[str]()
    for test in found:
        runner.run(test, out=lines.append)
    assert not runner.failures, "".join(lines)


__all__ = ["Subject", "checks_for"]
