"""A ticket of the user's own network: levels on the disk, what came of them, and what else would have come."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from holdfast.baselines.pruning import keep_largest
from holdfast.canonical import digest
from holdfast.data.own_rows import Rows, loaded, network_of
from holdfast.errors import InputError
from holdfast.files import read_json, replacing, write_json
from holdfast.layers.norm import batch_norms
from holdfast.layers.weight_masks import MaskDict, load_mask, random_mask_like, read_tensors, save_mask
from holdfast.metrics.landscape.barrier import error_barrier
from holdfast.randomness import derived_seed
from holdfast.systems.lottery_ticket.method import IMP, Level, MagnitudePruner
from holdfast.training.masked import MaskedTraining, error_rate, train_masked
from holdfast.validation import check_fraction, check_integer, check_number, check_positive

Show = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Pruning:
    """How a ticket is made.

    Attributes:
        density: share of the prunable weights that is left at the end.
        fraction: that goes at every level, at most: all take as much, and the last ends at `density`.
        rewind: share of the training that the weights go back to; 0 = initialisation.
        exclude: tensors that are not pruned.
        steps: of the optimiser, at every level.
        batch: rows per step.
        lr: learning rate of SGD.
        momentum: of SGD.
        weight_decay: of weights of layers.
        seed: of initialisation and order.
    """

    density: float = 0.1
    fraction: float = 0.2
    rewind: float = 0.05
    exclude: tuple[str, ...] = ()
    steps: int = 400
    batch: int = 60
    lr: float = 0.1
    momentum: float = 0.0
    weight_decay: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_fraction(self.density, "density", zero=False, one=False)
        check_fraction(self.fraction, "fraction", zero=False, one=False)
        check_fraction(self.rewind, "rewind", one=False)
        check_fraction(self.momentum, "momentum", one=False)
        check_positive(self.lr, "lr")
        check_number(self.weight_decay, "weight_decay", low=0)
        for name in ("steps", "batch"):
            check_integer(getattr(self, name), name, low=1)

    @property
    def training(self) -> MaskedTraining:
        """Of every level."""
        return MaskedTraining(self.steps, self.batch, self.lr, self.momentum, self.weight_decay)

    @property
    def levels(self) -> int:
        """Number of prunings."""
        return max(1, math.ceil(math.log(self.density) / math.log(1 - self.fraction) - 1e-9))

    @property
    def share(self) -> float:
        """What goes at every level: (1 - share)^levels = density."""
        return 1 - self.density ** (1 / self.levels)

    @property
    def pruner(self) -> MagnitudePruner:
        """What goes after each level."""
        return _ToDensities(self.share, exclude=self.exclude, levels=self.levels)


@dataclass(frozen=True)
class _ToDensities(MagnitudePruner):
    """Level L keeps the share (1 - fraction)^L of all weights, rounded: ceilings of many levels would add up."""

    levels: int = 1

    def next_mask(self, model: nn.Module, mask: Mapping[str, Tensor] | None = None) -> MaskDict:
        """The next of these masks that is smaller than this one."""
        current = MaskDict.ones(model) if mask is None else MaskDict(mask)
        chosen = _prunable(current, self.exclude)
        counts = [max(1, round(chosen.size * (1 - self.fraction) ** k)) for k in range(1, self.levels + 1)]
        count = next((n for n in counts if n < chosen.kept), counts[-1])
        sizes = {n: model.get_parameter(n).detach().abs().cpu().masked_fill(~kept, -1.0) for n, kept in chosen.items()}
        return MaskDict({**current, **keep_largest(sizes, count / chosen.size)})


def _prunable(mask: MaskDict, exclude: tuple[str, ...], density: float = 1.0) -> MaskDict:
    """The mask without the tensors that are not pruned; refuses a density at which no weight would be left."""
    for name in exclude:
        if name not in mask:
            raise InputError("--exclude", f"must name a layer's weight ({', '.join(mask)})", name)
    chosen = MaskDict({n: kept for n, kept in mask.items() if n not in exclude})
    if not chosen:
        raise InputError("--exclude", "must leave a tensor to prune", ", ".join(exclude))
    if chosen.size * density < 1:
        raise InputError("--density", f"must leave at least 1 of the {chosen.size} weights", density)
    return chosen


def make_ticket(build: Callable[[int], nn.Module], rows: Rows, how: Pruning, folder: Path, show: Show) -> Any:
    """Prune level by level into a folder; a repeated call with the same arguments goes on after the last whole level.

    Args:
        build: seed -> network.
        rows: data.
        how: settings.
        folder: level0.safetensors, level0.mask.safetensors, ...; made if it is not there.
        show: (what, done, total).

    Returns:
        A table (pandas) with a row per level: density, errors in %, barrier to the level before.

    Raises:
        InputError: tensors or a density that the network does not have, said before anything is written; the folder
            holds a ticket of another network, other data or settings, or something else.
    """
    import pandas as pd

    first = build(0)
    _prunable(MaskDict.ones(first), how.exclude, how.density)
    tensors = (rows.x, rows.y, rows.held_x, rows.held_y)
    about = {"settings": repr(how), "data": _checksum(tensors)}
    _claim(folder, {**about, "network": digest([str(first), _checksum(first.state_dict().values())])})
    data = {"x": rows.x, "y": rows.y}
    rewind = round(how.rewind * how.training.steps)
    index = 0

    def train(net: nn.Module, mask: MaskDict, start: int, stop: int | None, seed: int) -> dict[str, float]:
        what = "to the rewinding point" if stop is not None else f"level {index} of {how.levels}"
        train_masked(net, mask, data, how.training, seed=seed, start=start, stop=stop, on_step=partial(show, what))
        errors = [100 * error_rate(net, x, y) for x, y in ((rows.held_x, rows.held_y), (rows.x, rows.y))]
        return {"error": errors[0], "training error": errors[1]}

    imp = IMP(build, train, how.levels, rewind, how.pruner)
    done = _levels(folder, how.levels)
    index = len(done)
    for level in imp.run(how.seed, done=tuple(done)) if index <= how.levels else ():
        save_mask(level.mask, folder / f"level{level.index}.mask.safetensors")
        with replacing(folder / f"level{level.index}.safetensors") as temporary:
            whole = {name: value.detach().cpu().contiguous() for name, value in level.weights.items()}
            save_file(whole, temporary, metadata={"metrics": json.dumps(dict(level.metrics))})
        done.append(level)
        index = len(done)
    columns = ["level", "density", "error %", "training error %"]
    found = [
        (x.index, _prunable(x.mask, how.exclude).density, x.metrics["error"], x.metrics["training error"]) for x in done
    ]
    table = pd.DataFrame(found, columns=columns)
    table["barrier to the level before"] = [math.nan, *_barriers(build(how.seed), done, rows)]
    return table


def instead(build: Callable[[int], nn.Module], rows: Rows, how: Pruning, folder: Path, show: Show) -> dict[str, float]:
    """Errors in % of two cheaper ways to as sparse a network: the mask's layers shuffled, one-shot pruning; kept."""
    if (folder / "others.json").is_file():
        return dict(read_json(folder / "others.json"))
    first, last = _levels(folder, 0)[0], _levels(folder, how.levels)[-1]
    data, rewind = {"x": rows.x, "y": rows.y}, round(how.rewind * how.training.steps)
    generator = torch.Generator().manual_seed(derived_seed(how.seed, "mask"))
    sizes = {n: first.weights[n].abs() for n in last.mask if n not in how.exclude}
    share = MaskDict({n: last.mask[n] for n in sizes}).density
    masks = {
        "layers shuffled": random_mask_like(last.mask, per_layer=True, generator=generator),
        "one-shot": MaskDict({**last.mask, **keep_largest(sizes, share)}),
    }
    found = {}
    for name, mask in masks.items():
        net = build(how.seed)
        for start, stop, kept in ((0, rewind, MaskDict.ones(net)), (rewind, None, mask)):
            if stop != start:
                steps: dict[str, Any] = {"start": start, "stop": stop, "on_step": partial(show, name)}
                train_masked(net, kept, data, how.training, seed=how.seed, **steps)
        found[name] = 100 * error_rate(net, rows.held_x, rows.held_y)
    write_json(folder / "others.json", found)
    return found


def _barriers(net: nn.Module, levels: list[Level], rows: Rows) -> list[float]:
    nets = []
    for level in levels:
        nets.append(copy.deepcopy(net))
        nets[-1].load_state_dict(dict(level.weights))
    return [barrier_of(a, b, rows).barrier for a, b in pairwise(nets)]


def barrier_of(a: nn.Module, b: nn.Module, rows: Rows, points: int = 11) -> Any:
    """The barrier in % of error on the rows held out, batch-norm statistics from the rows to train on."""
    batches = rows.x.split(512) if batch_norms(a) else None
    return error_barrier(
        a, b, lambda net: 100 * error_rate(net, rows.held_x, rows.held_y), points=points, recalibrate=batches
    )


def _checksum(tensors: Iterable[Tensor]) -> str:
    flat = (value.detach().cpu().reshape(-1).view(torch.uint8).numpy() for value in tensors)
    return digest([hashlib.sha256(value.tobytes()).hexdigest() for value in flat])


def _claim(folder: Path, about: dict[str, str]) -> None:
    """Make the folder this ticket's, or see that it is."""
    file = folder / "ticket.json"
    there: Any = read_json(file) if file.is_file() else None
    if there == about:
        return
    ours = isinstance(there, dict) and there.keys() == about.keys()
    if ours and any(path != file for path in folder.iterdir()):  # without a level nothing is lost
        other = ", ".join(key for key in about if there[key] != about[key])
        rule = "must hold a ticket of the same network, data and settings to go on with; take another folder"
        raise InputError(str(folder), rule, f"other {other}")
    if folder.exists() and not ours and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(str(folder), "must be a new or empty folder, or a ticket to go on with", "other files")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(file, about)


def _levels(folder: Path, last: int) -> list[Level]:
    """The whole levels 0 .. `last` of a folder, as far as they are there."""
    found = []
    for index in range(last + 1):
        weights, mask = folder / f"level{index}.safetensors", folder / f"level{index}.mask.safetensors"
        if not weights.is_file() or not mask.is_file():
            break
        state, about = read_tensors(weights)
        if "metrics" not in about:
            raise InputError(str(weights), "must be a level that prune wrote", "other tensors")
        found.append(Level(index, load_mask(mask), state, json.loads(about["metrics"])))
    return found


def finish(folder: Path, how: Pruning) -> None:
    """Put the last level's weights and mask under their plain names."""
    for kind, name in (("safetensors", "model.safetensors"), ("mask.safetensors", "mask.safetensors")):
        with replacing(folder / name) as temporary:
            shutil.copyfile(folder / f"level{how.levels}.{kind}", temporary)


def sparsify(weights: Path, out: Path, model: str, density: float, exclude: tuple[str, ...]) -> MaskDict:
    """Write a network's weights with the smallest set to 0; gives the mask."""
    check_fraction(density, "density", zero=False)
    net = loaded(network_of(model), weights)
    chosen = _prunable(MaskDict.ones(net), exclude, density)
    mask = MaskDict(keep_largest({n: net.get_parameter(n).detach().abs() for n in chosen}, density))
    mask.apply_(net)
    state = {n: value.clone(memory_format=torch.contiguous_format) for n, value in net.state_dict().items()}
    with replacing(out) as temporary:  # clones, for a file takes no tensors that share memory
        save_file(state, temporary)
    return mask
