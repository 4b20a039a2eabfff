"""Random graphs of labelled nodes, in which a label says where edges go and features say a little of the label."""

from __future__ import annotations

from typing import Literal

import numpy as np

from holdfast.validation import check_choice, check_fraction, check_integer, check_positive

Mixing = Literal["ring", "even"]


def ends_of_edges(classes: int, homophily: float, mixing: Mixing = "ring") -> np.ndarray:
    """The share of edges (C, C) between nodes of two classes, symmetric: all sum to 1, the diagonal to homophily.

    Args:
        classes: at least 3.
        homophily: share of edges within classes.
        mixing: where the others go: "ring", to the two classes next to the own (of C in a circle), or "even", to all.

    Example:
        >>> (ends_of_edges(4, 0.2) * 4).round(3).tolist()[0]
        [0.2, 0.4, 0.0, 0.4]
    """
    check_integer(classes, "classes", low=3)
    check_fraction(homophily, "homophily")
    check_choice(mixing, ("ring", "even"), "mixing")
    apart = (np.arange(classes)[:, None] - np.arange(classes)) % classes
    others = (apart == 1) | (apart == classes - 1) if mixing == "ring" else apart > 0
    rows = np.where(apart == 0, homophily, (1 - homophily) * others / others.sum(1, keepdims=True))
    return rows / classes


def block_graph(
    rng: np.random.Generator, nodes: int, classes: int, *, homophily: float, degree: float, mixing: Mixing = "ring"
) -> tuple[np.ndarray, np.ndarray]:
    """An undirected graph without loops and doubles (Holland et al., 1983): labels (v,) and edges (2, E), int64.

    Classes are of equal size but for a remainder. `degree` is the mean number of neighbours; each edge is in the list
    in both directions. Which classes an edge joins is drawn from `ends_of_edges`, then a node of each; a pair that is
    there already is drawn again, so that in very dense graphs the homophily is not quite what was asked for.

    Raises:
        InputError: more edges than half of all pairs, or an argument outside of its range.

    Example:
        >>> y, edges = block_graph(np.random.default_rng(0), 400, 5, homophily=0.2, degree=6)
        >>> edges.shape, bool(abs((y[edges[0]] == y[edges[1]]).mean() - 0.2) < 0.05)
        ((2, 2400), True)
    """
    check_integer(nodes, "nodes", low=classes)
    check_positive(degree, "degree")
    count = round(nodes * degree / 2)
    check_integer(count, "number of edges (nodes * degree / 2)", low=1, high=nodes * (nodes - 1) // 4)
    shares = ends_of_edges(classes, homophily, mixing)
    y = rng.permutation(np.arange(nodes) % classes)
    members = [np.flatnonzero(y == k) for k in range(classes)]
    pairs = np.zeros(0, np.int64)
    while len(pairs) < count:
        kinds = rng.choice(classes**2, size=2 * count, p=shares.ravel())
        ends = np.stack([_drawn(rng, members, kinds // classes), _drawn(rng, members, kinds % classes)])
        low, high = ends.min(0), ends.max(0)
        drawn = np.concatenate([pairs, (low * nodes + high)[low < high]])
        _, first = np.unique(drawn, return_index=True)
        pairs = drawn[np.sort(first)]  # in the order of drawing, so that the first ones are a fair sample
    one, other = pairs[:count] // nodes, pairs[:count] % nodes
    return y, np.stack([np.concatenate([one, other]), np.concatenate([other, one])])


def _drawn(rng: np.random.Generator, members: list[np.ndarray], kind: np.ndarray) -> np.ndarray:
    """A node of each class in `kind`."""
    sizes = np.array([len(m) for m in members])
    table = np.zeros((len(members), sizes.max()), np.int64)
    for row, found in zip(table, members, strict=True):
        row[: len(found)] = found
    return table[kind, rng.integers(0, sizes[kind])]


def class_features(rng: np.random.Generator, y: np.ndarray, features: int, distance: float) -> np.ndarray:
    """(v, F) float32: a point of each class, drawn with standard deviation distance / sqrt(F), and N(0, I) around it.

    Points of two classes are about `distance` * sqrt(2) from each other.

    Example:
        >>> class_features(np.random.default_rng(0), np.array([0, 1, 1]), 4, distance=2.0).shape
        (3, 4)
    """
    centres = rng.normal(size=(int(y.max()) + 1, features)) * distance / np.sqrt(features)
    return (centres[y] + rng.normal(size=(len(y), features))).astype(np.float32)


__all__ = ["Mixing", "block_graph", "class_features", "ends_of_edges"]
