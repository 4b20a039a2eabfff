"""What a predictor of symbol sequences is, and the exact ones by name.

A predictor answers `log_probs(x)`, the log-probability of every symbol before each symbol of each sequence. Exact
mixtures and trained networks both do, so that tables, regret curves and the command line take either.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta.tool import batched
from holdfast.systems.nonstationary_meta.tool.counting import KT, DecayedKT, WindowKT
from holdfast.systems.nonstationary_meta.tool.lin_stream import LIN
from holdfast.systems.nonstationary_meta.tool.ptw_stream import PTW
from holdfast.systems.nonstationary_meta.tool.stream import Stream
from holdfast.validation import check_choice


@runtime_checkable
class Predictor(Protocol):
    """Predicts each symbol of sequences from the ones before it.

    Attributes:
        name: what tables and figures call it.
        alphabet: number of symbols A.
    """

    @property
    def name(self) -> str: ...

    @property
    def alphabet(self) -> int: ...

    def log_probs(self, x: Any) -> Any:
        """log P(x_t = s | x_1 .. x_{t-1}) for whole-number sequences x (B, T): (B, T, A), natural logarithms.

        numpy in, numpy out (float64); a tensor in, a tensor on its device out.
        """
        ...


@runtime_checkable
class Streaming(Protocol):
    """A predictor that can also take symbols as they come."""

    def stream(self) -> Stream:
        """A new streaming predictor that has seen nothing."""
        ...


@dataclass(frozen=True)
class KTPredictor:
    """The KT estimator: one distribution that never changes. See `kt_log_probs` and `KT`."""

    alphabet: int = 2
    name: ClassVar[str] = "kt"

    def log_probs(self, x: Any) -> Any:
        return batched.kt_log_probs(x, alphabet=self.alphabet, return_predictive=True)

    def stream(self) -> Stream:
        return KT(self.alphabet)


@dataclass(frozen=True)
class DecayedKTPredictor:
    """KT whose counts are multiplied by `decay` before each symbol is added. See `DecayedKT`."""

    decay: float = 0.95
    alphabet: int = 2

    @property
    def name(self) -> str:
        return f"decayed kt {self.decay:g}"

    def log_probs(self, x: Any) -> Any:
        return batched.decayed_kt_log_probs(x, self.decay, alphabet=self.alphabet, return_predictive=True)

    def stream(self) -> Stream:
        return DecayedKT(self.decay, self.alphabet)


@dataclass(frozen=True)
class WindowKTPredictor:
    """KT on the last `window` symbols. See `WindowKT`."""

    window: int = 32
    alphabet: int = 2

    @property
    def name(self) -> str:
        return f"window kt {self.window}"

    def log_probs(self, x: Any) -> Any:
        return batched.window_kt_log_probs(x, self.window, alphabet=self.alphabet, return_predictive=True)

    def stream(self) -> Stream:
        return WindowKT(self.window, self.alphabet)


@dataclass(frozen=True)
class PTWPredictor:
    """Partition Tree Weighting. See `ptw_log_probs` and `PTW`.

    Attributes:
        depth: horizon 2^depth; None = the smallest depth that holds the sequences given to `log_probs` (a stream, whose
            length nobody knows, then grows: "auto"); "auto" = grow by doubling.
    """

    depth: int | str | None = None
    alphabet: int = 2
    name: ClassVar[str] = "ptw"

    def log_probs(self, x: Any) -> Any:
        return batched.ptw_log_probs(x, self.depth, alphabet=self.alphabet, return_predictive=True)

    def stream(self) -> Stream:
        return PTW("auto" if self.depth is None else self.depth, self.alphabet)


@dataclass(frozen=True)
class LINPredictor:
    """Willems' mixture over all segmentations, hazard 1 / (2 length). See `lin_log_probs` and `LIN`.

    Attributes:
        prune: starts whose weight is e^-prune of the heaviest one's are dropped; None = exact.
    """

    prune: float | None = 30.0
    alphabet: int = 2
    name: ClassVar[str] = "lin"

    def log_probs(self, x: Any) -> Any:
        return batched.lin_log_probs(x, prune=self.prune, alphabet=self.alphabet, return_predictive=True)

    def stream(self) -> Stream:
        return LIN(self.alphabet, prune=self.prune)


EXACT: dict[str, type[Any]] = {
    "ptw": PTWPredictor,
    "lin": LINPredictor,
    "kt": KTPredictor,
    "decayed-kt": DecayedKTPredictor,
    "window-kt": WindowKTPredictor,
}


def predictor(name: str, **settings: Any) -> Any:
    """The exact predictor of a name: "ptw", "lin", "kt", "decayed-kt" or "window-kt".

    Args:
        name: one of them.
        settings: `alphabet`, and what the predictor has beside it (`depth`, `prune`, `decay`, `window`).

    Raises:
        InputError: an unknown name, or a setting that the predictor does not have.

    Example:
        >>> predictor("decayed-kt", decay=0.9).name
        'decayed kt 0.9'
    """
    kind = EXACT[check_choice(name, list(EXACT), "model")]
    known = [f.name for f in fields(kind)]
    for setting in settings:
        if setting not in known:
            rule = f"must not be given with {name}, which has {' and '.join(known)}"
            raise InputError(setting, rule, settings[setting])
    return kind(**settings)


def open_predictor(model: Any, **settings: Any) -> Any:
    """A predictor from whatever names one.

    Args:
        model: a name of `EXACT`, the folder of a trained `MetaPredictor`, or a predictor, which is returned.
        settings: of exact predictors, as for `predictor`; None means not given. A trained network takes none.

    Raises:
        InputError: neither a name nor a folder; settings that the predictor does not have.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    if isinstance(model, str) and model in EXACT:
        return predictor(model, **given)
    if not isinstance(model, str | Path):
        return model
    if not Path(model).is_dir():
        raise InputError("model", f"must be one of {', '.join(EXACT)}, or the folder of a trained network", str(model))
    if superfluous := sorted(set(given) - {"alphabet"}):
        raise InputError(superfluous[0], "must not be given with a trained network", given[superfluous[0]])
    from holdfast.systems.nonstationary_meta.estimator import MetaPredictor

    trained = MetaPredictor.load(model)
    if given.get("alphabet", trained.alphabet) != trained.alphabet:
        raise InputError("alphabet", f"must be {trained.alphabet}, the network's", given["alphabet"])
    return trained


def open_stream(model: Any, *, limit: int | None = None, **settings: Any) -> Stream:
    """A stream of whatever names a predictor.

    Args:
        model, settings: as for `open_predictor`.
        limit: of `LIN`: starts kept at most; None = not given.

    Raises:
        InputError: as `open_predictor`; a limit for another model.
    """
    opened = open_predictor(model, **settings)
    if not isinstance(opened, Streaming):
        raise InputError("model", "must be a name, a folder, or a predictor with stream()", repr(opened))
    stream: Stream = opened.stream()
    if limit is not None:
        if not isinstance(stream, LIN):
            raise InputError("limit", "must not be given with any model but lin", limit)
        stream = LIN(stream.alphabet, prune=stream.prune, limit=limit)
    return stream


__all__ = [
    "EXACT",
    "DecayedKTPredictor",
    "KTPredictor",
    "LINPredictor",
    "PTWPredictor",
    "Predictor",
    "Streaming",
    "WindowKTPredictor",
    "open_predictor",
    "open_stream",
    "predictor",
]
