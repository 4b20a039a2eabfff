"""Of several initialisations the one is trained whose network errs least on times that it never saw."""

import numpy as np

from holdfast.systems.orbital_mechanics import NEWTON, simulate
from holdfast.systems.orbital_mechanics.tool import discovery


def test_the_best_of_several_starts_is_trained(monkeypatch):
    t = np.linspace(0, 3, 60)
    x, v = simulate(NEWTON, [1.0, 0.2], [[0, 0, 0], [1.0, 0, 0]], [[0, 0, 0], [0, 1.0, 0.2]], t)
    trained = []
    train = discovery.train_law

    def watched(pos, acc, **how):
        trained.append((how["seed"], how["steps"], len(pos)))
        return train(pos, acc, **how)

    def error(accelerations, acc):  # seed 8 is best, whatever its network does
        return np.array([abs(trained[-1][0] - 8.0)])

    monkeypatch.setattr(discovery, "train_law", watched)
    monkeypatch.setattr(discovery, "relative_errors", error)
    discovery.discover_law(t, x, v, regressor="power", steps=20, starts=3, seed=7)
    assert trained == [(7, 5, 48), (8, 5, 48), (9, 5, 48), (8, 20, 60)]
    trained.clear()
    discovery.discover_law(t, x, v, regressor="power", steps=20, starts=1, seed=7)
    assert trained == [(7, 20, 60)]
