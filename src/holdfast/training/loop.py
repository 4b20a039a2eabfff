"""The training loop. A system gives a `Learner`; nobody writes another loop.

A learner says what the loss of a batch is. Everything around it is here: device, mixed precision, several processes
(Lightning Fabric underneath), accumulation, clipping, schedule, average of the weights, history, checkpoints, resume.
The host never waits for a GPU in a step, only where history is fetched, every `log_every` steps.

With several processes each computes the loss of its share of every batch, and gradients are averaged before the
optimiser sees them. So the learner is never wrapped: it may have any methods and any number of optimisers and needs no
change. Statistics over the batch are averaged with `holdfast.training.distributed.all_mean`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from holdfast.data.batches import BatchSource
from holdfast.devices import check_device
from holdfast.errors import HoldfastError, InputError
from holdfast.randomness import derived_seed, global_states, seeded, set_global_states
from holdfast.training.best import Best, Kept
from holdfast.training.checkpoint import Checkpoints
from holdfast.training.distributed import all_minimum, share_state
from holdfast.training.history import Columns, Diverged, History
from holdfast.training.learner import Learner, Minimise, Parts
from holdfast.training.weight_average import EMA, Average
from holdfast.validation import check_choice, check_integer, check_positive

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PRECISIONS = ("32-true", "64-true", "bf16-mixed", "16-mixed")
STRATEGIES = ("auto", "ddp")


@dataclass(frozen=True)
class Trained:
    """What `fit` returns.

    Attributes:
        learner: the learner with its last weights, in evaluation mode.
        averaged: the learner with averaged weights and statistics, in evaluation mode; `learner` if there is no EMA.
        history: name -> (steps, values) of the parts, recorded every `log_every` steps and at the last; and of the
            evaluations, under the name that `keep` gives them.
        best: the learner with the weights that `keep` found best, in evaluation mode; `averaged` if there is no `keep`.
        best_step: steps that the weights of `best` were trained for.
    """

    learner: Learner
    averaged: Learner
    history: Columns
    best: Learner
    best_step: int


@dataclass(frozen=True)
class _Plan:
    """The arguments of `fit` that the loop needs."""

    steps: int
    seed: int
    schedule: Callable[[float], float] | None
    ema: EMA | None
    clip: float | None
    accumulate: int
    precision: str
    checkpoints: Checkpoints | None
    keep: Best | None
    on_step: Callable[[int, int], None] | None
    log_every: int

    def __post_init__(self) -> None:
        for name in ("steps", "accumulate", "log_every"):
            check_integer(getattr(self, name), name, low=1)
        check_integer(self.seed, "seed")
        if self.clip is not None:
            check_positive(self.clip, "clip")
        if self.keep is not None and not isinstance(self.keep, Best):
            raise InputError("keep", "must be a Best or None", type(self.keep).__name__)

    def settings(self, processes: int) -> dict[str, Any]:
        """What must be the same for a run to be continued."""
        ema = None if self.ema is None else self.ema.decay
        same = {name: getattr(self, name) for name in ("steps", "seed", "clip", "accumulate", "precision")}
        return {**same, "ema": ema, "processes": processes, "keep": self.keep and str(self.keep)}


def fit(
    learner: Learner,
    batches: BatchSource,
    *,
    steps: int,
    seed: int = 0,
    schedule: Callable[[float], float] | None = None,
    ema: EMA | None = None,
    clip: float | None = None,
    accumulate: int = 1,
    precision: str = "32-true",
    device: str | torch.device = "cpu",
    devices: int = 1,
    strategy: str = "auto",
    checkpoints: Checkpoints | None = None,
    keep: Best | None = None,
    on_step: Callable[[int, int], None] | None = None,
    log_every: int = 50,
) -> Trained:
    """Train a learner.

    The result is a function of (learner, batches, arguments): the global random generators are seeded for the run
    (dropout draws from them) and given back afterwards as they were. A run that was killed and is started again with
    the same arguments and `checkpoints` continues, with the same numbers as one never interrupted (on CUDA as far as
    the kernels used are deterministic).

    Args:
        learner: trained in place and moved to the device.
        batches: where batches come from; `accumulate` batches make one step.
        steps: optimiser steps.
        seed: of the generator given to `loss` and of the global ones.
        schedule: progress in [0, 1) -> factor of every group's initial learning rate. None = constant.
        ema: average of the weights; None = none.
        clip: largest global norm of the gradients of an update; larger ones are scaled down. None = no clipping.
        accumulate: batches per step; the mean of their losses is minimised.
        precision: "32-true", "64-true", "bf16-mixed", "16-mixed" (with loss scaling; CUDA only).
        device: "cpu", "cuda", "cuda:1", "mps".
        devices: processes (CPU) or GPUs that share every batch.
        strategy: "ddp": where `devices` > 1, Fabric runs the same script once more for each further process, unless a
            launcher such as torchrun has started them; every process returns its own `Trained`. "auto": the same,
            and no process group where `devices` is 1.
        checkpoints: where and how often to save; each process saves its own. None = never.
        keep: a metric to evaluate on the way, of which the best weights are kept. None = the last are the best.
        on_step: called with (steps done, steps) after every step, in the first process.
        log_every: steps between records of the history.

    Raises:
        InputError: an argument breaks a rule, or the metric of `keep` is no number.
        Diverged: the loss became NaN or infinite, or weights did where they are evaluated; no checkpoint of that point
            is written.
        HoldfastError: a checkpoint is damaged, or belongs to a run with other settings.
    """
    if not isinstance(learner, Learner):
        raise InputError("learner", "must be a Learner", type(learner).__name__)
    if not isinstance(batches, BatchSource):
        raise InputError("batches", "must be a BatchSource, such as Batches or LoaderBatches", type(batches).__name__)
    plan = _Plan(steps, seed, schedule, ema, clip, accumulate, precision, checkpoints, keep, on_step, log_every)
    if accumulate > 1 and type(learner).step is not Learner.step:
        raise InputError("accumulate", "must be 1 for a learner with a step of its own", accumulate)
    fabric = _fabric(device, devices, strategy, precision)
    return fabric.launch(partial(_train, plan), learner, batches)


def _fabric(device: str | torch.device, devices: int, strategy: str, precision: str) -> Fabric:
    check_integer(devices, "devices", low=1)
    check_choice(precision, PRECISIONS, "precision")
    check_choice(strategy, STRATEGIES, "strategy")
    place = check_device(device)
    if precision == "16-mixed" and place.type != "cuda":
        raise InputError("precision", "16-mixed needs a CUDA device; bf16-mixed works everywhere", f"device {device}")
    which: int | list[int] = devices
    if place.index is not None and place.type != "cpu":
        if devices > 1:
            raise InputError("devices", "must be 1 where `device` names one", devices)
        which = [place.index]
    from lightning_fabric import Fabric  # takes seconds to import

    # "auto" of Fabric would fork in notebooks, and results cannot come back from a fork.
    strategy = "ddp" if devices > 1 else strategy
    return Fabric(accelerator=place.type, devices=which, strategy=strategy, precision=precision)  # type: ignore[arg-type]


def _train(plan: _Plan, fabric: Fabric, learner: Learner, batches: BatchSource) -> Trained:
    """What every process runs."""
    fabric.strategy.precision.convert_module(learner)
    fabric.to_device(learner)
    share_state(learner)
    batches.shard(fabric.global_rank, fabric.world_size)
    with seeded(derived_seed(plan.seed, "global", fabric.global_rank), fabric.device):
        loop = _Loop(fabric, learner, batches, plan)
        try:
            loop.resume()
            loop.run()
        finally:
            batches.close()
    averaged = learner if loop.average is None else loop.average.module
    for module in (learner, averaged):
        module.eval().progress = 1.0
    best, best_step = (averaged, plan.steps) if loop.kept is None else loop.kept.best()
    return Trained(learner, averaged, loop.history.columns, best, best_step)


class _Loop:
    """The state of a run: all of it is in `_state`, and a checkpoint is nothing else."""

    def __init__(self, fabric: Fabric, learner: Learner, batches: BatchSource, plan: _Plan) -> None:
        self.fabric, self.learner, self.batches, self.plan = fabric, learner.train(), batches, plan
        self.done, self.epoch = 0, -1  # steps done; pass that `before_epoch` was called for
        self.average = Average(learner, plan.ema.over(plan.steps)) if plan.ema else None
        result = learner if self.average is None else self.average.module
        self.kept = Kept(plan.keep, result, plan.steps, plan.seed, fabric.device) if plan.keep else None
        self.optimizers = learner.optimizers()
        for group in self._groups():
            group.setdefault("initial_lr", float(group["lr"]))
        self.rng = torch.Generator(fabric.device).manual_seed(derived_seed(plan.seed, "loss", fabric.global_rank))
        self.history = History(plan.steps, fabric.device)
        self.minimise = Minimise(fabric, self.optimizers, self.history, plan.clip, plan.accumulate)
        self.checkpoints = plan.checkpoints and plan.checkpoints.of_process(fabric.global_rank)

    def run(self) -> None:
        plan = self.plan
        show = plan.on_step if self.fabric.is_global_zero else None
        while self.done < plan.steps:
            parts = self._step()
            if plan.keep is not None and plan.keep.name in parts[0]:
                raise InputError("keep", "must have a name that no part of the loss has", plan.keep.name)
            log = self._due(plan.log_every)
            look = plan.keep is not None and self._due(plan.keep.every)
            save = self.checkpoints is not None and self._due(self.checkpoints.every)
            if log:
                self.history.record(self.done, parts)
            if log or look or save:
                self.history.flush()  # so that a run that has diverged is neither evaluated nor saved
            if look:
                self._evaluate()
            if save:
                self._save()
            if show is not None:
                show(self.done, plan.steps)

    def _due(self, every: int) -> bool:
        return self.done == self.plan.steps or self.done % every == 0

    def _evaluate(self) -> None:
        assert self.kept is not None
        self.history.add(self.done, self.kept.keep.name, self.kept.evaluate(self.done))

    def _step(self) -> list[Parts]:
        plan, learner, minimise = self.plan, self.learner, self.minimise
        learner.progress = self.done / plan.steps
        if plan.schedule is not None:
            self._set_rates(plan.schedule(learner.progress))
        minimise.step = self.done + 1
        parts = []
        for i in range(plan.accumulate):
            if self.batches.epoch != self.epoch:
                self.epoch = self.batches.epoch
                with torch.no_grad():
                    learner.before_epoch(self.batches)
            batch = {name: self._moved(tensor) for name, tensor in next(self.batches).items()}
            minimise.last = i == plan.accumulate - 1
            with self.fabric.autocast():
                parts.append(learner.step(batch, self.rng, minimise))
        with torch.no_grad():
            learner.after_step()
        if self.average is not None:
            self.average.update()
        self.done += 1
        return parts

    def _moved(self, tensor: Tensor) -> Tensor:
        device = self.fabric.device
        if device.type == "cuda" and tensor.device.type == "cpu" and not tensor.is_pinned():
            tensor = tensor.pin_memory()  # otherwise the copy would make the host wait
        return tensor.to(device, non_blocking=True)

    def _groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def _set_rates(self, factor: float) -> None:
        for group in self._groups():
            if isinstance(group["lr"], Tensor):  # capturable optimisers keep the tensor they were given
                group["lr"].fill_(group["initial_lr"] * factor)
            else:
                group["lr"] = group["initial_lr"] * factor

    def _save(self) -> None:
        assert self.checkpoints is not None
        state = {
            "settings": self.plan.settings(self.fabric.world_size),
            "epoch": self.epoch,
            "learner": self.learner.state_dict(),
            "average": self.average and self.average.module.state_dict(),
            "kept": self.kept and self.kept.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "precision": self.fabric.strategy.precision.state_dict(),
            "batches": self.batches.state_dict(),
            "history": self.history.state_dict(),
            "random": global_states(self.fabric.device),
            "rng": self.rng.get_state(),
        }
        self.checkpoints.write(self.done, state)

    def resume(self) -> None:
        """Continue from the newest checkpoint that all processes have, if there is one."""
        if self.checkpoints is None:
            return
        newest = self.checkpoints.newest()
        step = all_minimum(-1 if newest is None else newest, self.fabric.device)
        if step < 0:
            return
        state, path = self.checkpoints.read(step), self.checkpoints.path(step)
        for name, mine in self.plan.settings(self.fabric.world_size).items():
            if (theirs := state["settings"].get(name)) != mine:
                reason = f"belongs to a run with {name} = {theirs}, this one has {mine}"
                raise HoldfastError(f"{path}: {reason}; use the same settings or another folder")
        try:
            self._load(state)
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise HoldfastError(f"{path}: belongs to another learner ({reason[:200]}); use another folder") from error
        self.done = step

    def _load(self, state: Mapping[str, Any]) -> None:
        self.learner.load_state_dict(state["learner"])
        if self.average is not None:
            self.average.module.load_state_dict(state["average"])
        if self.kept is not None:
            self.kept.load_state_dict(state["kept"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        self.batches.load_state_dict(state["batches"])
        self.history.load_state_dict(state["history"])
        set_global_states(state["random"], self.fabric.device)
        self.rng.set_state(state["rng"])
        self.epoch = state["epoch"]


__all__ = ["EMA", "Best", "Checkpoints", "Diverged", "Learner", "Minimise", "Trained", "fit"]
