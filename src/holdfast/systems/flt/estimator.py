"""FLT on a user's own points: fit on sets of them, predict a number for every point of new sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
import torch

from holdfast.baselines.neighbour_means import NeighbourMeans
from holdfast.data.point_sets import PointSets, pad_sets, side_of_cube
from holdfast.devices import check_device
from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.layers.standardise import Standardise
from holdfast.metrics.determination import R2
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.flt.net import FLTAttention, FLTEncoder, FLTEncoderLayer, FourierRPE
from holdfast.training import fit
from holdfast.training.point_regression import PointLearner, PointRegressor, answers, point_batches
from holdfast.training.threads import threads_for
from holdfast.validation import check_array, check_choice, check_fraction, check_integer, check_positive

FEWEST = 5  # sets: four to learn from, one held out
EXACT_UP_TO = 512  # points of the largest set: with fewer, all pairs are faster and better than FAVOR+
TOGETHER = 2**26  # scores or features of all heads that predictions form at a time


class FLTRegressor(Estimator):
    """A number for every point of a set, from the points around it: attention that knows how far apart they are.

    Args:
        kind: form of the learned Fourier transform: "gmm", "kernel", "cauchy", "local" or "mlp".
        attention: "linear" (FAVOR+), "exact" (all pairs of points), or "auto": exact up to 512 points a set.
        coordinates: whether positions, centred in each set, are inputs, too. Shifts still change nothing.
        features: random features of FAVOR+.
        frequencies: of the learned Fourier transform.
        scale: of the frequencies, cycles per spread of a set; larger for finer detail.
        layers: of attention.
        width: of the network.
        heads: of attention, each with a bias of its own.
        steps: of training.
        batch: sets per step.
        lr: learning rate of Adam, which falls to 0.
        held_out: share of the sets that is not learned from but measured on.
        device: "cpu", "cuda", "cuda:1", ...
        seed: of the division, the initialisation and the order.

    Attributes:
        side_: positions are divided by it: the side of a cube with the same spread as a set.
        span_: largest extent of a set along each axis, (d,), in the user's units.
        net_: the network.
        scores_: R2 on sets held out, of "FLT", of "neighbour means" and of "mean".
        held_out_: names of the sets held out, as texts.
        exact_: whether all pairs of points are formed.
        strength_: mean |rho| of the bias; far above 2 FAVOR+ is noisy.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> pos, charge, name = rng.random((400, 2)), rng.choice([-1.0, 1.0], 400), np.repeat(np.arange(20), 20)
        >>> model = FLTRegressor(steps=60).fit(charge[:, None], 2 * charge + 1, name, pos)
        >>> model.predict([[1.0], [-1.0]], [0, 0], [[0.2, 0.1], [0.3, 0.4]]).round(1).tolist()
        [3.0, -1.0]
    """

    tags = Tags(arrays=("X", "y", "pos"), predicts_rows=False, tolerance=1e-4)

    def __init__(
        self,
        kind: str = "gmm",
        attention: str = "auto",
        coordinates: bool = False,
        features: int = 256,
        frequencies: int = 16,
        scale: float = 1.0,
        layers: int = 1,
        width: int = 32,
        heads: int = 2,
        steps: int = 700,
        batch: int = 16,
        lr: float = 1e-2,
        held_out: float = 0.2,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.kind, self.attention, self.coordinates = kind, attention, coordinates
        self.features, self.frequencies, self.scale = features, frequencies, scale
        self.layers, self.width, self.heads = layers, width, heads
        self.steps, self.batch, self.lr, self.held_out = steps, batch, lr, held_out
        self.device, self.seed = device, seed

    # ---------------------------------------------------------------------------------------------------------- fitting
    def fit(
        self,
        X: Any,
        y: Any,
        set: Any,
        pos: Any,
        *,
        columns: Mapping[str, Any] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Self:
        """Train on most sets, and measure on those held out.

        Args:
            X: (n, F) numbers of each point; (n, 0) where they have none.
            y: (n,) the number to predict.
            set: (n,) name of each point's set, at least 5 sets of at least 2 points.
            pos: (n, d) positions; axes in different units should be brought to one unit first.
            columns: names of the user's columns by role, kept with the model.
            progress: called with (steps done, steps).

        Raises:
            InputError: an argument breaks a rule.
        """
        self._check_settings()
        sets, names, _ = pad_sets(set, pos, _given(X), y)
        self._check_sets(sets, names)
        order = np.random.default_rng(derived_seed(self.seed, "held out")).permutation(len(sets))
        count = min(len(sets) - 2, max(1, round(self.held_out * len(sets))))
        held, learned = np.sort(order[:count]), np.sort(order[count:])
        if not bool(sets[learned].y[sets[learned].real].std() > 0):
            raise InputError("y", "must hold at least two different numbers", "one")
        self._forget()
        self.columns_ = dict(columns or {})
        self.held_out_ = [str(name) for name in names[held]]
        self.dim_, self.features_ = int(sets.pos.shape[2]), int(sets.x.shape[2])
        self.exact_ = self.attention == "exact" or (self.attention == "auto" and sets.real.shape[1] <= EXACT_UP_TO)
        train = sets[learned]
        self.side_ = side_of_cube(train)
        self.span_ = np.ptp(np.where(train.real[..., None], train.pos, 0), axis=1).max(0).astype(np.float64)
        self.x_scale_ = Standardise(self.features_).learn(train.x[train.real])
        self.y_scale_ = Standardise(1).learn(train.y[train.real][:, None])
        self._train(self._inputs(train), progress)
        self._measure(sets[learned], sets[held])
        return self

    def _check_settings(self) -> None:
        for name in ("features", "frequencies", "layers", "width", "heads", "steps", "batch"):
            check_integer(getattr(self, name), name, low=1)
        check_integer(self.seed, "seed", low=0)
        check_choice(self.attention, ("auto", "linear", "exact"), "attention")
        check_positive(self.lr, "lr")
        check_fraction(self.held_out, "held_out", zero=False, one=False)
        check_device(self.device)
        if self.width % self.heads:
            raise InputError("width", f"must be a multiple of heads ({self.heads})", self.width)
        FourierRPE(1, 1, self.kind, 1, 1, self.scale)

    @staticmethod
    def _check_sets(sets: PointSets, names: np.ndarray) -> None:
        if len(sets) < FEWEST:
            raise InputError("set", f"must name at least {FEWEST} sets", f"{len(sets)}")
        alone = np.flatnonzero(sets.real.sum(1).numpy() < 2)
        if len(alone):
            more = f", and {len(alone) - 1} other sets" if len(alone) > 1 else ""
            raise InputError(
                "set", "must name sets of at least two points", f"one point in {str(names[alone[0]])!r}{more}"
            )
        if not bool(sets.pos.abs().max() > 0):
            raise InputError("pos", "must differ within sets", "the same position for all points of every set")

    def _inputs(self, sets: PointSets) -> PointSets:
        """What the network is given: positions of a known range, standardised numbers and targets."""
        pos = sets.pos / self.side_
        x = self.x_scale_(sets.x) * sets.real[..., None]
        x = torch.cat([x, pos], 2) if self.coordinates else x
        one = sets.real[..., None].float()  # so that there is an input where points have no numbers
        y = self.y_scale_(sets.y[..., None])[..., 0] * sets.real
        return PointSets(pos, torch.cat([x, one], 2), y, sets.real)

    def _net(self) -> PointRegressor:
        with seeded(derived_seed(self.seed, "init")):
            rpe = FourierRPE(self.dim_, self.frequencies, self.kind, heads=self.heads, scale=self.scale)
            inputs = self.features_ + 1 + (self.dim_ if self.coordinates else 0)
            layers = [
                FLTAttention(self.width, self.heads, rpe, self.features, exact=self.exact_) for _ in range(self.layers)
            ]
            mixer = layers[0] if len(layers) == 1 else FLTEncoder([FLTEncoderLayer(a, self.width) for a in layers])
            return PointRegressor(inputs, self.width, mixer)

    def _build(self) -> Mapping[str, Any]:
        return {"net_": self._net(), "x_scale_": Standardise(self.features_), "y_scale_": Standardise(1)}

    def _train(self, sets: PointSets, progress: Callable[[int, int], None] | None) -> None:
        self.net_ = self._net()
        learner = PointLearner(self.net_, self.lr, not bool(sets.real.all()))
        batches = point_batches(sets, self.batch, derived_seed(self.seed, "batches"))
        with threads_for(learner):
            fit(
                learner,
                batches,
                steps=self.steps,
                seed=self.seed,
                schedule=lambda done: 1 - done,
                clip=1.0,
                device=self.device,
                on_step=progress,
            )
        self.net_.eval()
        self.strength_ = float(self.rpe.strength().detach().mean())

    def _measure(self, learned: PointSets, held: PointSets) -> None:
        neighbours = NeighbourMeans().fit(learned)
        self.neighbours_ = neighbours.k
        mean = torch.full_like(held.y, float(learned.y[learned.real].mean()))
        found = {"FLT": self._answers(held), "neighbour means": neighbours.predict(held), "mean": mean}
        self.scores_ = {name: R2().of_cases(np.array(held.cases(values))) for name, values in found.items()}

    # ------------------------------------------------------------------------------------------------------- predicting
    @property
    def rpe(self) -> FourierRPE:
        """The learned bias of the network; positions in units of `side_`."""
        found = next(module for module in self.net_.modules() if isinstance(module, FourierRPE))
        return found

    def _answers(self, sets: PointSets) -> torch.Tensor:
        points = sets.real.shape[1]
        each = self.heads * points * (points if self.exact_ else self.features)
        size = min(50, max(1, TOGETHER // each))  # sets at a time
        with threads_for(self.net_):
            found = answers(self.net_.to(self.device), self._inputs(sets), size)
        return self.y_scale_.back(found[..., None])[..., 0]

    def predict(self, X: Any, set: Any, pos: Any) -> np.ndarray:
        """Numbers (n,) for points of sets that need not be known; arguments as in `fit`."""
        self.check_fitted()
        check_array(pos, "n d", name="pos", dtype="float64", sizes={"d": self.dim_})
        sets, _, rows = pad_sets(set, pos, _given(X))
        if sets.x.shape[2] != self.features_:
            raise InputError("X", f"must have {self.features_} columns, as in fit", sets.x.shape[2])
        out = np.empty(int(sets.real.sum()), np.float32)
        out[rows[rows >= 0]] = self._answers(sets).numpy()[rows >= 0]
        return out

    @torch.no_grad()
    def bias(self, delta: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """The learned f of differences of positions (..., d), as attention uses it and in closed form: (H, ...) each.

        The first is the estimate from R frequencies, the second what it estimates (None for kind "mlp").
        """
        self.check_fitted()
        z = torch.as_tensor(np.asarray(check_array(delta, "... d", name="delta", dtype="float64")) / self.side_).float()
        rpe = self.rpe.cpu()
        pos = torch.cat([torch.zeros(1, 1, self.dim_), z.reshape(1, -1, self.dim_)], 1)
        n1, n2 = rpe.factors(pos)
        estimate = (n1[0, :, 1:] @ n2[0, :, :1].transpose(1, 2))[..., 0].unflatten(1, z.shape[:-1])
        return estimate.numpy(), None if self.kind == "mlp" else rpe.bias_exact(z).numpy()

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        pos, X = rng.random((24, 2)), rng.normal(size=(24, 1))
        name = np.repeat(np.arange(6), 4)
        data = {"X": X, "y": X[:, 0] + rng.normal(size=24), "set": name, "pos": pos}
        new = {"X": X[:8], "set": name[:8], "pos": pos[:8]}
        return Example(data, new, {"steps": 3, "batch": 2, "width": 8, "features": 16})


def _given(X: Any) -> Any:
    if X is None:
        raise InputError("X", "must be an array (n, F), (n, 0) where points have no numbers", "None")
    return X


__all__ = ["FLTRegressor"]
