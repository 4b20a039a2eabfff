"""Endless, shuffled, resumable streams of batches for training.

Every source here is a pure function of its seed and its position: the order of a pass comes from (seed, number of the
pass) alone, so the state to save is a position, on any device and with any number of workers. Batches are always full:
rows left over at the end of a pass are dropped (others in every pass). `size` counts rows over all processes of a
data-parallel run, each of which gets its equal share, so that the numbers do not depend on the number of devices.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from holdfast.errors import InputError
from holdfast.randomness import derived_seed, seeded
from holdfast.validation import check_integer, check_same_length


class BatchSource(ABC):
    """Yields dicts of tensors for ever, always with the same keys. `epoch` is the pass the next batch belongs to."""

    epoch: int

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        return self

    @abstractmethod
    def __next__(self) -> dict[str, Tensor]: ...

    @abstractmethod
    def shard(self, rank: int, world: int) -> None:
        """From now on yield only the share of process `rank` of `world`: rows `rank * size / world` onwards."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """The position, as dicts of numbers, strings and tensors."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a position. Raises InputError if it is one of other data or another batch size."""

    def close(self) -> None:  # noqa: B027 (most sources hold nothing)
        """End worker processes, if there are any. The source can be used again afterwards."""


class _Passes(BatchSource):
    """The order of rows, shared by all sources over a fixed number of rows."""

    def __init__(self, rows: int, size: int, seed: int | torch.Generator, index: str | None) -> None:
        check_integer(size, "size", low=1)
        if rows < size:
            raise InputError("size", f"must be at most the number of rows ({rows}), batches are always full", size)
        if index is not None and not isinstance(index, str):
            raise InputError("index", "must be a key or None", index)
        if isinstance(seed, torch.Generator):
            seed = int(torch.randint(2**62, (), generator=seed, device=seed.device).item())
        self.rows, self.size, self.seed, self.index = rows, size, seed, index
        self.epoch, self._batch = 0, 0
        self._rank, self._world = 0, 1
        self._order: dict[torch.device, Tensor] = {}
        self._ordered = -1  # the pass that _order holds

    def __len__(self) -> int:
        """Batches per pass."""
        return self.rows // self.size

    def permutation(self, epoch: int) -> Tensor:
        """Order of the rows in a pass: int64 (rows,) on the CPU."""
        generator = torch.Generator().manual_seed(derived_seed(self.seed, "pass", epoch))
        return torch.randperm(self.rows, generator=generator)

    def _numbers(self, device: torch.device) -> Tensor:
        """Row numbers of this process's part of the next batch; a pass's order is moved to a device once."""
        if self._ordered != self.epoch:
            self._order, self._ordered = {}, self.epoch
        order = self._order.get(device)
        if order is None:
            order = self._order[device] = self.permutation(self.epoch).to(device)
        return order[self._share(self._batch)]

    def _indexed(self, batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
        """The next batch with its row numbers, if they are asked for."""
        if self.index is None:
            return batch
        if self.index in batch:
            raise InputError("index", "must be a key of its own", f"{self.index!r}, which the rows have too")
        return {**batch, self.index: self._numbers(device).clone()}  # no view: a learner may write into its batch

    def _share(self, batch: int) -> slice:
        """This process's part of batch number `batch`, as positions in the permutation."""
        rows = self.size // self._world
        start = batch * self.size + self._rank * rows
        return slice(start, start + rows)

    def _advance(self) -> None:
        self._batch += 1
        if self._batch == len(self):
            self.epoch, self._batch = self.epoch + 1, 0

    def shard(self, rank: int, world: int) -> None:
        if self.size % world:
            raise InputError("size", f"must be a multiple of the number of processes ({world})", self.size)
        self._rank, self._world = rank, world

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "size": self.size, "seed": self.seed, "epoch": self.epoch, "batch": self._batch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name in ("rows", "size", "seed"):
            if state[name] != getattr(self, name):
                raise InputError(name, f"must be {state[name]}, as in the run to continue", getattr(self, name))
        self.epoch, self._batch = state["epoch"], state["batch"]


class Batches(_Passes):
    """Batches of rows of tensors in memory, reshuffled in every pass.

    Args:
        tensors: name -> tensor (N, ...); may live on a device, rows are then gathered there.
        size: rows per batch, over all processes.
        seed: a number, or a generator that one is drawn from.
        index: key under which batches hold the numbers of their rows in `tensors`, int64 (rows,), for methods that
            keep something per row. None = they do not.

    Raises:
        InputError: no tensors, different lengths, or fewer rows than `size`; with a batch: a tensor named as `index`.

    Example:
        >>> batches = Batches({"x": torch.arange(5.0), "y": torch.arange(5)}, size=2, seed=0)
        >>> batch = next(batches)
        >>> sorted(batch), batch["x"].shape, bool((batch["x"] == batch["y"]).all())
        (['x', 'y'], torch.Size([2]), True)
        >>> len(batches), batches.epoch, next(batches) and batches.epoch
        (2, 0, 1)
        >>> batch = next(Batches({"x": 10 * torch.arange(5)}, size=2, index="row"))
        >>> bool((batch["x"] == 10 * batch["row"]).all())
        True
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], size: int, seed: int | torch.Generator = 0, *, index: str | None = None
    ) -> None:
        if not tensors:
            raise InputError("tensors", "must hold at least one tensor", tensors)
        for name, value in tensors.items():
            if not isinstance(value, Tensor) or value.ndim == 0:
                raise InputError(f"tensors[{name!r}]", "must be a tensor with rows", type(value).__name__)
        super().__init__(check_same_length(**tensors), size, seed, index)
        self._tensors = dict(tensors)
        self._replaced: set[str] = set()

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The tensors batches are taken from. Use `replace` to change one."""
        return MappingProxyType(self._tensors)

    def replace(self, name: str, tensor: Tensor) -> None:
        """Use another tensor of the same length from now on (new pseudo-labels, say). It becomes part of the state.

        Args:
            name: new or existing key; a new one is allowed before the first batch only, as keys are stable.
            tensor: shape (N, ...).
        """
        if name not in self._tensors and (self.epoch, self._batch) != (0, 0):
            raise InputError("name", f"must be one of {', '.join(self._tensors)}", name)
        if len(tensor) != self.rows:
            raise InputError("tensor", f"must have {self.rows} rows", len(tensor))
        self._tensors[name] = tensor.detach()
        self._replaced.add(name)

    def __next__(self) -> dict[str, Tensor]:
        batch = {name: tensor.index_select(0, self._numbers(tensor.device)) for name, tensor in self._tensors.items()}
        batch = self._indexed(batch, next(iter(batch.values())).device)
        self._advance()
        return batch

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "replaced": {name: self._tensors[name] for name in sorted(self._replaced)}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        for name, tensor in state["replaced"].items():
            old = self._tensors.get(name)
            self._tensors[name] = tensor if old is None else tensor.to(old.device)
        self._replaced = set(state["replaced"])


class Joined(BatchSource):
    """One batch of each of several sources, side by side: keys become "<source>/<key>".

    `epoch` is that of the source named first.

    Args:
        sources: name -> source; each keeps its own size, order and passes.

    Example:
        >>> source = Batches({"x": torch.zeros(4, 1), "y": torch.zeros(4)}, size=2)
        >>> joined = Joined(source=source, target=Batches({"x": torch.ones(9, 1)}, size=3))
        >>> {key: tuple(value.shape) for key, value in next(joined).items()}
        {'source/x': (2, 1), 'source/y': (2,), 'target/x': (3, 1)}
    """

    def __init__(self, **sources: BatchSource) -> None:
        if not sources:
            raise InputError("sources", "must hold at least one source", "none")
        if len({id(source) for source in sources.values()}) < len(sources):
            raise InputError("sources", "must be different objects, each has one position", ", ".join(sources))
        self.sources = sources
        self._first = next(iter(sources.values()))

    @property
    def epoch(self) -> int:  # type: ignore[override]
        """Pass of the source named first."""
        return self._first.epoch

    def __next__(self) -> dict[str, Tensor]:
        return {f"{name}/{key}": x for name, source in self.sources.items() for key, x in next(source).items()}

    def shard(self, rank: int, world: int) -> None:
        for source in self.sources.values():
            source.shard(rank, world)

    def state_dict(self) -> dict[str, Any]:
        return {name: source.state_dict() for name, source in self.sources.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if set(state) != set(self.sources):
            raise InputError("sources", f"must be {', '.join(state)}, as in the run to continue", list(self.sources))
        for name, source in self.sources.items():
            source.load_state_dict(state[name])

    def close(self) -> None:
        for source in self.sources.values():
            source.close()


class LoaderBatches(_Passes):
    """Batches of a map-style torch `Dataset`, loaded by worker processes, resumable by position.

    Random augmentation inside the dataset may draw from python's, numpy's or torch's global generators: they are
    seeded per item from (seed, pass, row), so the numbers depend neither on the number of workers nor on a resume.
    Workers hold their own copy of the dataset; labels that change during training belong in the learner, looked up by
    the row numbers in the batch (`index`).

    Args:
        dataset: has `__len__`, and `__getitem__` that gives a dict of tensors, arrays or numbers; an attribute, so that
            `before_epoch` finds the rows.
        size: rows per batch, over all processes.
        seed: a number, or a generator that one is drawn from.
        workers: worker processes; 0 loads in this one.
        collate: makes one dict of tensors of a list of items.
        index: key under which batches hold the numbers of their items in the dataset, int64 (items,). None = they do
            not.

    Raises:
        InputError: fewer rows than `size`; with a batch: items that are not dicts, or that have the key `index`.

    Example:
        >>> squares = [{"square": row * row} for row in range(9)]
        >>> batch = next(LoaderBatches(squares, size=4, index="row"))
        >>> bool((batch["square"] == batch["row"] ** 2).all())
        True
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        size: int,
        seed: int | torch.Generator = 0,
        *,
        workers: int = 0,
        collate: Callable[[list[Any]], dict[str, Tensor]] = default_collate,
        index: str | None = None,
    ) -> None:
        super().__init__(len(dataset), size, seed, index)  # type: ignore[arg-type]
        self._workers = check_integer(workers, "workers", low=0)
        self.dataset, self._items, self._collate = dataset, _SeededItems(dataset, self.seed), collate
        self._iterator: Iterator[Any] | None = None

    def __next__(self) -> dict[str, Tensor]:
        if self._iterator is None:
            loader = DataLoader(
                self._items,
                batch_sampler=_Order(self),
                num_workers=self._workers,
                collate_fn=self._collate,
                pin_memory=torch.cuda.is_available(),
                generator=torch.Generator(),  # otherwise starting to iterate would draw from the global generator
            )
            self._iterator = iter(loader)
        batch = next(self._iterator)
        if not isinstance(batch, dict) or not all(isinstance(v, Tensor) for v in batch.values()):
            rule = "must give dicts of tensors, arrays or numbers as items"
            raise InputError("dataset", rule, type(batch).__name__)
        batch = self._indexed(batch, torch.device("cpu"))
        self._advance()
        return batch

    def shard(self, rank: int, world: int) -> None:
        super().shard(rank, world)
        self.close()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.close()

    def close(self) -> None:
        self._iterator = None  # ends the workers; the next batch starts new ones at the position reached


class _Order(Sampler[list[tuple[int, int]]]):
    """Lists of (pass, row), from a source's position on, for ever. Runs ahead of the source as workers prefetch."""

    def __init__(self, source: LoaderBatches) -> None:
        self._source = source

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        source, epoch, batch = self._source, self._source.epoch, self._source._batch
        while True:
            order = source.permutation(epoch)
            for number in range(batch, len(source)):
                yield [(epoch, row) for row in order[source._share(number)].tolist()]
            epoch, batch = epoch + 1, 0


class _SeededItems(Dataset[Any]):
    """Items of a dataset whose randomness depends on (seed, pass, row) alone."""

    def __init__(self, dataset: Dataset[Any], seed: int) -> None:
        self._dataset, self._seed = dataset, seed

    def __getitem__(self, item: tuple[int, int]) -> Any:
        epoch, row = item
        with seeded(derived_seed(self._seed, "item", epoch, row)):
            return self._dataset[row]


__all__: Sequence[str] = ["BatchSource", "Batches", "Joined", "LoaderBatches"]
