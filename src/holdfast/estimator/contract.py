"""The contract of everything with `fit`: parameters, learned state, saving.

- `__init__` only stores its arguments, under their own names; every check happens in `fit`, so that an estimator can be
  made, cloned, compared and tuned before there is data.
- What `fit` learns ends in an underscore (`classes_`); private caches begin with one.
- `example(rng)` gives a tiny valid input and `tags` say which of the generic checks in
  `holdfast.testing.estimator_checks` apply: a new estimator is checked without a line of test code.
- `save` and `load` use safetensors and JSON, never pickle.

`get_params`, `set_params` and `clone` follow scikit-learn, so estimators work in its pipelines and searches.
"""

from __future__ import annotations

import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import holdfast
from holdfast.errors import HoldfastError, InputError
from holdfast.estimator import modelfolder

if TYPE_CHECKING:
    import numpy as np


class NotFitted(HoldfastError, ValueError, AttributeError):
    """An estimator was used before `fit`."""


@dataclass(frozen=True)
class Tags:
    """What an estimator is, so that generic checks know what to ask of it.

    Attributes:
        classifier: `predict` gives one label per row, `classes_` the known ones.
        image_input: rows are images (C, H, W).
        arrays: arguments of `fit` that are numeric arrays with one row per case.
        labels: arguments of `fit` that are class labels.
        outputs: methods that take `Example.predict` and whose results are compared in checks.
        needs_seed: has a seed among its arguments; equal seeds give equal results.
        seed: what that argument is called.
        deterministic: `fit` draws nothing, so that the seed does not matter.
        predicts_rows: the output methods take rows; else `Example.predict` holds their arguments by name (a forecaster
            takes a number of steps) and what is asked of rows is not asked.
        accepts_batch_of_one: each row is answered alone as it is among others.
        tolerance: largest difference between results for the same numbers in other types (float32, float64).
    """

    classifier: bool = False
    image_input: bool = False
    arrays: tuple[str, ...] = ("X",)
    labels: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ("predict",)
    needs_seed: bool = True
    seed: str = "seed"
    deterministic: bool = False
    predicts_rows: bool = True
    accepts_batch_of_one: bool = True
    tolerance: float = 1e-5


@dataclass(frozen=True)
class Example:
    """A tiny valid input, fitted in well under a second.

    Attributes:
        fit: arguments of `fit`, by name.
        predict: the argument of `predict` and the other methods in `Tags.outputs`: rows, or without
            `Tags.predicts_rows` a mapping of argument names to values.
        settings: init arguments that make `fit` small (two steps, a small net).
    """

    fit: Mapping[str, Any]
    predict: Any
    settings: Mapping[str, Any] = field(default_factory=dict)


class Estimator(ABC):
    """Base of all estimators: abstract; a concrete estimator is final.

    A subclass writes `__init__` (storing arguments), `fit`, what it is used for (`predict`, ...), `example` and `tags`.
    Where learned state holds torch modules it also writes `_build`.

    Example:
        >>> import numpy as np
        >>> from holdfast.estimator import Estimator, Example, Tags
        >>> class Mean(Estimator):
        ...     tags = Tags(deterministic=True, needs_seed=False)
        ...     def __init__(self, shift=0.0):
        ...         self.shift = shift
        ...     def fit(self, X):
        ...         self.mean_ = np.asarray(X).mean(0) + self.shift
        ...         return self
        ...     def predict(self, X):
        ...         self.check_fitted()
        ...         return np.asarray(X) - self.mean_
        ...     @classmethod
        ...     def example(cls, rng):
        ...         return Example(fit={"X": rng.random((5, 2))}, predict=rng.random((3, 2)))
        >>> Mean(shift=2.0)
        Mean(shift=2.0)
        >>> Mean().fit([[1.0], [3.0]]).predict([[2.0]])
        array([[0.]])
    """

    tags: ClassVar[Tags] = Tags()
    trusted_types: ClassVar[tuple[str, ...]] = ()  # allowed inside scikit-learn models, to save as to load
    moved: ClassVar[Mapping[str, str]] = {}  # "module:name" in earlier model folders -> today's, of the class and parts

    @abstractmethod
    def fit(self, *args: Any, **kwargs: Any) -> Self:
        """Learn from data and return self."""

    @classmethod
    @abstractmethod
    def example(cls, rng: np.random.Generator) -> Example:
        """A tiny valid input, different for every state of `rng`."""

    def _build(self) -> Mapping[str, Any]:
        """Fresh torch modules by attribute name, made from init arguments and the rest of the learned state.

        `load` calls it once everything else is in place, and fills the modules with the stored weights.
        """
        raise NotImplementedError(f"{type(self).__name__} has learned modules and must define _build to be loaded")

    # ------------------------------------------------------------------------------------------------------ parameters
    @classmethod
    def _parameters(cls) -> dict[str, inspect.Parameter]:
        found = dict(inspect.signature(cls.__init__).parameters)
        del found["self"]
        variadic = [p.name for p in found.values() if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        if variadic:
            raise TypeError(f"{cls.__name__}.__init__ must name its arguments; it has {', '.join(variadic)}")
        return found

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Init arguments by name; with `deep`, those of estimators among them too (as "part__argument")."""
        params = {name: getattr(self, name) for name in self._parameters()}
        if deep:
            for name, value in list(params.items()):
                if hasattr(value, "get_params") and not isinstance(value, type):
                    params |= {f"{name}__{k}": v for k, v in value.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Change init arguments; unknown names are refused before anything changes.

        Raises:
            InputError: a name that `__init__` does not have.
        """
        known = self._parameters()
        for name in params:
            owner, _, inner = name.partition("__")
            if owner not in known or (inner and not hasattr(getattr(self, owner), "set_params")):
                rule = f"must be an argument of {type(self).__name__}: {', '.join(known)}"
                raise InputError(name, rule, params[name])
        for name, value in params.items():
            owner, _, inner = name.partition("__")
            if inner:
                getattr(self, owner).set_params(**{inner: value})
            else:
                setattr(self, name, value)
        return self

    def clone(self) -> Self:
        """An unfitted estimator with copies of the same init arguments."""
        return type(self)(**copy.deepcopy(self.get_params(deep=False)))

    def __repr__(self) -> str:
        defaults = {name: p.default for name, p in self._parameters().items()}
        shown = [
            f"{name}={_short(value)}"
            for name, value in self.get_params(deep=False).items()
            if not _same(value, defaults[name])
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn's pipelines and searches ask an estimator for."""
        from sklearn.utils import ClassifierTags, InputTags, TargetTags
        from sklearn.utils import Tags as SklearnTags

        return SklearnTags(
            estimator_type="classifier" if self.tags.classifier else None,
            target_tags=TargetTags(required=bool(self.tags.labels)),
            classifier_tags=ClassifierTags() if self.tags.classifier else None,
            input_tags=InputTags(two_d_array=not self.tags.image_input, three_d_array=self.tags.image_input),
            non_deterministic=False,  # equal seeds give equal results
        )

    # --------------------------------------------------------------------------------------------------- learned state
    def _learned(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k.endswith("_") and not k.startswith("_")}

    def _forget(self) -> None:
        """Drop what an earlier fit learned. `fit` calls it once its checks have passed."""
        for name in self._learned():
            delattr(self, name)

    def __sklearn_is_fitted__(self) -> bool:
        return bool(self._learned())

    def check_fitted(self) -> None:
        """Raise NotFitted unless `fit` has run."""
        if not self._learned():
            raise NotFitted(f"{type(self).__name__} is not fitted yet; call fit or load a saved one")

    # --------------------------------------------------------------------------------------------------- save and load
    def save(self, folder: str | Path) -> Path:
        """Write the fitted estimator to a model folder, whole or not at all, replacing an earlier model there.

        The folder holds `config.json` (class, version, init arguments, learned values), `model.safetensors` (arrays and
        weights), models of other libraries in their own formats, and `README.md` (a model card): the layout that the
        Hugging Face Hub shows; see `holdfast.estimator.hub`.

        Raises:
            NotFitted: before `fit`.
            InputError: an argument or learned value has no safe form, or `folder` holds something else.
        """
        self.check_fitted()
        encoder = modelfolder.Encoder(self._packages(), self.trusted_types)
        init = {k: self._encode_argument(encoder, v, f"init.{k}") for k, v in self.get_params(deep=False).items()}
        config = {
            "library": "holdfast",
            "version": holdfast.__version__,
            "class": _path_of(type(self)),
            "init": init,
            "learned": {k: encoder.encode(v, f"learned.{k}") for k, v in self._learned().items()},
        }
        modelfolder.write(Path(folder), config, encoder, self._card())
        return Path(folder)

    @classmethod
    def _packages(cls) -> tuple[str, ...]:
        """Top-level packages whose frozen dataclasses may be in a model folder of this class."""
        return tuple(dict.fromkeys(["holdfast", cls.__module__.split(".")[0]]))

    @classmethod
    def _encode_argument(cls, encoder: modelfolder.Encoder, value: Any, name: str) -> Any:
        foreign = _is_part(value) and type(value).__module__.split(".")[0] not in cls._packages()
        if foreign or (callable(value) and not _is_part(value)):
            return {"$given": _short(value)}  # the user's own code cannot be stored as data
        return encoder.encode(value, name)

    @classmethod
    def load(cls, folder: str | Path, **given: Any) -> Self:
        """A fitted estimator from a model folder. Runs no code from the folder.

        Args:
            folder: written by `save`.
            given: init arguments to use in place of the stored ones; needed for those that cannot be stored, such as
                a backbone that was passed as a module (`load(folder, backbone=MyNet())`).

        Raises:
            InputError: not a model folder, another class, an unknown format, damaged or foreign content, a module whose
                weights do not fit.
        """
        folder = Path(folder)
        config = modelfolder.read(folder)
        saved = config.get("class")
        if _path_of(cls) not in (saved, cls.moved.get(str(saved))):
            raise InputError(str(folder), f"must hold a {_path_of(cls)}", saved)
        with modelfolder.reading(folder):
            estimator = cls._from(config, folder, given)
        modelfolder.check_intact(folder, config)
        return estimator

    @classmethod
    def _from(cls, config: Mapping[str, Any], folder: Path, given: Mapping[str, Any]) -> Self:
        decoder = modelfolder.Decoder(folder, cls._packages(), cls.trusted_types, cls.moved)
        estimator = cls(**cls._decode_init(decoder, config, given, folder))
        learned = config.get("learned", {})
        modules = {name: value for name, value in learned.items() if isinstance(value, dict) and "$module" in value}
        for name, value in learned.items():
            if not (name.isidentifier() and name.endswith("_")) or name.startswith("_"):
                raise InputError(f"{folder}: learned.{name}", "must be a name of learned state (x_)")
            if name not in modules:
                setattr(estimator, name, decoder.decode(value, f"learned.{name}"))
        if modules:
            estimator._load_modules({k: decoder.decode(v, f"learned.{k}") for k, v in modules.items()}, folder)
        return estimator

    @classmethod
    def _decode_init(
        cls, decoder: modelfolder.Decoder, config: Mapping[str, Any], given: Mapping[str, Any], folder: Path
    ) -> dict[str, Any]:
        known, stored = cls._parameters(), config.get("init", {})
        for name in [*stored, *given]:
            if name not in known:
                raise InputError(f"{folder}: {name}", f"must be an argument of {cls.__name__}: {', '.join(known)}")
        init = {k: decoder.decode(v, f"init.{k}") for k, v in stored.items() if k not in given} | dict(given)
        for name, value in init.items():
            if isinstance(value, modelfolder.Given):
                rule = f"was given as an object when the model was saved; load it with {cls.__name__}.load(folder, "
                raise InputError(name, f"{rule}{name}=...)", value.description)
        return init

    def _load_modules(self, states: Mapping[str, Mapping[str, Any]], folder: Path) -> None:
        for name, module in self._build().items():
            if name not in states:
                continue
            try:
                module.load_state_dict(states[name])
            except RuntimeError as e:
                rule = "must have the weights that the estimator's arguments ask for"
                raise InputError(f"{folder}: {name}", rule, str(e)) from e
            setattr(self, name, module.eval())
        if missing := set(states) - set(vars(self)):
            raise InputError(str(folder), f"must hold modules of {type(self).__name__} only", sorted(missing))

    def _card(self) -> str:
        """The text of README.md in the model folder."""
        kind = type(self)
        about = inspect.cleandoc(kind.__doc__ or kind.__name__).split("\n\n")[0]
        settings = "\n".join(f"| {k} | `{_short(v)}` |" for k, v in self.get_params(deep=False).items())
        return (
            f"---\nlibrary_name: holdfast\ntags:\n- holdfast\n---\n# {kind.__name__}\n\n{about}\n\n"
            f"```python\nfrom {kind.__module__} import {kind.__name__}\n\nmodel = {kind.__name__}.load(folder)\n```\n\n"
            f"Written by holdfast {holdfast.__version__}. The weights are safetensors and the settings JSON: "
            f"loading runs no code from this folder.\n\n| setting | value |\n|---|---|\n{settings}\n"
        )


def _path_of(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _is_part(value: Any) -> bool:
    """A dataclass may be callable and is still stored as data."""
    return is_dataclass(value) and not isinstance(value, type)


def _same(value: Any, default: Any) -> bool:
    """Equality that copes with arrays, whose == is not a bool."""
    if value is default:
        return True
    try:
        return type(value) is type(default) and bool(value == default)
    except (ValueError, RuntimeError, TypeError):
        return False


def _short(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"<{type(value).__name__} {tuple(shape)}>"
    if hasattr(value, "state_dict") or (callable(value) and not _is_part(value)):
        return f"<{getattr(value, '__qualname__', type(value).__qualname__)}>"
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."


__all__ = ["Estimator", "Example", "NotFitted", "Tags"]
