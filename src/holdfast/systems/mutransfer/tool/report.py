"""What a parametrization did to each tensor, and the groups of an optimiser that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim import Optimizer

from holdfast.errors import InputError
from holdfast.systems.mutransfer.method.dimensions import ParameterInfo, plain
from holdfast.systems.mutransfer.method.rules import Parametrization, Scaling
from holdfast.systems.mutransfer.tool.optimizers import family_of, grouped, own_adjustment
from holdfast.training.class_defaults import class_defaults
from holdfast.training.joined_optimizer import JoinedOptimizer
from holdfast.training.relative_rates import Guard

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Row:
    """One tensor: what it is, what its initialisation was multiplied with, and what the rule says."""

    info: ParameterInfo
    init_factor: float
    scaling: Scaling


@dataclass(frozen=True)
class MuReport:
    """Result of `MuParametrization.apply`.

    Attributes:
        rows: one per tensor, in the model's order.
        rule: the parametrization.
        unscaled_attention: modules that look like attention and whose heads' width could not be told: they are left
            alone. Name the number of heads, `Attention(heads=...)`, if their heads widen with the model.
    """

    rows: tuple[Row, ...]
    rule: Parametrization
    unscaled_attention: tuple[str, ...] = ()

    @property
    def infos(self) -> dict[str, ParameterInfo]:
        """Name -> role and multipliers."""
        return {row.info.name: row.info for row in self.rows}

    def frame(self) -> pd.DataFrame:
        """A row per tensor: parameter, shape, base, role, width, init, multiplier, adam, sgd."""
        import pandas as pd

        return pd.DataFrame(
            {
                "parameter": row.info.name,
                "shape": "x".join(map(str, row.info.shape)),
                "base": "x".join(map(str, row.info.base)),
                "role": row.info.role,
                "width": row.info.width_mult,
                "init": row.init_factor,
                "multiplier": row.scaling.multiplier,
                "adam": row.scaling.adam,
                "sgd": float("nan") if row.scaling.sgd is None else row.scaling.sgd,
            }
            for row in self.rows
        )

    def rescale(self, model: nn.Module) -> None:
        """Multiply fresh weights by their factors. `apply` does it; call it yourself only after `to_empty` and a draw.

        Raises:
            InputError: a tensor has no values yet (device "meta").
        """
        factors = {row.info.name: row.init_factor for row in self.rows}
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.is_meta:
                    raise InputError(
                        "model", "must have values: use to_empty and initialise it first", f"{name} on meta"
                    )
                if (factor := factors[plain(name)]) != 1.0:
                    parameter.mul_(factor)

    def param_groups(
        self,
        model: nn.Module,
        lr: float,
        *,
        optimizer: str | type[Optimizer] = "adam",
        weight_decay: float | None = None,
        decoupled_wd: bool = False,
    ) -> list[dict[str, Any]]:
        """Groups for an optimiser, one per factor of the learning rate.

        Tensors are found by name, so the model may be wrapped (DDP, FSDP with `use_orig_params=True`, torch.compile).

        Args:
            model: the parametrized model.
            lr: the base rate: what you found at the base width.
            optimizer: the optimiser's class, or "adam" (also everything whose step does not depend on the gradient's
                size), "adamw", "sgd" or "adafactor".
            weight_decay: for PyTorch's optimisers, which multiply it by the learning rate: it is divided by the
                factor, so that all tensors decay alike. None = what the optimiser's class decays by.
            decoupled_wd: the optimiser does not multiply weight decay by the learning rate; it is left alone.

        Returns:
            Dicts with `params`, `lr`, `weight_decay`, and for people and schedulers `name`, `names` and `lr_mult`.

        Raises:
            InputError: a tensor of the model is not in the report, or the optimiser is of no known kind.
        """
        family = family_of(optimizer)
        if family == "muon":
            rule = "takes hidden matrices alone: use report.optimizer(Muon, ...), which gives the others to AdamW"
            raise InputError("optimizer", rule, getattr(optimizer, "__name__", optimizer))
        decay = _decay(optimizer, weight_decay)
        tensors = ((name, p, row.scaling.rate(family, row.info)) for name, p, row in self._trained(model, lr))
        return grouped(tensors, lr, decay, decoupled_wd)

    def _trained(self, model: nn.Module, lr: float) -> list[tuple[str, nn.Parameter, Row]]:
        """Name, tensor and row of everything that is trained."""
        if not lr > 0:
            raise InputError("lr", "must be positive", lr)
        rows = {row.info.name: row for row in self.rows}
        found = [(plain(name), parameter) for name, parameter in model.named_parameters()]
        if unknown := [name for name, _ in found if name not in rows]:
            raise InputError("model", "must have the parameters of the parametrized one", f"unknown {unknown[0]!r}")
        return [(name, parameter, rows[name]) for name, parameter in found if parameter.requires_grad]

    def optimizer(
        self,
        kind: type[Optimizer],
        model: nn.Module,
        lr: float,
        *,
        weight_decay: float | None = None,
        decoupled_wd: bool = False,
        like: str | None = None,
        adam: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Optimizer:
        """An optimiser of a class whose groups are those of `param_groups`, watched for schedulers that set rates.

        Args:
            kind: `torch.optim.SGD`, `AdamW`, `Adafactor` or any other class that takes groups. `Muon` gets the hidden
                matrices (those with two axes), AdamW all other tensors, in one optimiser.
            weight_decay: None = what the class decays by; every tensor decays, by lr * weight_decay of the base width.
            like: "adam", "sgd", "adafactor" or "muon" (steps are orthogonal times sqrt(max(1, rows / columns)), as in
                Keller Jordan's code), for a class that is not PyTorch's.
            adam: beside Muon, options of AdamW: its `lr` (a base rate, None = the same), betas, weight_decay, ...
            options: of the class: momentum, betas, eps, ...; what is not given is as the class has it.

        Raises:
            InputError: see `param_groups`. Its `step` raises it too, once something has given all groups one rate.
        """
        made: Any = kind
        family, decay = family_of(like or kind), _decay(kind, weight_decay, **options)
        trained, optimizer = self._trained(model, lr), None
        if family == "muon":
            # Its own factor for a matrix's shape is taken back: rates are relative to the base model's matrix.
            matrices = [t for t in trained if t[2].info.role == "hidden" and len(t[2].info.shape) == 2]
            own = class_defaults(kind, **options).get("adjust_lr_fn") or "original"
            steps = [(n, p, r.scaling.rate("muon", r.info) / own_adjustment(own, r.info)) for n, p, r in matrices]
            names, given = {name for name, _, _ in matrices}, dict(adam or {})
            relative = given.pop("lr", lr) / lr
            rest = [(n, p, r.scaling.adam) for n, p, r in trained if n not in names]
            adam_decay = _decay(torch.optim.AdamW, given.pop("weight_decay", weight_decay))
            parts = [made(grouped(steps, lr, decay, decoupled_wd), lr=lr, **options)] if steps else []
            if rest:
                parts.append(torch.optim.AdamW(grouped(rest, lr, adam_decay, relative=relative), **given))
            optimizer = JoinedOptimizer(parts)
        elif adam is not None:
            raise InputError("adam", "must be left out where Adam is not beside Muon", kind.__name__)
        else:
            tensors = ((n, p, row.scaling.rate(family, row.info)) for n, p, row in trained)
            optimizer = made(grouped(tensors, lr, decay, decoupled_wd), lr=lr, **options)
        optimizer.register_step_pre_hook(Guard())
        return optimizer


def _decay(optimizer: str | type[Optimizer], given: float | None, **options: Any) -> float | None:
    """The weight decay at the base width: what is given, or what the class has.

    Raises:
        InputError: one is given to a class that knows none.
    """
    if isinstance(optimizer, str):
        if given is not None or optimizer.lower() != "adamw":
            return given or 0.0
        optimizer = torch.optim.AdamW
    usual: float | None = class_defaults(optimizer, **options).get("weight_decay")
    if usual is None and given:
        raise InputError("weight_decay", "must be left out: the optimiser knows none", optimizer.__name__)
    return usual if given is None else given


__all__ = ["MuReport", "Row"]
