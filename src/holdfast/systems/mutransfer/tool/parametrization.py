"""muTransfer: the hyper-parameters of a wide model from those of a narrow one   (arXiv 2203.03466).

`parametrize` compares a model with the same model at two other widths, works out which dimensions of which tensors
grow, and gives every tensor the initialisation, forward multiplier and learning rate under which all activations keep
their size as the width grows (`rules`). The best learning rate then stays where it is.

Differences from the reference package (microsoft/mup), each undone by `MuP(compat="mup")`:

- A model is used as it is: readouts need not be of a special class, multipliers are hooks on modules, and the factors
  of learning rates are found by name. The reference stores them on tensors, where deep copies and FSDP lose them.
- Initialisation is set relative to the base model's, whatever law the model draws its weights by; the reference
  assumes fan_in^-1/2 (its users have to call its own initialisers where that is wrong).
- A table of embeddings tied to the readout keeps its size; the reference multiplies it by sqrt(m).
- The readout's bias is finite and stays as it comes; the reference multiplies it by sqrt(m).
- Attention is scaled for the model where its heads widen; with the reference the user rewrites the model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.files import write_json
from holdfast.layers.attention_keys import Attention, found_in
from holdfast.layers.embedding_scales import embedding_scales
from holdfast.layers.multipliers import has_multiplier, scale_input, scale_keys, scale_output
from holdfast.own_model import built
from holdfast.systems.mutransfer.method.dimensions import Shapes, describe, layers_with, plain, shapes_of
from holdfast.systems.mutransfer.method.initialisation import init_factor, spreads
from holdfast.systems.mutransfer.method.rules import MuP, Parametrization
from holdfast.systems.mutransfer.tool import huggingface
from holdfast.systems.mutransfer.tool.report import MuReport, Row
from holdfast.training.weights import load_weights

MARK = "_holdfast_parametrized"
FORMAT = "holdfast base shapes 1"


@dataclass(frozen=True)
class Reference:
    """What is remembered of the base and the delta model: sizes, spreads of weights, widths of heads, own factors."""

    base: Shapes
    delta: Shapes
    spreads: Mapping[str, float] = field(default_factory=dict)
    heads: Mapping[str, int] = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)  # on logits, by keys; on vectors, by table


class MuParametrization:
    """A parametrization of one architecture, for models of any width.

    Args:
        base, delta: the model at the width where all factors are 1, and at another one that differs in every width.
            Modules (on the "meta" device or a real one), or sizes by name. Where the base model has values, its
            initialisation is measured.
        rule: `MuP()`, `UMuP()`, `Spectral()`, `DepthScaled(...)`, `SP()`, ...
        roles: pattern of parameter names -> "input", "hidden", "output", "vector" or "fixed", where the structure
            does not tell. A low-rank bottleneck inside the model is "hidden": `{"*.lora_A.weight": "hidden"}`. Or the
            order of a bare tensor's axes, "out in", "in out", "batch out in" or "batch in out" (stacked experts).
        attention: how attention is recognised; None = the model divides its logits by the width of a head itself
            (see `mu_attention_scale`).

    Raises:
        InputError: base and delta differ in their parameters, or in nothing.

    Example:
        >>> import torch
        >>> def build(width):
        ...     return torch.nn.Sequential(torch.nn.Linear(8, width), torch.nn.ReLU(), torch.nn.Linear(width, 3))
        >>> mu = MuParametrization.from_builder(build, base_width=16)
        >>> model = build(64)
        >>> report = mu.apply(model)
        >>> report.frame()[["parameter", "role", "multiplier", "adam"]].values.tolist()[-2:]
        [['2.weight', 'output', 0.25, 1.0], ['2.bias', 'fixed', 1.0, 1.0]]
        >>> optimizer = report.optimizer(torch.optim.Adam, model, lr=1e-3)
    """

    def __init__(
        self,
        base: nn.Module | Shapes,
        delta: nn.Module | Shapes,
        *,
        rule: Parametrization | None = None,
        roles: Mapping[str, str] | None = None,
        attention: Attention | None = Attention(),  # noqa: B008  (frozen)
    ) -> None:
        self.rule, self.roles, self.attention = rule or MuP(), dict(roles or {}), attention
        self.reference = Reference(_shapes(base), _shapes(delta))
        if isinstance(base, nn.Module):
            keys = found_in(base, attention)[0]
            scales = {**{k.name: k.scale for k in keys}, **embedding_scales(base)}
            heads = {k.name: k.head_width for k in keys}
            self.reference = replace(self.reference, spreads=spreads(base), heads=heads, scales=scales)

    @classmethod
    def from_builder(
        cls, build: Callable[[int], nn.Module], base_width: int = 64, delta_width: int | None = None, **options: Any
    ) -> MuParametrization:
        """From a function that makes the model at a width; the second width is on the "meta" device and costs nothing.

        Args:
            build: width -> model.
            base_width: where all factors are 1.
            delta_width: another width; None = twice the base.
            options: of the class.

        Raises:
            InputError: a width is no positive whole number, both are the same, or what is built is no module.
        """
        delta_width = 2 * base_width if delta_width is None else delta_width
        for name, width in (("base_width", base_width), ("delta_width", delta_width)):
            if isinstance(width, bool) or not isinstance(width, int) or width < 1:
                raise InputError(name, "must be a whole number of at least 1", width)
        if base_width == delta_width:
            raise InputError("delta_width", "must differ from base_width", delta_width)
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            base = built(build, base_width)
        with torch.device("meta"):
            delta = built(build, delta_width)
        return cls(base, delta, **options)

    def report(self, model: nn.Module) -> MuReport:
        """What `apply` would do to a model, without doing it.

        Raises:
            InputError: the model has other parameters than the base, grows where the base does not, or a tensor's role
                cannot be told.
        """
        if not isinstance(model, nn.Module):
            raise InputError("model", "must be a torch.nn.Module", type(model).__name__)
        infos = describe(model, self.reference.base, self.reference.delta, self.roles)
        parameters = {plain(name): parameter for name, parameter in model.named_parameters()}
        rows = []
        for name, info in infos.items():
            scaling = self.rule.scaling(info)
            own = huggingface.known_std(model, name, info.m_model)
            if own is not None and info.m_init != 1:
                info = replace(info, law=-math.log(own) / math.log(info.m_init))
            factor = init_factor(info, self.rule, parameters[name], self.reference.spreads.get(name, 0.0))
            rows.append(Row(info, factor, scaling))
        return MuReport(tuple(rows), self.rule, tuple(found_in(model, self.attention)[1]))

    def apply(self, model: nn.Module, rescale: bool = True) -> MuReport:
        """Scale the initialisation in place, once, and put the multipliers on the modules.

        Args:
            model: freshly initialised, at the width to train at. On the "meta" device nothing is scaled yet: call
                `rescale` of the report once the weights are there.
            rescale: False for a model whose weights come from a checkpoint of a parametrized one.

        Raises:
            InputError: see `report`; or the model has been parametrized before.
        """
        report = self.report(model)
        for name, module in model.named_modules():
            if getattr(module, MARK, False) or has_multiplier(module):
                rule = "must not be parametrized twice: its weights would be scaled again"
                raise InputError("model", rule, f"{name or type(model).__name__}, which has been")
        modules = dict(model.named_modules())
        self._place_multipliers(report, modules)
        for keys in found_in(model, self.attention)[0]:
            base = self.reference.heads.get(keys.name)
            if base:
                own = keys.scale / self.reference.scales.get(keys.name, base**-0.5)
                scale_keys(modules[keys.name], self.rule.attention(keys.head_width / base, own), keys.part)
        for name, scale in embedding_scales(model).items():
            if name in self.reference.scales:
                scale_output(modules[name], self.rule.embedding(scale / self.reference.scales[name]))
        for name, module in modules.items():
            scale_output(module, self.rule.branch(plain(name)))
        setattr(model, MARK, True)
        if rescale and not any(parameter.is_meta for parameter in model.parameters()):
            report.rescale(model)
        return report

    def _place_multipliers(self, report: MuReport, modules: Mapping[str, nn.Module]) -> None:
        by_plain_name = {plain(f"{name}.")[:-1]: module for name, module in modules.items()}
        for row in report.rows:
            if row.scaling.multiplier == 1.0:
                continue
            for owner in row.info.owners:
                if not owner.kind:
                    rule = "is a bare tensor, which no multiplier fits; use MuP() or Spectral(), or make it a layer"
                    raise InputError(row.info.name, rule)
                if owner.kind in ("MultiheadAttention", "NonDynamicallyQuantizableLinear"):
                    rule = "lies inside nn.MultiheadAttention, which no multiplier fits; use MuP() or Spectral()"
                    raise InputError(row.info.name, rule)
                scale_input(by_plain_name[owner.module], row.scaling.multiplier)
        for name, info in layers_with(report.infos, "output"):
            if info.role != "output":  # tied to a table of embeddings
                factor = self.rule.readout(info, info.width_mult)
                if factor != 1.0:  # a rule that leaves readouts alone leaves the model's own factor alone, too
                    factor *= huggingface.own_readout_scale(modules[""], info.width_mult)
                scale_input(by_plain_name[name], factor)

    def param_groups(self, model: nn.Module, lr: float, **options: Any) -> list[dict[str, Any]]:
        """Groups for any torch optimiser: see `MuReport.param_groups`."""
        return self.report(model).param_groups(model, lr, **options)

    def save(self, path: str | Path) -> None:
        """Write the base shapes to a JSON file, from which `load` makes the same parametrization."""
        r = self.reference
        shapes = {name: {"base": list(r.base[name]), "delta": list(r.delta[name])} for name in r.base}
        content = {"format": FORMAT, "shapes": shapes, "spreads": dict(r.spreads), "heads": dict(r.heads)}
        write_json(Path(path), {**content, "scales": dict(r.scales), "roles": self.roles})

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        rule: Parametrization | None = None,
        attention: Attention | None = Attention(),  # noqa: B008  (frozen)
    ) -> MuParametrization:
        """Read what `save` wrote.

        Raises:
            InputError: there is no such file, or it holds something else.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise KeyError("format")
            base = {name: tuple(map(int, sizes["base"])) for name, sizes in content["shapes"].items()}
            delta = {name: tuple(map(int, sizes["delta"])) for name, sizes in content["shapes"].items()}
            reference = Reference(
                base,
                delta,
                {str(k): float(v) for k, v in content["spreads"].items()},
                {str(k): int(v) for k, v in content["heads"].items()},
                {str(k): float(v) for k, v in content.get("scales", {}).items()},
            )
            roles = dict(content["roles"])
        except FileNotFoundError as e:
            raise InputError("path", "must be a file written by save", str(path)) from e
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
            raise InputError(str(path), "must hold base shapes written by save", f"{type(e).__name__}: {e}") from e
        made = cls(base, delta, rule=rule, roles=roles, attention=attention)
        made.reference = reference
        return made


def parametrize(
    model: nn.Module,
    base: nn.Module | Shapes | int,
    delta: nn.Module | Shapes | int | None = None,
    *,
    build: Callable[[int], nn.Module] | None = None,
    rescale: bool = True,
    **options: Any,
) -> MuReport:
    """Make a model's hyper-parameters those of its base model, in one call.

    Args:
        model: freshly initialised, at the width to train at; changed in place.
        base, delta: the same model at two other widths; or those widths, with `build`.
        build: width -> model.
        rescale: False for a model whose weights come from a checkpoint of a parametrized one.
        options: `rule`, `roles`, `attention` of `MuParametrization`.

    Returns:
        The report: what was done to each tensor, and the optimiser's groups.

    Example:
        >>> import torch
        >>> build = lambda width: torch.nn.Sequential(torch.nn.Linear(8, width), torch.nn.Linear(width, 3))
        >>> model = build(256)
        >>> report = parametrize(model, base=32, build=build)
        >>> optimizer = report.optimizer(torch.optim.AdamW, model, lr=1e-3, weight_decay=0.1)
        >>> [group["lr_mult"] for group in optimizer.param_groups]
        [1.0]
    """
    if build is not None:
        if not isinstance(base, int) or not (delta is None or isinstance(delta, int)):
            raise InputError("base", "must be a width where `build` is given", type(base).__name__)
        return MuParametrization.from_builder(build, base, delta, **options).apply(model, rescale)
    if isinstance(base, int) or delta is None or isinstance(delta, int):
        raise InputError("base and delta", "must be models (or sizes by name) where no `build` is given", (base, delta))
    return MuParametrization(base, delta, **options).apply(model, rescale)


def mu_attention_scale(d_head: int, base_d_head: int) -> float:
    """What a model of one's own multiplies q.k with: sqrt(d0)/d, which at the base width is the usual 1/sqrt(d0).

    Example:
        >>> mu_attention_scale(64, 64), mu_attention_scale(256, 64)
        (0.125, 0.03125)
    """
    for name, value in (("d_head", d_head), ("base_d_head", base_d_head)):
        if value < 1:
            raise InputError(name, "must be at least 1", value)
    return base_d_head**0.5 / d_head


def _shapes(of: nn.Module | Shapes) -> dict[str, tuple[int, ...]]:
    if isinstance(of, nn.Module):
        return shapes_of(of)
    return {name: tuple(sizes) for name, sizes in of.items()}


__all__ = ["Attention", "MuParametrization", "load_weights", "mu_attention_scale", "parametrize"]
