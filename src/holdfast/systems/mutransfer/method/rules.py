"""Parametrizations: how initialisation, forward multiplier and learning rate of each tensor change with the width.

With m the width over the base width, a tensor's effective weight is `multiplier * W`; W starts with a standard
deviation `init` times that of the base model, and is moved at a rate that is `adam` or `sgd` times the base rate: for
optimisers whose step does not depend on the gradient's size, or is proportional to it (table 8 of the paper).

| tensor                        | init     | multiplier | sgd        | adam   |
|-------------------------------|----------|------------|------------|--------|
| input weight, bias, gain      | 1        | 1          | m          | 1      |
| hidden weight                 | m^-1/2   | 1          | m_out/m_in | 1/m_in |
| output weight                 | 1        | 1/m_in     | m_in       | 1      |
| finite tensor                 | 1        | 1          | 1          | 1      |

Muon moves a hidden matrix by an orthogonal one, of spectral norm 1 whatever the gradient's size. What it adds to the
layer's output keeps its size if ||dW|| ~ sqrt(fan_out / fan_in) (the spectral condition, arXiv 2310.17813: inputs have
the norm sqrt(fan_in), outputs are to have sqrt(fan_out), and dW's largest direction is the inputs'), so its rate is
multiplied by sqrt(m_out/m_in). All other tensors are left to Adam.

Every rule here is a function from a tensor's `ParameterInfo` to its `Scaling`, and all are 1 at the base width.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Literal

from holdfast.errors import InputError
from holdfast.systems.mutransfer.method.dimensions import ParameterInfo

Family = Literal["adam", "sgd", "adafactor", "muon"]


@dataclass(frozen=True)
class Scaling:
    """What a rule says of one tensor.

    Attributes:
        init: standard deviation over that of the base model; None = as the model comes.
        std: standard deviation itself, in place of `init`.
        multiplier: on the input of the layer that holds the tensor (biases are not multiplied).
        adam, sgd: learning rate over the base rate.
        muon: likewise, for an optimiser whose steps are orthogonal matrices; None = the rule is not defined for it.
    """

    init: float | None = 1.0
    std: float | None = None
    multiplier: float = 1.0
    adam: float = 1.0
    sgd: float | None = 1.0
    muon: float | None = 1.0

    def rate(self, family: Family, info: ParameterInfo) -> float:
        """Factor on the learning rate for a kind of optimiser.

        Adafactor moves a tensor in proportion to its own size, which `init` has scaled already.

        Raises:
            InputError: the rule is not defined for such optimisers.
        """
        if family in ("sgd", "muon"):
            found = self.sgd if family == "sgd" else self.muon
            if found is None:
                raise InputError("optimizer", "must be Adam-like for this parametrization", f"one like {family}")
            return found
        if family == "adafactor" and len(info.shape) > 1:
            size = self.init if self.init is not None else info.m_init**-info.law
            return self.adam / size if size else self.adam
        return self.adam


class Parametrization(ABC):
    """A rule for every tensor."""

    @abstractmethod
    def scaling(self, info: ParameterInfo) -> Scaling:
        """What the width does to a tensor."""

    def readout(self, info: ParameterInfo, m: float) -> float:
        """Multiplier of a readout that is tied to a table of embeddings, m times wider than in the base model."""
        return 1.0

    def attention(self, m: float, own: float | None = None) -> float:
        """Factor on attention logits of heads m times as wide as the base's.

        Args:
            own: what the model itself multiplies q.k with, over what the base model does; None = m^-1/2, the usual.
        """
        return 1.0

    def embedding(self, own: float) -> float:
        """Factor on vectors of a table that the model itself multiplies with `own` times what the base model does."""
        return 1.0

    def branch(self, name: str) -> float:
        """Multiplier on the output of a module, for rules that scale residual branches."""
        return 1.0


@dataclass(frozen=True)
class SP(Parametrization):
    """The standard parametrization: the model as it comes, one learning rate for all tensors."""

    def scaling(self, info: ParameterInfo) -> Scaling:
        return Scaling(init=None)


@dataclass(frozen=True)
class GlobalRate(Parametrization):
    """The standard parametrization with every learning rate divided by m: the usual rule of thumb."""

    def scaling(self, info: ParameterInfo) -> Scaling:
        return Scaling(init=None, adam=1 / info.m_model, sgd=1 / info.m_model, muon=1 / info.m_model)


class Maximal(Parametrization):
    """What muP and its other forms agree in: tied readouts at 1/m, and logits that fall as 1/d (definition 4.1)."""

    def readout(self, info: ParameterInfo, m: float) -> float:
        return 1 / m

    def attention(self, m: float, own: float | None = None) -> float:
        usual = m**-0.5
        return usual if own is None or math.isclose(own, usual, rel_tol=1e-6) else 1 / (m * own)

    def embedding(self, own: float) -> float:
        return 1 / own


@dataclass(frozen=True)
class MuP(Maximal):
    """The maximal update parametrization: every activation and its update keep their size (table 8).

    Args:
        compat: "mup" does what the reference package does where it departs from the paper: initialisation of hidden
            weights is taken as it comes (right only where its std falls as fan_in^-1/2), the readout's bias and a tied
            table of embeddings are scaled by sqrt(m) as the readout's weight is, biases of linear layers and
            convolutions by sqrt(m_in); axis 1 counts as fan-in everywhere, and a convolution is no readout.
    """

    compat: Literal["", "mup"] = ""

    def __post_init__(self) -> None:
        if self.compat not in ("", "mup"):
            raise InputError("compat", "must be '' or 'mup'", self.compat)

    def scaling(self, info: ParameterInfo) -> Scaling:
        m_in, m_out = info.m_in, info.m_out
        if self.compat and info.role == "hidden" and len(info.shape) > 1:
            m_out, m_in = (info.shape[axis] / info.base[axis] for axis in (0, 1))
        match info.role:
            case "hidden":
                return Scaling(init=m_in**-0.5, adam=1 / m_in, sgd=m_out / m_in, muon=(m_out / m_in) ** 0.5)
            case "output" if self.compat and len(info.shape) > 2:
                return Scaling(sgd=info.width_mult)
            case "output":
                # A bare tensor has no layer whose input could be multiplied; the same function of it is learned with
                # a smaller weight and smaller steps.
                return Scaling(multiplier=1 / m_in, sgd=m_in) if info.is_readout else Spectral().scaling(info)
            case "input" | "vector":
                return Scaling(sgd=info.width_mult)
            case _:
                return Scaling(init=None)


@dataclass(frozen=True)
class NoReadoutMultiplier(MuP):
    """muP with one deliberate mistake: the readout is an ordinary layer. For comparisons and tests of the check."""

    def scaling(self, info: ParameterInfo) -> Scaling:
        return Scaling(init=None) if info.role == "output" else super().scaling(info)

    def readout(self, info: ParameterInfo, m: float) -> float:
        return 1.0


@dataclass(frozen=True)
class Spectral(Maximal):
    """The spectral condition: ||W|| and ||dW|| scale as sqrt(fan_out / fan_in)   (arXiv 2310.17813).

    The same training as muP without any forward multiplier: the readout starts with a std of 1/fan_in and learns at
    1/m_in (Adam). Tied embeddings need a multiplier all the same, as one tensor cannot have two sizes.
    """

    def scaling(self, info: ParameterInfo) -> Scaling:
        m_in, m_out = info.m_in, info.m_out
        match info.role:
            case "hidden":
                norm = (m_out / m_in) ** 0.5
                return Scaling(init=m_in**-0.5 * min(1.0, norm), adam=1 / m_in, sgd=m_out / m_in, muon=norm)
            case "output":
                return Scaling(init=1 / m_in, adam=1 / m_in, sgd=1 / m_in)
            case "input" | "vector":
                return Scaling(sgd=info.width_mult)
            case _:
                return Scaling(init=None)


@dataclass(frozen=True)
class UMuP(Maximal):
    """Unit-scaled muP: every weight starts with unit variance, all scaling is in multipliers (arXiv 2407.17465).

    Multiplier 1/sqrt(fan_in) for weights, 1/fan_in for readouts, 1 for embeddings; Adam's rate falls as
    1/sqrt(fan_out) for inputs and 1/sqrt(fan_in) for hidden weights. Base rates are larger than muP's by about
    sqrt(base width). The model's operations stay as they are: they are not replaced by unit-scaled ones.
    """

    def scaling(self, info: ParameterInfo) -> Scaling:
        fan_in = math.prod(info.shape) / info.fan_out if info.shape else 1.0
        match info.role:
            case "hidden":
                return Scaling(std=1.0, multiplier=fan_in**-0.5, adam=fan_in**-0.5, sgd=None, muon=None)
            case "output":
                return Scaling(std=1.0, multiplier=1 / fan_in, sgd=None)
            case "input":
                table = not info.owners[0].kind or info.owners[0].table
                return Scaling(std=1.0, multiplier=1.0 if table else fan_in**-0.5, adam=info.fan_out**-0.5, sgd=None)
            case "vector":
                return Scaling(adam=info.fan_out**-0.5, sgd=None)
            case _:
                return Scaling(init=None, sgd=None)

    def readout(self, info: ParameterInfo, m: float) -> float:
        return 1 / info.fan_out


@dataclass(frozen=True)
class DepthScaled(Parametrization):
    """Another rule for the width, and for the depth: residual branches and Adam's rate in them fall as 1/sqrt(L).

    Depth-muP (arXiv 2310.02244) for blocks of depth one: each branch's output is multiplied by sqrt(base_layers /
    layers), and so is the learning rate of the tensors in it (for SGD it stays).

    Args:
        layers, base_layers: number of residual blocks of the model and of the base model.
        branches: patterns of the names of the modules whose output is added to the residual stream.
        width: the rule for the width.
    """

    layers: int
    base_layers: int
    branches: tuple[str, ...]
    width: Parametrization = field(default_factory=MuP)

    def __post_init__(self) -> None:
        for name in ("layers", "base_layers"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise InputError(name, "must be a whole number of at least 1", getattr(self, name))
        if not self.branches:
            raise InputError("branches", "must name the modules that are added to the residual stream", self.branches)

    @property
    def factor(self) -> float:
        """sqrt(base_layers / layers)."""
        return math.sqrt(self.base_layers / self.layers)

    def scaling(self, info: ParameterInfo) -> Scaling:
        found = self.width.scaling(info)
        if not any(self._inside(owner.module) for owner in info.owners):
            return found
        muon = None if found.muon is None else found.muon * self.factor  # its steps have one size, too
        return replace(found, adam=found.adam * self.factor, muon=muon)

    def readout(self, info: ParameterInfo, m: float) -> float:
        return self.width.readout(info, m)

    def attention(self, m: float, own: float | None = None) -> float:
        return self.width.attention(m, own)

    def embedding(self, own: float) -> float:
        return self.width.embedding(own)

    def branch(self, name: str) -> float:
        return self.factor if any(fnmatchcase(name, pattern) for pattern in self.branches) else 1.0

    def _inside(self, module: str) -> bool:
        parts = module.split(".")
        ancestors = (".".join(parts[: i + 1]) for i in range(len(parts)))
        return any(fnmatchcase(ancestor, pattern) for ancestor in ancestors for pattern in self.branches)


__all__ = [
    "SP",
    "DepthScaled",
    "Family",
    "GlobalRate",
    "MuP",
    "NoReadoutMultiplier",
    "Parametrization",
    "Scaling",
    "Spectral",
    "UMuP",
]
