"""`EmbeddingMigrator`: learn from pairs how to take old embeddings to a new model's space, then do it to any number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data.vectors.finite import check_rows
from holdfast.data.vectors.likeness import FEWEST, Profile
from holdfast.devices import check_device
from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.metrics.estimates import Estimate
from holdfast.randomness import derived_seed
from holdfast.retrieval import check_directions, of_length_one
from holdfast.systems.fct.tool.fitters import MEMBERS, check_method, fit_map, fitter_for
from holdfast.systems.fct.tool.maps import FittedMap, MapFitter, Progress, Ridge
from holdfast.systems.fct.tool.pairs import Pairs, warn_of_few
from holdfast.systems.fct.tool.quality import Prediction, predict_quality, row_qualities, summary
from holdfast.systems.fct.tool.transform import MLP, FoldedTransform, TransformMap
from holdfast.systems.fct.tool.uncertainty import Ensemble, ResidualNeighbours
from holdfast.training.rowwise import over_rows
from holdfast.validation import check_array, check_choice, check_fraction, check_integer, check_number

METRICS = ("l2", "cosine", "ip")
UNCERTAINTIES = ("head", "neighbours", "ensemble")
HELD_OUT = 5000  # pairs kept with the model, so that it can say what to expect of other rows


class EmbeddingMigrator(Estimator):
    """Takes embeddings of an old model to the space of a new one, learned from items embedded by both.

    Queries are then embedded by the new model and compared with migrated rows. A part of the pairs is held out of
    fitting, and what the migration is worth on it is always in `validation_`.

    Args:
        method: "mlp" (the paper's h), "ridge" or "procrustes". Or a part with the same interface, such as
            `Ridge(penalty=0.1)`.
        uncertainty_from: what plans of rows go by: "neighbours", "ensemble" or "head" (FastFill's, mlp only). Of these
            "neighbours" takes the residuals of the nearest held-out pairs and costs nothing; "head" is learned together
            with the map, which it makes worse where pairs are few and dimensions many; "ensemble" is five maps, fitted
            to pairs drawn with replacement, and their mean is the map.
        normalize: "l2" where the index stores vectors of length 1: the map is fitted to such targets, and its results
            are brought to length 1. "auto" does so where the new embeddings of all pairs have length 1. None = neither.
        metric: how the index compares: "l2", "cosine" or "ip" (inner product). None = cosine where results are brought
            to length 1 (all three are the same then), ip where only the new embeddings have length 1, else l2.
        val_fraction: share of the pairs that is held out and looked at, in (0, 1).
        epochs: passes over the pairs (mlp). The defaults of mlp were chosen on some thousand pairs and take a minute or
            two; the paper's setting, for a million pairs, is epochs=80, batch_size=1024, lr=5e-4, inner_dim=2048.
        batch_size: pairs per step (mlp); None = 1024, or less with few pairs.
        lr: highest learning rate (mlp).
        inner_dim: width of the hidden layers (mlp); None = by the dimensions, 256 to 1024.
        label_weight: of the cross-entropy in FastFill's loss ("head"), where labels are given; the new model's
            classifier is then the nearest class mean.
        seed: of the split, the initial weights and the order of the pairs.
        device: where to compute, such as cpu, cuda or cuda:1; None = cuda where there is one.

    Attributes:
        validation_: name -> (value, low, high), see `quality.row_qualities`: means over held-out pairs, 95 % intervals.
        ridge_validation_: the same of a linear map fitted to the same pairs, for comparison.
        pairs_: numbers of pairs, (fitted, held out).
        unit_, metric_: whether results are brought to length 1, and what retrieval was measured by.
        profiles_: what the old embeddings ("old") and the side information ("side") of the pairs look like; {} where
            there are too few to say.
        dims_: d_old, d_new and d_side, which is 0 without side information.
        map_: the fitted map, a torch module.

    Example:
        >>> import numpy as np
        >>> from holdfast.systems.fct import EmbeddingMigrator
        >>> rng = np.random.default_rng(0)
        >>> old = rng.normal(size=(200, 6)); new = old @ rng.normal(size=(6, 4))
        >>> migrator = EmbeddingMigrator("ridge").fit(old, new)
        >>> migrator.transform(old[:3]).shape, migrator.validation_["recall@10"][0]
        ((3, 4), 1.0)
    """

    moved: ClassVar[Mapping[str, str]] = {
        f"holdfast.systems.fct.{before}": f"holdfast.systems.fct.{now}"
        for before, now in {
            "migrator:EmbeddingMigrator": "estimator:EmbeddingMigrator",
            "maps:Ridge": "tool.maps:Ridge",
            "maps:Procrustes": "tool.maps:Procrustes",
            "mlp:MLP": "tool.transform:MLP",
            "fitting:TransformTraining": "tool.training:TransformTraining",
        }.items()
    }
    tags = Tags(arrays=("old", "new"), outputs=("transform",), tolerance=1e-4)

    def __init__(
        self,
        method: str | MapFitter = "mlp",
        uncertainty_from: str = "neighbours",
        normalize: str | None = "auto",
        val_fraction: float = 0.1,
        epochs: int = 20,
        batch_size: int | None = None,
        lr: float = 2e-3,
        inner_dim: int | None = None,
        label_weight: float = 0.0,
        seed: int = 0,
        device: str | None = None,
        metric: str | None = None,
    ) -> None:
        self.method, self.uncertainty_from = method, uncertainty_from
        self.normalize, self.val_fraction = normalize, val_fraction
        self.epochs, self.batch_size, self.lr, self.inner_dim = epochs, batch_size, lr, inner_dim
        self.label_weight, self.seed, self.device, self.metric = label_weight, seed, device, metric

    # ---------------------------------------------------------------------------------------------------------- fitting
    def fit(
        self,
        old: Any,
        new: Any,
        side: Any = None,
        labels: Any = None,
        *,
        ids: Any = None,
        progress: Progress | None = None,
    ) -> Self:
        """Fit the map to pairs: row i of every array is the same item.

        Args:
            old: embeddings by the old model, (N, d_old).
            new: embeddings by the new model, (N, d_new).
            side: side information stored beside the old embeddings, (N, d_side).
            labels: classes, (N,); used where label_weight > 0.
            ids: what item a row belongs to, (N,): rows of one item are held out together. None = each is one.
            progress: called with (steps done, steps); mlp only.

        Raises:
            InputError: an argument breaks a rule: counts of rows that differ, NaN or infinite rows, fewer than 8 pairs,
                procrustes between spaces of different size, ...

        Warns:
            FewPairs: fewer pairs to fit to than two per dimension of the new embeddings; said before fitting begins.
        """
        self._check_settings()
        pairs, unit, metric = self._pairs(old, new, side, labels)
        kept, held_out = pairs.split(self.val_fraction, derived_seed(self.seed, "split"), ids)
        warn_of_few(len(kept), pairs.new.shape[1])
        mine, theirs = pairs.rows(kept), pairs.rows(held_out)
        fitted = fit_map(
            self._fitter(mine.new.shape[1], len(kept)),
            mine,
            ensemble=self._is_ensemble(),
            labelled=self.label_weight > 0,
            seed=self.seed,
            device=str(self._device()),
            progress=progress,
        )
        self._forget()
        self.unit_, self.metric_ = unit, metric
        self.map_ = fitted.cpu().eval()
        self.dims_ = (pairs.old.shape[1], pairs.new.shape[1], 0 if pairs.side is None else pairs.side.shape[1])
        self.pairs_ = (len(kept), len(held_out))
        self._judge(mine, theirs)
        first = np.arange(len(pairs.old)) if ids is None else np.sort(np.unique(ids, return_index=True)[1])
        sides = {"old": pairs.old, **({} if pairs.side is None else {"side": pairs.side})}
        made = {
            name: Profile.of(rows.numpy()[first], derived_seed(self.seed, "profile")) for name, rows in sides.items()
        }
        self.profiles_ = {name: profile for name, profile in made.items() if profile is not None}
        return self

    def _check_settings(self) -> None:
        check_method(self.method)
        check_choice(self.uncertainty_from, UNCERTAINTIES, "uncertainty_from")
        if self.uncertainty_from == "head" and not self._is_mlp():
            raise InputError("uncertainty_from", "must be neighbours or ensemble where the method is not mlp", "head")
        if check_number(self.label_weight, "label_weight", low=0) and self.uncertainty_from != "head":
            raise InputError("label_weight", "must be 0 unless uncertainty_from is 'head'", self.label_weight)
        check_choice(self.normalize, ("auto", "l2", None), "normalize")
        check_choice(self.metric, (*METRICS, None), "metric")
        check_fraction(self.val_fraction, "val_fraction", zero=False, one=False)
        check_integer(self.seed, "seed", low=0)
        self._fitter(1, 1)

    def _pairs(self, old: Any, new: Any, side: Any, labels: Any) -> tuple[Pairs, bool, str]:
        """The pairs as they are fitted to, whether results are brought to length 1, and how they are compared."""
        pairs = Pairs.of(old, new, side, labels)
        check_integer(len(pairs.old), "number of pairs", low=8)
        if self.label_weight > 0 and pairs.labels is None:
            raise InputError("labels", "must be given where label_weight > 0", None)
        alike = of_length_one(pairs.new)
        unit = self.normalize == "l2" or (self.normalize == "auto" and alike)
        metric = self.metric or ("cosine" if unit else "ip" if alike else "l2")
        if metric == "cosine":
            check_directions(pairs.new, "new")
        return pairs.normalized() if unit else pairs, unit, metric

    def _is_mlp(self) -> bool:
        return self.method == "mlp" or isinstance(self.method, MLP)

    def _fitter(self, new_dim: int, pairs: int) -> MapFitter:
        return fitter_for(
            self.method,
            new_dim,
            pairs,
            head=self.uncertainty_from == "head",
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            inner_dim=self.inner_dim,
            label_weight=self.label_weight,
        )

    def _judge(self, fitted: Pairs, held_out: Pairs) -> None:
        """Measure the map on pairs it has not seen, and keep them as what predictions for other rows are made from."""
        side = None if held_out.side is None else held_out.side.numpy()
        old, new, centre = held_out.old.numpy(), held_out.new.numpy(), fitted.new.double().mean(0).numpy()

        def qualities(module: FittedMap) -> dict[str, np.ndarray]:
            return row_qualities(self._mapped(module, old, side, self.unit_), new, centre, self.metric_)

        found, linear = qualities(self._ready()), qualities(Ridge().fit(fitted.old, fitted.new, fitted.side))
        self.validation_ = {name: (e.value, e.low, e.high) for name, e in summary(found).items()}
        self.ridge_validation_ = {name: (e.value, e.low, e.high) for name, e in summary(linear).items()}
        raw = self._mapped(self.map_, old, side, normalized=False)
        errors = torch.from_numpy(np.square(raw.astype(np.float64) - new).sum(1)).float()
        self.known_ = ResidualNeighbours.of(held_out.inputs[:HELD_OUT], errors[:HELD_OUT])
        self.qualities_ = {name: values[:HELD_OUT].copy() for name, values in found.items()}

    def _build(self) -> Mapping[str, Any]:
        self._check_settings()
        old, new, side = self.dims_
        fitter = self._fitter(new, self.pairs_[0])
        made = [fitter.shape(old, new, side or None) for _ in range(MEMBERS if self._is_ensemble() else 1)]
        kept = len(self.qualities_["cosine"])
        return {
            "map_": Ensemble(made) if self._is_ensemble() else made[0],
            "known_": ResidualNeighbours(kept, old + side),
        }

    def _is_ensemble(self) -> bool:
        return self.uncertainty_from == "ensemble"

    def _device(self) -> torch.device:
        if self.device is None:
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return check_device(self.device)

    # ------------------------------------------------------------------------------------------------------------ using
    def transform(
        self,
        old: Any,
        side: Any = None,
        batch_size: int = 65536,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        """Migrated embeddings: (N, d_old), (N, d_side) -> (N, d_new) float32. Each row is answered for itself.

        Raises:
            NotFitted: before `fit`.
            InputError: other sizes than in `fit`; side information missing, or given where there was none.
        """
        self.check_fitted()
        a, b = self._inputs(old, side)
        return self._mapped(self._ready(), a, b, self.unit, batch_size, progress)

    def uncertainty(self, old: Any, side: Any = None, batch_size: int = 65536) -> np.ndarray:
        """The squared distance from the true new embedding that is to be expected, before normalisation: (N,) float32.

        From "ensemble" it is the spread of the members: its order means something, its size less so.

        Raises:
            InputError: as in `transform`.
        """
        self.check_fitted()
        a, b = self._inputs(old, side)
        module: Any = self.known_ if self.uncertainty_from == "neighbours" else self.map_
        device = self._device()
        module.to(device)
        out = np.empty(len(a), np.float32)

        def expected(x: Tensor, y: Tensor | None = None) -> Tensor:
            if module is self.known_:
                return module(x if y is None else torch.cat([x, y], 1))
            return module.expected_error(x, y)

        return over_rows(expected, [a] if b is None else [a, b], out, batch_size=batch_size, device=device)

    def score(self, old: Any, new: Any, side: Any = None) -> float:
        """Share of the new embeddings' variance that the migrated ones explain (R squared): 1 is perfect, (N,) pairs.

        Raises:
            InputError: as in `fit`.
        """
        self.check_fitted()
        pairs = Pairs.of(old, new, side)
        pairs = pairs.normalized() if self.unit else pairs
        moved = self.transform(pairs.old.numpy(), None if pairs.side is None else pairs.side.numpy())
        new_rows = np.asarray(check_array(pairs.new.numpy(), "N D", name="new", sizes={"D": self.dims_[1]}))
        spread = np.square(new_rows.astype(np.float64) - new_rows.mean(0, dtype=np.float64)).sum()
        return 1 - float(np.square(moved.astype(np.float64) - new_rows).sum() / spread)

    def predict_quality(self, old: Any, side: Any = None) -> Prediction:
        """What to expect of rows without new embeddings, from the held-out pairs nearest to them.

        Raises:
            InputError: as in `transform`.
        """
        self.check_fitted()
        a, b = self._inputs(old, side)
        inputs = a if b is None else np.concatenate([a, b], axis=1)
        return predict_quality(inputs, self.known_.cpu(), self.qualities_, seed=self.seed)

    def unlike(self, old: Any, side: Any = None) -> tuple[str, ...] | None:
        """What tells rows of a store from the pairs, a phrase each; what the map makes of such rows nobody knows.

        Rows are compared in scale, place, spread along the pairs' main directions and nearness to pairs: see `Profile`.

        Args:
            old, side: some rows, in the order of the store: (n, d_old), (n, d_side).

        Returns:
            () where they are alike. None where nobody can say: fewer than 20 rows or 40 pairs, or a model that was
            saved by a version that kept no profile of them.

        Raises:
            InputError: as in `transform`.
        """
        self.check_fitted()
        a, b = self._inputs(old, side)
        profiles = getattr(self, "profiles_", {})
        if not profiles or len(a) < FEWEST:
            return None
        found = profiles["old"].differences(a, "the pairs")
        more = () if b is None else profiles["side"].differences(b, "the pairs")
        return (*found, *(f"side information: {words}" for words in more))

    @property
    def unit(self) -> bool:
        """Whether results are brought to length 1; models of earlier versions do so where they were told to."""
        return bool(getattr(self, "unit_", self.normalize == "l2"))

    @property
    def searched_by(self) -> str:
        """What retrieval was measured by in `fit`."""
        return str(getattr(self, "metric_", "cosine" if self.unit else "l2"))

    @property
    def held_out(self) -> dict[str, Estimate]:
        """`validation_` as estimates with intervals."""
        self.check_fitted()
        return {name: Estimate(*values) for name, values in self.validation_.items()}

    def _inputs(self, old: Any, side: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Rows to migrate, once they are known to be like those of `fit`."""
        d_old, _, d_side = self.dims_
        if (side is None) != (d_side == 0):
            rule = (
                "must be given: the map was fitted with" if d_side else "must not be given: the map was fitted without"
            )
            raise InputError("side", f"{rule} side information", "nothing" if d_side else "an array")
        sizes = {"d_old": d_old, "d_side": d_side}
        a = check_array(old, "N d_old", name="old", finite=False, sizes=sizes)
        check_rows(a, "old")
        if side is None:
            return _numpy(a), None
        b = check_array(side, "N d_side", name="side", finite=False, sizes=sizes)
        check_rows(b, "side")
        return _numpy(a), _numpy(b)

    def _ready(self) -> FittedMap:
        """The map as it is used: folded, and on the device."""
        key = id(self.map_), str(self._device())
        if getattr(self, "_folded", (None, None))[0] != key:
            made = FoldedTransform(self.map_) if isinstance(self.map_, TransformMap) else self.map_
            self._folded = (key, made.to(self._device()))
        return self._folded[1]

    def _mapped(
        self,
        module: FittedMap,
        old: np.ndarray,
        side: np.ndarray | None,
        normalized: bool,
        batch_size: int = 65536,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        check_integer(batch_size, "batch_size", low=1)
        device, done = self._device(), 0
        module.to(device)

        def forward(*rows: Tensor) -> Tensor:
            moved = module(*rows)
            return nn.functional.normalize(moved) if normalized else moved

        def count(rows: int) -> None:
            nonlocal done
            done += rows
            if progress is not None:
                progress(done, len(old))

        out = np.empty((len(old), self.dims_[1]), np.float32)
        inputs = [old] if side is None else [old, side]
        return over_rows(forward, inputs, out, batch_size=batch_size, device=device, on_rows=count)

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        old = rng.normal(size=(48, 5))
        new = np.tanh(old @ rng.normal(size=(5, 4)))
        settings = {"epochs": 2, "batch_size": 16, "inner_dim": 8, "device": "cpu"}
        return Example({"old": old, "new": new}, rng.normal(size=(6, 5)), settings)


def _numpy(x: Any) -> np.ndarray:
    return x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x)


__all__ = ["METRICS", "UNCERTAINTIES", "EmbeddingMigrator"]
