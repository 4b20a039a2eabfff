"""What a parametrization did to each tensor, and the groups of an optimiser that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim import Optimizer

from holdfast.errors import InputError
from holdfast.systems.mutransfer.method.dimensions import ParameterInfo, plain
from holdfast.systems.mutransfer.method.rules import Parametrization, Scaling
from holdfast.systems.mutransfer.tool.optimizers import Guard, family_of

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
        weight_decay: float = 0.0,
        decoupled_wd: bool = False,
    ) -> list[dict[str, Any]]:
        """Groups for an optimiser, one per factor of the learning rate.

        Tensors are found by name, so the model may be wrapped (DDP, FSDP with `use_orig_params=True`, torch.compile).

        Args:
            model: the parametrized model.
            lr: the base rate: what you found at the base width.
            optimizer: the optimiser's class, or "adam" (also AdamW and everything whose step does not depend on the
                gradient's size), "sgd" or "adafactor".
            weight_decay: for PyTorch's optimisers, which multiply it by the learning rate: it is divided by the
                factor, so that all tensors decay alike.
            decoupled_wd: the optimiser does not multiply weight decay by the learning rate; it is left alone.

        Returns:
            Dicts with `params`, `lr`, `weight_decay`, and for people and schedulers `name`, `names` and `lr_mult`.

        Raises:
            InputError: a tensor of the model is not in the report, or the optimiser is of no known kind.
        """
        family = family_of(optimizer)
        if not lr > 0:
            raise InputError("lr", "must be positive", lr)
        rows = {row.info.name: row for row in self.rows}
        groups: dict[float, dict[str, Any]] = {}
        for full_name, parameter in model.named_parameters():
            name = plain(full_name)
            if name not in rows:
                raise InputError("model", "must have the parameters of the parametrized one", f"unknown {name!r}")
            if not parameter.requires_grad:
                continue
            factor = rows[name].scaling.rate(family, rows[name].info)
            group = groups.setdefault(factor, {"params": [], "names": [], "lr": lr * factor, "lr_mult": factor})
            group["params"].append(parameter)
            group["names"].append(name)
        for factor, group in groups.items():
            group["name"] = f"lr x {factor:g}"
            group["weight_decay"] = weight_decay if decoupled_wd else weight_decay / factor
        return list(groups.values())

    def optimizer(
        self,
        kind: type[Optimizer],
        model: nn.Module,
        lr: float,
        *,
        weight_decay: float = 0.0,
        decoupled_wd: bool = False,
        like: str | None = None,
        **options: Any,
    ) -> Optimizer:
        """An optimiser of a class whose groups are those of `param_groups`, watched for schedulers that set rates.

        Args:
            kind: `torch.optim.SGD`, `AdamW`, `Adafactor` or any other class that takes groups.
            like: "adam", "sgd" or "adafactor", for a class that is not PyTorch's.
            options: of the class: momentum, betas, eps, ...

        Raises:
            InputError: see `param_groups`. Its `step` raises it too, once something has given all groups one rate.
        """
        groups = self.param_groups(
            model, lr, optimizer=like or kind, weight_decay=weight_decay, decoupled_wd=decoupled_wd
        )
        made: Any = kind
        optimizer: Optimizer = made(groups, lr=lr, **options)
        optimizer.register_step_pre_hook(Guard())
        return optimizer


__all__ = ["MuReport", "Row"]
