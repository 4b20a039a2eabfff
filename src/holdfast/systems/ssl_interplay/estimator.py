"""KernelSSL: features of rows that come in views, in closed form."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal, Self

import numpy as np

from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.systems.ssl_interplay.method.features import (
    CholeskyFeatures,
    cholesky_features,
    exponential_kernel,
    fourier_features,
    ntk_kernel,
    polynomial_kernel,
    rbf_kernel,
    squared_distances,
)
from holdfast.systems.ssl_interplay.method.spectrum import Eigenpairs, Moments, eigenpairs, interplay_path, largest_reg
from holdfast.validation import (
    as_array,
    check_array,
    check_choice,
    check_integer,
    check_positive,
    check_present,
    check_same_length,
    is_tensor,
)

KERNELS = ("rbf", "exponential", "polynomial", "ntk", "precomputed")
CHUNK = 4096  # rows whose features are held at a time
SAMPLE = 1000  # rows that the median distance is taken of
SHOWN = 20  # eigenvalues beyond the features that are kept to look at
NEGATIVE = 1e-8  # of the largest eigenvalue: below minus this a matrix is no kernel


class KernelSSL(Estimator):
    """Features psi* = sqrt(theta_i) f_i of the k leading eigenfunctions of T - reg K^{-1}: what VICReg with a squared
    penalty would learn with this kernel in place of a network, without training.

    T says which rows are views of one input, K is the kernel. Features whose theta is not positive are dead and left
    out. Only the span matters to a linear probe; scaled features weigh what views agree on.

    Args:
        n_components: features to look for, k.
        kernel: "rbf" exp(-gamma |a - b|^2), "exponential" exp(-sqrt(gamma) |a - b|), "polynomial" ((1 + a.b) / (1 +
            degree))^degree, "ntk" (of the directions of rows), "precomputed" (X is the kernel of all rows), or a
            function of (N, d) and (M, d) to (N, M).
        reg: lambda, above 0: small keeps what views agree on however wiggly, large keeps what is smooth. None = the
            largest of a grid of 40 that leaves all components alive.
        beta: weight of the agreement of views; 1 in the theory.
        gamma: of the kernel; None = one over the squared median distance of rows.
        degree: of the polynomial kernel.
        views: views that `augment` draws of each row; 2 or more.
        method: "exact", "nystroem" (the kernel through landmarks) or "rff" (random Fourier features of "rbf").
        n_landmarks: landmarks, or random features.
        normalization: "mean": T averages over an input's views. "sum": it adds them, as the reference's scripts do.
        scale_features: whether features are scaled by the roots of theta; else all have mean square 1.
        seed: of landmarks, random features and `augment`.

    Attributes:
        eigenvalues_: (r,) theta of the features that are alive, falling.
        n_active_: r.
        spectrum_: (s,) theta of the leading s = min(D, k + 20) eigenfunctions, dead ones too.
        rank_: D, functions that the kernel's features span.
        reg_, gamma_: as used.
        largest_reg_: the reg from which on all features are dead.
        n_features_in_: d (of a precomputed kernel: N).
        points_: (D, d) rows whose kernels the features are made of; lower_: (D, D) their Cholesky factor.
        weights_: (D, r).

    Example:
        >>> import numpy as np
        >>> from holdfast.systems.ssl_interplay import KernelSSL
        >>> rng = np.random.default_rng(0)
        >>> views = rng.normal(size=(50, 1, 4)) + 0.1 * rng.normal(size=(50, 2, 4))
        >>> model = KernelSSL(n_components=5).fit(views)
        >>> model.transform(views[:, 0]).shape, model.n_active_
        ((50, 5), 5)
    """

    tags = Tags(outputs=("transform",), deterministic=True, tolerance=1e-3)

    def __init__(
        self,
        n_components: int = 20,
        kernel: str | Callable[[np.ndarray, np.ndarray], np.ndarray] = "rbf",
        reg: float | None = 1e-3,
        beta: float = 1.0,
        gamma: float | None = None,
        degree: int = 3,
        views: int = 2,
        method: Literal["exact", "nystroem", "rff"] = "exact",
        n_landmarks: int = 1000,
        normalization: Literal["mean", "sum"] = "mean",
        scale_features: bool = True,
        seed: int = 0,
    ) -> None:
        self.n_components, self.kernel, self.reg, self.beta = n_components, kernel, reg, beta
        self.gamma, self.degree, self.views, self.method = gamma, degree, views, method
        self.n_landmarks, self.normalization = n_landmarks, normalization
        self.scale_features, self.seed = scale_features, seed

    # ---------------------------------------------------------------------------------------------------------- fitting
    def fit(
        self,
        X: Any,
        groups: Any = None,
        augment: Callable[[np.ndarray, np.random.Generator], Any] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Self:
        """Find the features.

        Args:
            X: (n, m, d), m views of each of n inputs; or (N, d) rows with `groups`, or with `augment`. For a
                precomputed kernel (N, N), with groups.
            groups: (N,) which input each row is a view of; words or whole numbers.
            augment: (N, d) rows and a generator -> one view of each row.
            progress: called with (rows done, rows).

        Raises:
            InputError: an argument breaks a rule; a kernel that is not positive semi-definite; a reg at which every
                feature is dead (says below which they are not).

        Warns:
            Inputs with a single view; fewer features alive than asked for.
        """
        self._check_settings()
        x, of = self._rows(X, groups, augment)
        rng = np.random.default_rng(self.seed)
        order = np.argsort(of, kind="stable")
        gamma = self._gamma(x, rng)
        self._forget()
        self.n_features_in_, self.gamma_ = x.shape[1], gamma
        phi = self._learn_features(x, rng)
        moments = Moments.of(self._chunks(phi, x, of, order, progress), self.normalization)
        self.rank_ = len(moments.gram)
        self.largest_reg_ = largest_reg(moments, self.beta)
        pairs = self._pairs(moments)
        if not pairs.active:
            raise InputError(
                "reg", f"must be below {self.largest_reg_:.4g}: all features are dead (collapsed)", self.reg
            )
        self.n_active_, self.spectrum_ = min(pairs.active, self.n_components), pairs.theta
        self.eigenvalues_ = pairs.theta[: self.n_active_]
        scale = np.sqrt(self.eigenvalues_) if self.scale_features else 1.0
        self.weights_ = np.ascontiguousarray(pairs.weights[:, : self.n_active_] * scale)
        if self.n_active_ < self.n_components:
            why = "have a positive eigenvalue" if self.n_active_ < self.rank_ else "are in the kernel's rank"
            warnings.warn(
                f"{self.n_active_} of {self.n_components} features {why}; the others are left out", stacklevel=2
            )
        return self

    def _check_settings(self) -> None:
        for name, low in (("n_components", 1), ("degree", 1), ("views", 2), ("n_landmarks", 1), ("seed", 0)):
            check_integer(getattr(self, name), name, low=low)
        for name in ("reg", "gamma"):
            if getattr(self, name) is not None:
                check_positive(getattr(self, name), name)
        check_positive(self.beta, "beta")
        check_choice(self.method, ("exact", "nystroem", "rff"), "method")
        check_choice(self.normalization, ("mean", "sum"), "normalization")
        if not callable(self.kernel):
            check_choice(self.kernel, KERNELS, "kernel")
        if self.method == "rff" and self.kernel != "rbf":
            raise InputError("method", "'rff' is for kernel='rbf'", self.kernel)
        if self.method != "exact" and self.kernel == "precomputed":
            raise InputError("method", "must be 'exact' with a precomputed kernel", self.method)

    def _rows(self, X: Any, groups: Any, augment: Any) -> tuple[np.ndarray, np.ndarray]:
        """Rows (N, d) float64, and the number of the input (N,) that each is a view of."""
        given = as_array(X, "X")
        if given.ndim == 3:
            if groups is not None or augment is not None:
                raise InputError("groups", "must not be given with views (n, m, d)", "groups or augment")
            views = _numpy(check_array(given, "n m d", name="X", dtype="float64"))
            rows, of = views.reshape(-1, views.shape[2]), np.repeat(np.arange(len(views)), views.shape[1])
        else:
            rows = _numpy(check_array(given, "N d", name="X", dtype="float64"))
            if (groups is None) == (augment is None):
                raise InputError("groups", "must say which input each row is a view of (or give augment)", groups)
            if augment is not None:
                rng = np.random.default_rng(self.seed)
                sizes = {"N": len(rows), "d": rows.shape[1]}
                drawn = [augment(rows.copy(), rng) for _ in range(self.views)]
                drawn = [_numpy(check_array(view, "N d", name="augment", sizes=sizes)) for view in drawn]
                rows, of = np.concatenate(drawn).astype(float), np.tile(np.arange(len(rows)), self.views)
            else:
                names = np.asarray(check_present(_numpy(as_array(groups, "groups")), "groups"))
                check_same_length(X=rows, groups=names)
                if names.ndim != 1:
                    raise InputError("groups", "must have shape (N)", f"shape {names.shape}")
                of = np.unique(names, return_inverse=True)[1]
        if len(rows) < 2:
            raise InputError("X", "must have 2 rows or more", len(rows))
        alone = int((np.bincount(of) == 1).sum())
        if alone == of.max() + 1:
            raise InputError("groups", "must have an input with 2 views or more", "every row is an input of its own")
        if alone:
            warnings.warn(f"{alone} inputs have a single view: they say nothing of what views share", stacklevel=3)
        if self.kernel == "precomputed":
            _check_kernel(rows, groups)
        return rows, of

    def _gamma(self, x: np.ndarray, rng: np.random.Generator) -> float:
        if self.gamma is not None or self.kernel not in ("rbf", "exponential"):
            return float(self.gamma or 1.0)
        some = x if len(x) <= SAMPLE else x[np.sort(rng.permutation(len(x))[:SAMPLE])]
        apart = squared_distances(some, some)[np.triu_indices(len(some), 1)]
        middle = float(np.median(apart))
        if middle <= 0:
            raise InputError("X", "must have rows that differ (or give gamma)", "half of all pairs are equal")
        return 1 / middle

    def _kernel_of(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if callable(self.kernel):
            return _numpy(check_array(self.kernel(a, b), "N M", name="kernel", sizes={"N": len(a), "M": len(b)}))
        kernels: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
            "rbf": partial(rbf_kernel, gamma=self.gamma_),
            "exponential": partial(exponential_kernel, gamma=self.gamma_),
            "polynomial": partial(polynomial_kernel, degree=self.degree),
            "ntk": ntk_kernel,
        }
        return kernels[self.kernel](a, b)

    def _learn_features(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
        """Landmarks and their factor, or random frequencies; the features of all rows where they come for free."""
        if self.method == "rff":
            self.points_ = rng.normal(size=(x.shape[1], self.n_landmarks))
            self.lower_ = rng.uniform(0, 2 * np.pi, (1, self.n_landmarks))
            return None
        few = self.method == "nystroem" and len(x) > self.n_landmarks
        chosen = x[np.sort(rng.permutation(len(x))[: self.n_landmarks])] if few else x
        factor, phi = cholesky_features(chosen if self.kernel == "precomputed" else self._kernel_of(chosen, chosen))
        if not len(factor.pivots):
            raise InputError("kernel", "must not be zero for all rows", "0")
        self.points_ = factor.pivots if self.kernel == "precomputed" else chosen[factor.pivots]
        self.lower_ = factor.lower
        return None if few else phi

    def _features(self, x: np.ndarray) -> np.ndarray:
        if self.method == "rff":
            return fourier_features(x, self.gamma_, self.points_, self.lower_[0])
        near = x[:, self.points_] if self.kernel == "precomputed" else self._kernel_of(x, self.points_)
        return CholeskyFeatures(self.points_, self.lower_)(near)

    def _chunks(
        self, phi: np.ndarray | None, x: np.ndarray, of: np.ndarray, order: np.ndarray, progress: Any
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Features and inputs of some thousand rows at a time, all views of an input in one piece."""
        sorted_of = of[order]
        start = 0
        while start < len(order):
            last = min(start + CHUNK, len(order))
            end = int(np.searchsorted(sorted_of, sorted_of[last - 1], side="right"))
            rows = order[start:end]
            yield (self._features(x[rows]) if phi is None else phi[rows]), of[rows]
            start = end
            if progress is not None:
                progress(end, len(order))

    def _pairs(self, moments: Moments) -> Eigenpairs:
        wanted = self.n_components + SHOWN
        if self.reg is not None:
            self.reg_ = float(self.reg)
            return eigenpairs(moments, self.reg_, wanted, self.beta)
        needed = min(self.n_components, self.rank_)
        grid = self.largest_reg_ * np.logspace(0, -8, 41)[1:]
        for reg, pairs in zip(grid, interplay_path(moments, grid, wanted, self.beta), strict=True):
            self.reg_ = float(reg)
            if pairs.active >= needed:
                break
        return pairs

    # ----------------------------------------------------------------------------------------------------------- using
    def transform(self, X: Any) -> np.ndarray:
        """Features (N, r) float64 of rows (N, d), or of the kernels (N, n) of rows with those of the fit."""
        self.check_fitted()
        x = _numpy(check_array(X, "N d", name="X", dtype="float64", sizes={"d": self.n_features_in_}))
        pieces = [self._features(x[i : i + CHUNK]) @ self.weights_ for i in range(0, len(x), CHUNK)]
        return np.concatenate(pieces)

    def collapse_report(self) -> dict[str, Any]:
        """What is alive and what is dead: numbers by name.

        "active" and "asked" features, the "rank" of the kernel, "reg" and the "largest reg" at which anything is alive,
        "first dead" the theta of the first feature that is not (None if there is none), and "effective rank", the
        exponential of the entropy of the positive theta.
        """
        self.check_fitted()
        dead = self.spectrum_[self.spectrum_ <= 0]
        share = self.eigenvalues_ / self.eigenvalues_.sum()
        return {
            "active": self.n_active_, "asked": self.n_components, "rank": self.rank_, "reg": self.reg_,
            "largest reg": self.largest_reg_, "first dead": float(dead[0]) if len(dead) else None,
            "effective rank": float(np.exp(-(share * np.log(share)).sum())),
        }  # fmt: skip

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        X = rng.normal(size=(12, 1, 3)) + 0.2 * rng.normal(size=(12, 2, 3))
        return Example({"X": X}, rng.normal(size=(5, 3)), {"n_components": 3})


def _check_kernel(rows: np.ndarray, groups: Any) -> None:
    if rows.shape[0] != rows.shape[1] or groups is None:
        raise InputError("X", "must be the kernel of all rows, (N, N), with groups", f"shape {rows.shape}")
    if not np.allclose(rows, rows.T, atol=1e-8 * np.abs(rows).max()):
        raise InputError("X", "must be a symmetric kernel", f"a difference of {np.abs(rows - rows.T).max():.3g}")
    spectrum = np.linalg.eigvalsh(rows)
    if spectrum[0] < -NEGATIVE * max(spectrum[-1], 0):
        raise InputError("X", "must be positive semi-definite", f"an eigenvalue of {spectrum[0]:.4g}")


def _numpy(array: Any) -> np.ndarray:
    return np.asarray(array.detach().cpu().numpy() if is_tensor(array) else array)


__all__ = ["KernelSSL"]
