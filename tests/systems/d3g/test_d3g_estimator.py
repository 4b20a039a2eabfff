"""The estimator: what it learns, what it says of new domains, what it refuses; the generic checks run elsewhere."""

import numpy as np
import pytest
import torch

from holdfast.errors import InputError
from holdfast.systems.d3g import D3G
from holdfast.systems.d3g.method import mix_heads

SITES = 8


def rows(seed=0, per=40, numbers=False):
    """Sites on a line; the sign of the first feature's effect changes along it."""
    rng = np.random.default_rng(seed)
    place = np.repeat(np.arange(SITES, dtype=float), per)
    x = rng.normal(size=(len(place), 2)) * [1, 100] + [0, 50]
    effect = x[:, 0] * np.cos(place * np.pi / 7)
    y = 5 + 3 * effect if numbers else np.where(effect > 0, "yes", "no")
    return x, y, np.array([f"site {p:g}" for p in place]), place[:, None]


@pytest.fixture(scope="module")
def fitted():
    return D3G(steps=150, sigma=0.5).fit(*rows())


def test_it_learns_what_changes_between_sites(fitted):
    assert fitted.predict([[2.0, 50.0]] * 2, [[0.3], [6.7]]).tolist() == ["yes", "no"]
    p = fitted.predict_proba([[2.0, 50.0]], [[0.3]])
    assert p.sum() == pytest.approx(1)
    assert fitted.classes_[p.argmax()] == "yes"


def test_domains_may_be_numbers():
    x, y, _, metadata = rows()
    number = 5 + metadata[:, 0].astype(int)  # 5 .. 12, of which "10" comes first as a text
    model = D3G(steps=2).fit(x, y, number, metadata)
    assert model.domains_.tolist() == ["10", "11", "12", "5", "6", "7", "8", "9"]
    assert model.metadata_[:, 0].tolist() == [5, 6, 7, 0, 1, 2, 3, 4]
    weights, known = model.row_weights(len(x), metadata, number)
    assert known.all()
    assert [model.domains_[k] for k in weights.argmax(1)] == number.astype(str).tolist()
    assert model.nearest([[0.1]])[0].tolist() == ["5"]


def test_numbers_are_predicted_in_their_unit():
    x, y, domain, metadata = rows(numbers=True)
    model = D3G(steps=300, lr=5e-3).fit(x, y, domain, metadata)
    new, truth, _, _ = rows(1, numbers=True)
    error = model.predict(new, metadata, domain) - truth
    assert len(model.classes_) == 0
    assert float(np.sqrt(np.square(error).mean())) < 0.35 * truth.std()
    with pytest.raises(InputError, match="predict_proba"):
        model.predict_proba(new, metadata)


def test_weights_are_those_of_the_relation(fitted):
    weights = fitted.domain_weights([2.2])
    scale = np.arange(SITES).std()
    by_hand = np.exp(-(((np.arange(SITES) - 2.2) / scale / 0.5) ** 2))
    assert weights == pytest.approx(by_hand / by_hand.sum(), abs=1e-5)
    assert fitted.domain_weights([[2.2], [3.0]]).shape == (2, SITES)


def test_known_domains_have_their_own_head_alone(fitted):
    x, _, domain, metadata = rows(2, per=1)
    weights, known = fitted.row_weights(SITES, metadata, domain)
    assert known.all()
    assert (weights == np.eye(SITES)).all()
    domain[3] = "elsewhere"
    weights, known = fitted.row_weights(SITES, metadata, domain)
    assert known.tolist() == [True] * 3 + [False] + [True] * 4
    assert weights[3] == pytest.approx(fitted.domain_weights(metadata[3]))
    z = fitted.learner_.encoder(fitted.features_scale_(torch.tensor(x).float()))
    wanted = mix_heads(fitted.learner_.heads(z), torch.from_numpy(weights))
    assert torch.allclose(fitted.outputs(x, metadata, domain), wanted, atol=1e-5)


def test_the_distance_is_in_steps_between_neighbours(fitted):
    names, distance = fitted.nearest([[2.2], [17.0]])
    assert names.tolist() == ["site 2", "site 7"]
    assert distance.tolist() == pytest.approx([0.2, 10.0], rel=1e-4)


def test_a_graph_in_place_of_metadata():
    x, y, domain, _ = rows()
    edges = [(f"site {i}", f"site {i + 1}") for i in range(7)] + [("new", "site 0", 2.0), ("new", "site 1", 1.0)]
    model = D3G(steps=100).fit(x, y, domain, graph=edges)
    assert model.domain_weights(domain="new").tolist() == pytest.approx([2 / 3, 1 / 3] + [0] * 6)
    assert model.domain_weights(domain="nobody").tolist() == pytest.approx([1 / 8] * 8)
    assert model.predict([[2.0, 50.0]], domain=["new"]).tolist() == ["yes"]
    assert model.predict([[2.0, 50.0]], domain=["site 7"]).tolist() == ["no"]
    with pytest.raises(InputError, match="domain"):
        model.predict([[2.0, 50.0]])


def test_a_saved_graph_model_is_the_same(tmp_path):
    x, y, domain, _ = rows()
    model = D3G(steps=5, related=2).fit(x, y, domain, graph=[("site 0", "site 1"), ("new", "site 0")])
    model.save(tmp_path / "m")
    again = D3G.load(tmp_path / "m")
    assert np.array_equal(
        again.predict_proba(x[:9], domain=["new"] * 9), model.predict_proba(x[:9], domain=["new"] * 9)
    )


def test_learned_relations_are_saved_and_used(tmp_path):
    x, y, domain, metadata = rows()
    model = D3G(steps=5, beta=0.5).fit(x, y, domain, metadata)
    model.save(tmp_path / "m")
    assert np.array_equal(D3G.load(tmp_path / "m").domain_weights([2.2]), model.domain_weights([2.2]))
    assert not np.allclose(model.domain_weights([2.2]), D3G(steps=5).fit(x, y, domain, metadata).domain_weights([2.2]))


def test_an_encoder_of_ones_own(tmp_path):
    x, y, domain, metadata = rows()
    model = D3G(torch.nn.Linear(2, 3), steps=2).fit(x, y, domain, metadata)
    assert model.learner_.heads.linear.in_features == 3
    model.save(tmp_path / "m")
    again = D3G.load(tmp_path / "m", encoder=torch.nn.Linear(2, 3))
    assert np.array_equal(again.predict_proba(x, metadata), model.predict_proba(x, metadata))


@pytest.mark.parametrize(
    ("settings", "change", "argument"),
    [
        ({"beta": 0.5, "lam": 0.0}, {}, "lam"),
        ({"beta": 0.5}, {"metadata": None, "graph": [("site 0", "site 1")]}, "beta"),
        ({}, {"graph": [("site 0", "site 1")]}, "metadata"),
        ({}, {"metadata": None}, "metadata"),
        ({}, {"metadata": None, "graph": [("a", "b")]}, "graph"),
        ({}, {"metadata": None, "graph": ["ab"]}, "graph"),
        ({}, {"metadata": None, "graph": [("site 0", "site 1", -1.0)]}, "graph"),
        ({}, {"metadata": np.full((SITES * 40, 1), np.nan)}, "metadata"),
        ({}, {"metadata": np.zeros((3, 1))}, "metadata"),
        ({}, {"domain": np.full(SITES * 40, "one")}, "domain"),
        ({}, {"y": np.full(SITES * 40, "one")}, "y"),
        ({"task": "numbers"}, {"y": np.ones(SITES * 40)}, "y"),
        ({"task": "numbers", "space": "probs"}, {"y": np.arange(SITES * 40.0)}, "space"),
        ({"task": "both"}, {}, "task"),
        ({"space": "odds"}, {}, "space"),
        ({"sigma": 0.0}, {}, "sigma"),
        ({"related": 0}, {}, "related"),
        ({"steps": 0}, {}, "steps"),
        ({"lam": -1.0}, {}, "lam"),
        ({"beta": 1.5}, {}, "beta"),
        ({"encoder": 3}, {}, "encoder"),
    ],
)
def test_what_is_refused(settings, change, argument):
    data = dict(zip(("X", "y", "domain", "metadata"), rows(), strict=True)) | change
    with pytest.raises(InputError) as refused:
        D3G(**settings).fit(**data)
    assert refused.value.argument.startswith(argument)


def test_metadata_of_another_width_are_refused(fitted):
    with pytest.raises(InputError, match="metadata"):
        fitted.predict([[2.0, 50.0]], [[1.0, 2.0]])
    with pytest.raises(InputError, match="metadata"):
        fitted.predict([[2.0, 50.0]])
    with pytest.raises(InputError, match="X"):
        fitted.predict([[2.0]], [[1.0]])


def test_numbers_do_not_shrink_where_relations_are_tiny():
    x, y, domain, metadata = rows(numbers=True)
    model = D3G(steps=2, sigma=0.1).fit(x, y, domain, metadata)
    far = [[7.0 + 0.93 * float(metadata.std())]]  # 9.3 sigma beyond the last site, whose head is left alone
    assert model.is_related(far).all()
    assert model.domain_weights(far)[0].round(4).tolist() == [0] * 7 + [1]
    assert model.predict(x[:3], far * 3) == pytest.approx(model.predict(x[:3], domain=["site 7"] * 3), rel=1e-4)


def test_one_place_or_name_for_all_rows(fitted):
    x = rows()[0][:5]
    assert np.array_equal(fitted.predict_proba(x, [0.3]), fitted.predict_proba(x, [[0.3]] * 5))
    assert np.array_equal(fitted.predict_proba(x, domain="site 2"), fitted.predict_proba(x, domain=["site 2"] * 5))
    with pytest.raises(InputError, match="must have as many rows as X"):
        fitted.predict(x, [[0.3]] * 4)


def test_metadata_that_are_the_same_everywhere_are_refused():
    x, y, domain, metadata = rows()
    with pytest.raises(InputError, match="metadata: must differ between domains"):
        D3G(steps=2).fit(x, y, domain, 0 * metadata + 3)
