"""A study from your own training function: every arm at every size and seed, then exchange rates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from holdfast.data.augment import Identity, Transform
from holdfast.data.readers.records import read_records
from holdfast.data.readers.roles import Role
from holdfast.data.splits import training_rows
from holdfast.errors import InputError
from holdfast.systems.augmentation_worth.method.rates import check_sizes
from holdfast.systems.augmentation_worth.tool.results import Priced, priced, rates_figure
from holdfast.training.processes import in_processes
from holdfast.validation import check_array, check_integer, check_same_length
from holdfast.verbs.tables import check_table, write_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Labelled = tuple[Any, Any]
TrainFn = Callable[[Tensor, Tensor, Transform, int], Any]
COLUMNS = ("arm", "n", "seed", "test_set", "error")


class AugmentationStudy:
    """Train with and without augmentations on subsets of your data, and price each augmentation in samples.

    A seed and a size draw one subset (stratified by label), the same for all arms. `train_fn` should make the same
    number of steps at every size, or rates price the steps.

    Args:
        train_fn: (images (n, ...), labels (n,), transform, seed) -> {test set: share of errors}, or a predictor, which
            makes labels (N,) or scores (N, K) of a test set's images.
        data: (images (N, ...), labels (N,) integers) to draw from; those of a test set are such a pair, too.
        augmentations: {name: (images, generator) -> images}.
        sizes: at least 4, over at least a factor of 10.
        seeds: a training of every arm and size for each.
        test_sets: {name: pair}.
        reference: name of the arm without augmentation.

    Raises:
        InputError: sizes that are too few or too large, nothing to do, arrays that do not fit, bad names.

    Example:
        >>> from holdfast.data.augment import Noise
        >>> x, y = torch.arange(400.0)[:, None], torch.arange(400) % 2
        >>> def train(images, labels, transform, seed):
        ...     return {"all": 0.5 * (len(images) * (3 if isinstance(transform, Noise) else 1)) ** -0.5}
        >>> study = AugmentationStudy(train, (x, y), {"noise": Noise()}, [4, 12, 36, 108], [0, 1], {"all": (x, y)})
        >>> _ = study.run()
        >>> study.exchange_table(n_boot=5).query("n < 108")["rate"].round(6).tolist()
        [3.0, 3.0, 3.0]
    """

    def __init__(
        self,
        train_fn: TrainFn,
        data: Labelled,
        augmentations: Mapping[str, Transform],
        sizes: Sequence[int],
        seeds: Sequence[int],
        test_sets: Mapping[str, Labelled],
        reference: str = "none",
    ) -> None:
        self.train_fn, self.reference = train_fn, reference
        self.images, self.labels = _labelled(data, "data")
        self.test_sets = {name: _labelled(pair, f"test_sets[{name!r}]") for name, pair in test_sets.items()}
        self.sizes = sorted({check_integer(n, "sizes", low=1, high=len(self.labels)) for n in sizes})
        check_sizes(np.array(self.sizes), "sizes")
        self.seeds = sorted({check_integer(seed, "seeds", low=0) for seed in seeds})
        self.arms: dict[str, Transform] = {reference: Identity(), **augmentations}
        for what, found in (("augmentations", augmentations), ("seeds", self.seeds), ("test_sets", test_sets)):
            if not found:
                raise InputError(what, "must not be empty", "none")
        if bad := [n for n in (*augmentations, *test_sets) if n == reference or n[:1] in ("", *"=+-@'")]:
            rule = "must have names that are not the reference's and start with no sign, as formulas in tables do"
            raise InputError("augmentations, test_sets", rule, repr(bad[0]))
        self.results: pd.DataFrame | None = None

    def run(self, path: str | Path | None = None, n_jobs: int = 1, progress: Any = None) -> pd.DataFrame:
        """Train whatever is missing.

        Args:
            path: a table (.csv or .parquet), written after every training; those that are in it are not repeated, rows
                of other arms stay. It knows nothing of `train_fn`: after a change of that, take another path.
            n_jobs: trainings at a time, in processes of their own.
            progress: None, or called with (trainings done, of all).

        Returns:
            Columns arm, n, seed, test_set, error (a share), a row for every training and test set.

        Raises:
            InputError: the file is no such table; what `train_fn` gives is no predictor, or no errors in [0, 1].
        """
        check_integer(n_jobs, "n_jobs", low=1)
        file = None if path is None else Path(path)
        known = _read(file) if file else {}
        keys = [(arm, n, seed) for n in self.sizes for seed in self.seeds for arm in self.arms]
        missing = [key for key in keys if any((*key, test) not in known for test in self.test_sets)]
        trained: Iterator[Any] = in_processes((partial(_train, *self._job(*key)) for key in missing), n_jobs)
        for done, (key, errors) in enumerate(zip(missing, trained, strict=True), len(keys) - len(missing) + 1):
            known.update({(*key, test): error for test, error in errors.items()})
            if file:
                write_table(file, _table(list(known.items())))
            if progress:
                progress(done, len(keys))
        self.results = _table([((*key, test), known[*key, test]) for key in keys for test in self.test_sets])
        return self.results

    def exchange_table(self, n_boot: int = 1000, seed: int = 0) -> pd.DataFrame:
        """Rates after `run`, with the columns of `Priced.rates`; InputError before it, or where an error is 0."""
        import pandas as pd

        return pd.concat([one.rates for one in self._priced(n_boot, seed)], ignore_index=True)

    def plot(self, n_boot: int = 1000, seed: int = 0) -> Figure:
        """Errors and rates of every test set after `run`."""
        return rates_figure(self._priced(n_boot, seed), self.results, self.reference)

    def _priced(self, n_boot: int, seed: int) -> list[Priced]:
        if self.results is None:
            raise InputError("results", "must be there: call run() first", "none")
        return list(priced(self.results, self.reference, n_boot, seed))

    def _job(self, arm: str, n: int, seed: int) -> tuple[Any, ...]:
        rng = np.random.default_rng([seed, n])
        rows = training_rows(self.labels, torch.arange(len(self.labels)), n, rng)
        return self.train_fn, self.images[rows], self.labels[rows], self.arms[arm], seed, self.test_sets


def _train(train_fn: TrainFn, x: Tensor, y: Tensor, arm: Transform, seed: int, tests: Mapping[str, Labelled]) -> Any:
    """{test set: share of errors}."""
    found = train_fn(x, y, arm, seed)
    if not (callable(found) or isinstance(found, Mapping)):
        raise InputError("train_fn", "must give a predictor or {test set: error}", type(found).__name__)
    errors = {
        name: float(found.get(name, np.nan)) if isinstance(found, Mapping) else _share_wrong(found, *pair)
        for name, pair in tests.items()
    }
    if bad := [name for name, error in errors.items() if not 0 <= error <= 1]:
        raise InputError("train_fn", f"must give an error from 0 to 1 on {bad[0]}", errors[bad[0]])
    return errors


def _share_wrong(predict: Callable[[Tensor], Any], x: Tensor, y: Tensor) -> float:
    with torch.no_grad():
        said = torch.as_tensor(predict(x)).cpu()
    said = said.argmax(1) if said.ndim == 2 else said
    if said.shape != y.shape:
        raise InputError("train_fn", f"must give a predictor of labels ({len(y)},) or scores", tuple(said.shape))
    return float((said != y).double().mean())


def _labelled(pair: Labelled, name: str) -> tuple[Tensor, Tensor]:
    x = torch.as_tensor(check_array(pair[0], "...", name=f"images of {name}"))
    y = torch.as_tensor(check_array(pair[1], "N", name=f"labels of {name}", dtype="int64"))
    check_same_length(**{f"images of {name}": x, f"labels of {name}": y})
    return x, y


def _table(rows: Sequence[tuple[tuple[Any, ...], float]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([(*key, error) for key, error in rows], columns=list(COLUMNS))


def _read(path: Path) -> dict[tuple[Any, ...], float]:
    check_table(path, "path")
    if not path.exists():
        return {}
    found = read_records(path, [Role(name, "number" if name in ("n", "error") else "text") for name in COLUMNS])
    rows = list(zip(*(found[name].tolist() for name in COLUMNS), strict=True))
    for k, (_, n, seed, _, error) in enumerate(rows):
        if not (float(n).is_integer() and str(seed).isdecimal() and 0 <= error <= 1):
            rule = "must have a whole size, a whole seed and an error from 0 to 1"
            raise InputError(found.place(k), rule, f"{n:g}, {seed}, {error:g}")
    return {(arm, int(n), int(seed), test): float(error) for arm, n, seed, test, error in rows}


__all__ = ["AugmentationStudy"]
