"""Which dimensions of a model's tensors grow with its width, and what role that gives each tensor (appendix B).

A dimension is *infinite* if it differs between the base and the delta model, else *finite*. The number of infinite
dimensions and where they lie decide the role: matrix-like (two: "hidden"), vector-like (one: "input", "output" or
"vector") or finite (none: "fixed").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import cast, get_args

from torch import nn

from holdfast.errors import InputError
from holdfast.layers.embedding_scales import TABLES
from holdfast.systems.mutransfer.method.bare import LAYOUTS, Role, of_axes, of_bare

NORMS = (
    nn.LayerNorm,
    nn.RMSNorm,
    nn.GroupNorm,
    nn.modules.batchnorm._NormBase,  # batch and instance norms of every dimensionality
)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")


@dataclass(frozen=True)
class Owner:
    """A module that holds a parameter as its own, and what that says about the tensor's axes.

    Attributes:
        module: name of the module in the model ("" for the model itself); kind: name of its class.
        parameter: what the module calls the tensor ("weight").
        fan_out, fan_in: the axes with the outputs and the inputs of the layer; None where the tensor has none.
        law: exponent e of the usual initialisation of such a tensor: of a weight, its axis 1 to the power -e, which is
            the fan-in of all of PyTorch's initialisers (of transposed convolutions, too, whose inputs are axis 0).
        weight: for a bias, the full name of the weight whose axis 1 sets its initialisation.
        transposed: of stacked matrices, whether they are (inputs, outputs); None where the module does not say.
        table: whether the module is a table of embeddings.
    """

    module: str
    kind: str
    parameter: str
    fan_out: int | None
    fan_in: int | None
    law: float
    weight: str = ""
    transposed: bool | None = None
    table: bool = False


@dataclass(frozen=True)
class ParameterInfo:
    """One tensor of the model: its role and how much wider than in the base model it is.

    Attributes:
        name, shape, base: name and sizes here and in the base model.
        infinite: which axes grow with the width.
        role: "input" (finite to infinite), "hidden" (infinite to infinite), "output" (infinite to finite), "vector"
            (bias or gain) or "fixed".
        m_in, m_out: fan-in and fan-out over the base model's; 1 where finite.
        fan_in, fan_out: of the tensor here; 1 where it has none.
        m_weight: what a bias's usual initialisation depends on: how much axis 1 of its weight grew.
        m_model: the largest m of the model.
        law: exponent by which its std usually falls in the model as it comes, std ~ m_init^-law.
        owners: modules that hold it; several where it is tied.
    """

    name: str
    shape: tuple[int, ...]
    base: tuple[int, ...]
    infinite: tuple[bool, ...]
    role: Role
    m_in: float
    m_out: float
    fan_in: int
    fan_out: int
    m_weight: float
    m_model: float
    law: float
    owners: tuple[Owner, ...]

    @property
    def ninf(self) -> int:
        """Number of infinite dimensions."""
        return sum(self.infinite)

    @property
    def width_mult(self) -> float:
        """Multiplier of the last infinite dimension; 1 where there is none."""
        grown = [now / base for now, base, inf in zip(self.shape, self.base, self.infinite, strict=True) if inf]
        return grown[-1] if grown else 1.0

    @property
    def m_init(self) -> float:
        """What its initialisation may depend on: m_in; m_out for an input (finite fan-in), m_weight for a bias."""
        return {"input": self.m_out, "vector": self.m_weight, "fixed": self.m_weight}.get(self.role, self.m_in)

    @property
    def is_readout(self) -> bool:
        """Whether a layer, not a bare tensor, turns the width into a finite number of outputs."""
        return self.role == "output" and any(owner.kind for owner in self.owners)


Shapes = Mapping[str, tuple[int, ...]]


def shapes_of(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Name -> sizes of every parameter; names as `named_parameters()` gives them, wrappers' prefixes left out."""
    return {plain(name): tuple(parameter.shape) for name, parameter in model.named_parameters()}


def plain(name: str) -> str:
    """A parameter's name without what DistributedDataParallel, FSDP, torch.compile and checkpointing put before it.

    >>> plain("_orig_mod.module.fc.weight"), plain("my_module.weight")
    ('fc.weight', 'my_module.weight')
    """
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def describe(
    model: nn.Module, base: Shapes, delta: Shapes, roles: Mapping[str, str] | None = None
) -> dict[str, ParameterInfo]:
    """Role and multipliers of every parameter of a model, by name.

    Args:
        model: at the width it will be trained at; on any device, "meta" too.
        base, delta: sizes of the same model at the base width and at another one that differs in every width.
        roles: pattern of names -> role, where the structure does not tell ("*.router.weight": "hidden"), or which axes
            are which ("*.experts.w1": "batch in out"), from which the role follows.

    Raises:
        InputError: the three have other parameters or numbers of axes, nothing differs between base and delta, an axis
            is finite by them and yet differs here, a tensor has three infinite axes, or its role cannot be told.
    """
    roles = dict(roles or {})
    known = [*get_args(Role), *LAYOUTS]
    if wrong := [role for role in roles.values() if role not in known]:
        raise InputError("roles", f"must be of {known}", wrong[0])
    shapes = shapes_of(model)
    _same_names("base", base, shapes)
    _same_names("delta", delta, shapes)
    if all(tuple(base[name]) == tuple(delta[name]) for name in base):
        raise InputError("delta", "must differ from base in every width", f"{len(base)} tensors of the same sizes")
    infinite = {name: _infinite(name, shapes[name], base[name], delta[name]) for name in shapes}
    holders = owners(model)
    names = {f"{owner.module}.{owner.parameter}".lstrip("."): name for name in holders for owner in holders[name]}
    _used(roles, shapes)
    ratios = {name: _ratios(shapes[name], base[name]) for name in shapes}
    largest = max((r for name in shapes for r, inf in zip(ratios[name], infinite[name], strict=True) if inf), default=1)
    found = {}
    for name, shape in shapes.items():
        owner = holders[name][0]
        said = next((role for pattern, role in roles.items() if fnmatchcase(name, pattern)), "")
        alike = len({round(r, 9) for r, inf in zip(ratios[name], infinite[name], strict=True) if inf}) < 2
        role, owner = _role(name, infinite[name], shape, alike, owner, said)
        m_in, fan_in = _of_axis(owner.fan_in, ratios[name], shape)
        m_out, fan_out = _of_axis(owner.fan_out, ratios[name], shape)
        weight = names.get(owner.weight)
        if weight is not None:
            m_weight = ratios[weight][1]
        else:
            m_weight = m_out if role == "vector" and not owner.kind else 1.0
        found[name] = ParameterInfo(
            name,
            shape,
            tuple(base[name]),
            infinite[name],
            role,
            m_in,
            m_out,
            fan_in,
            fan_out,
            m_weight,
            largest,
            owner.law if len(shape) < 2 or infinite[name][1] else 0.0,
            (owner, *holders[name][1:]),
        )
    return found


def owners(model: nn.Module) -> dict[str, list[Owner]]:
    """Parameter -> modules that hold it, the first by the name that `named_parameters()` gives it."""
    names = {id(parameter): plain(name) for name, parameter in model.named_parameters()}
    found: dict[str, list[Owner]] = {}
    for path, module in model.named_modules(remove_duplicate=True):
        for parameter_name, parameter in module._parameters.items():
            if parameter is not None:
                found.setdefault(names[id(parameter)], []).append(
                    _owner(plain(f"{path}.")[:-1], module, parameter_name)
                )
    return found


def _owner(path: str, module: nn.Module, parameter: str) -> Owner:
    kind = type(module).__name__
    weight = f"{path}.weight".lstrip(".")

    def of(fan_out: int | None, fan_in: int | None, law: float, weight: str = "") -> Owner:
        return Owner(path, kind, parameter, fan_out, fan_in, law, weight)

    if isinstance(module, nn.MultiheadAttention):
        return of(0, 1, 0.5) if parameter.endswith("weight") else of(0, None, 0.0)
    if isinstance(module, nn.RNNBase):
        return of(0, 1, 0.5) if parameter.startswith("weight") else of(0, None, 0.5, f"{path}.weight_hh_l0".lstrip("."))
    if isinstance(module, NORMS):
        return of(0, None, 0.0)
    if isinstance(module, TABLES):
        return replace(of(1, 0, 0.0), table=True)
    if kind == "Conv1D" and hasattr(module, "nf"):  # transformers' linear layer with (inputs, outputs) weights
        return of(1, 0, 0.0) if parameter == "weight" else of(0, None, 0.0)
    if isinstance(module, TRANSPOSED):
        return of(1, 0, 0.5) if parameter == "weight" else of(0, None, 0.5, weight)
    if isinstance(module, (nn.Linear, *CONVOLUTIONS)) or kind == "MuSharedReadout":
        return of(0, 1, 0.5) if parameter == "weight" else of(0, None, 0.5, weight)
    if isinstance(module, nn.Bilinear):
        return of(0, 1, 0.5)
    # A bare tensor, or a layer of somebody's own making.
    stored = getattr(module, "is_transposed", None)
    return Owner(path, "", parameter, None, None, 0.0, transposed=stored if isinstance(stored, bool) else None)


def _role(
    name: str, infinite: tuple[bool, ...], shape: tuple[int, ...], alike: bool, owner: Owner, said: str
) -> tuple[Role, Owner]:
    """The role, and the owner with the axes of a bare tensor filled in."""
    if said in LAYOUTS:
        role, out_axis, in_axis = of_axes(name, infinite, said)
        return role, replace(owner, fan_out=out_axis, fan_in=in_axis)
    if not said and sum(infinite) > 2:
        raise InputError(name, "must have at most two dimensions that grow with the width", f"{sum(infinite)} that do")
    if not owner.kind:
        role, fan_out, fan_in = of_bare(name, infinite, shape, alike, owner.transposed, bool(said))
        owner = replace(owner, fan_out=fan_out, fan_in=fan_in)
    elif sum(infinite) != 1:
        role = "hidden" if any(infinite) else "fixed"
    elif len(infinite) == 1 or owner.fan_in is None:
        role = "vector"
    else:
        role = "output" if infinite[owner.fan_in] else "input"
    return cast(Role, said) if said else role, owner


def _infinite(name: str, shape: tuple[int, ...], base: tuple[int, ...], delta: tuple[int, ...]) -> tuple[bool, ...]:
    if not len(shape) == len(base) == len(delta):
        raise InputError(name, "must have as many axes in base, delta and model", f"{base}, {delta}, {shape}")
    infinite = tuple(b != d for b, d in zip(base, delta, strict=True))
    for axis, (grows, b, now) in enumerate(zip(infinite, base, shape, strict=True)):
        if not grows and b != now:
            rule = f"axis {axis} is {b} in base and delta, so it counts as finite; make delta differ in every width"
            raise InputError(name, rule, f"{now} in the model")
    return infinite


def _same_names(which: str, given: Shapes, here: Shapes) -> None:
    for name in here:
        if name not in given:
            raise InputError(which, "must have the parameters of the model", f"none named {name!r}")
    for name in given:
        if name not in here:
            raise InputError(which, "must have the parameters of the model", f"{name!r}, which the model has not")


def _used(patterns: Mapping[str, str], names: Shapes) -> None:
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError("roles", "must match a parameter", pattern)


def _ratios(shape: tuple[int, ...], base: tuple[int, ...]) -> list[float]:
    return [now / b if b else 1.0 for now, b in zip(shape, base, strict=True)]


def _of_axis(axis: int | None, ratios: list[float], shape: tuple[int, ...]) -> tuple[float, int]:
    return (1.0, 1) if axis is None else (ratios[axis], shape[axis])


def layers_with(infos: Mapping[str, ParameterInfo], role: Role) -> Iterator[tuple[str, ParameterInfo]]:
    """(module, its weight) for every layer whose weight plays the role; a tied weight in each of its layers.

    A weight tied between a table and a readout has the role of the table; the layer that is not a table reads it out.
    """
    for info in infos.values():
        tied = info.role == "input" and info.owners[0].table
        for i, owner in enumerate(info.owners):
            plays: Role = "output" if tied and i > 0 and not owner.table else info.role
            if plays == role and owner.kind:
                yield owner.module, info


__all__ = ["Owner", "ParameterInfo", "Role", "describe", "layers_with", "owners", "plain", "shapes_of"]
