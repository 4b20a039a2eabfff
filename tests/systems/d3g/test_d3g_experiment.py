"""Arms of the experiment on a small world: where weights come from, and what is measured."""

import numpy as np
import pytest
import torch

from holdfast.baselines.unseen_domains import ERM, ERMWithMetadata, GroupDRO, Training, as_input
from holdfast.data.unseen_domains.measured import WorstDomain, measured
from holdfast.data.unseen_domains.problems import GraphOfDomains, RotatedDigits, Temperatures
from holdfast.data.unseen_domains.worlds import Part, World
from holdfast.experiment import PerUnit, Scalar
from holdfast.systems.d3g.experiment import experiment, headline
from holdfast.systems.d3g.experiment.arms import ByRelation, Heads, Nearest, Permuted, Uniform, fixed_relation
from holdfast.systems.d3g.method import D3GSettings

SHORT = Training(steps=2, batch=16, width=8, init=1, batches=2, device="cpu")


@pytest.fixture(
    scope="module", params=[RotatedDigits(), GraphOfDomains(), Temperatures()], ids=["digits", "graph", "climate"]
)
def world(request):
    torch.set_num_threads(1)
    return request.param.world(np.random.default_rng(0))


def weights_of(mixing, world):
    settings = D3GSettings(lam=0.0)
    return Heads(settings, mixing=mixing).learn(world, SHORT).weights


def test_related_heads_count_more(world):
    weights = weights_of(ByRelation(), world)
    relation = fixed_relation(world, 0.45)[:, world.known]
    related = relation.sum(1) > 0
    assert torch.allclose(weights[related], relation[related] / relation[related].sum(1, keepdim=True), atol=1e-6)
    assert torch.allclose(weights[~related], torch.tensor(1 / len(world.known)))


def test_uniform_and_nearest(world):
    uniform = weights_of(Uniform(), world)
    assert bool((uniform == 1 / len(world.known)).all())
    assert uniform.shape == (len(fixed_relation(world, 1.0)), len(world.known))
    nearest = weights_of(Nearest(), world)
    assert bool((nearest[world.known].argmax(1) == torch.arange(len(world.known))).all())
    assert bool((nearest.sum(1) >= 1).all())
    if world.adjacency is None:
        assert bool((nearest.sum(1) == 1).all())
    else:
        joined = world.adjacency[:, world.known]
        rows = (joined.sum(1) > 0) & ~torch.isin(torch.arange(len(joined)), world.known)
        assert torch.equal(nearest[rows], joined[rows])  # one edge away


def test_permuted_metadata_are_the_same_of_other_training_domains(world):
    seen = Permuted().seen(world, 3)
    known = world.known
    others = torch.ones(len(fixed_relation(world, 1.0)), dtype=torch.bool)
    others[known] = False
    if world.metadata is not None:
        assert torch.equal(seen.metadata[others], world.metadata[others])
        assert not torch.equal(seen.metadata[known], world.metadata[known])
        assert torch.equal(seen.metadata[known].sort(0).values, world.metadata[known].sort(0).values)
    else:
        assert torch.equal(seen.adjacency, seen.adjacency.T)
        assert float(seen.adjacency.sum()) == float(world.adjacency.sum())
        assert not torch.equal(seen.adjacency, world.adjacency)
    assert torch.equal(seen.train.x, world.train.x)


@pytest.mark.parametrize("arm", [ERM(), ERMWithMetadata(), GroupDRO(), Heads()], ids=lambda a: type(a).__name__)
def test_every_arm_answers_for_domains_never_seen(world, arm):
    outputs = arm.learn(world, SHORT)(world.test)
    assert outputs.shape == (len(world.test), world.num_classes or world.train.y.shape[1])
    assert bool(outputs.isfinite().all())
    assert torch.equal(outputs, arm.learn(world, SHORT)(world.test))


def test_what_one_network_sees():
    world = GraphOfDomains().world(np.random.default_rng(0))
    arm = ERMWithMetadata(scale=2.0, coordinates=3)
    x = arm.inputs(world, world.test)
    assert torch.equal(x[:, :8], world.test.x)
    assert torch.equal(x[:, 8:], 2 * as_input(world, 3)[world.test.domain])
    assert as_input(world, 3).square().mean(0).tolist() == pytest.approx([1, 1, 1], rel=1e-5)
    assert torch.equal(ERM().inputs(world, world.test), world.test.x)


def test_group_weights_rise_with_losses():
    weigh = GroupDRO(eta=1.0).weigh(2)
    losses, domain = torch.tensor([1.0, 3.0]), torch.tensor([0, 1])
    assert float(weigh(losses, domain)) > 2
    assert float(ERM().weigh(2)(losses, domain)) == 2


# ------------------------------------------------------------------------------------------------------------- measures
def small(cases):
    part = Part(torch.zeros(6, 1), torch.tensor([0, 1, 0, 0, 1, 0]), torch.tensor([3, 3, 3, 5, 5, 5]))
    return World(part, part, part, torch.tensor([0]), None, None, 2, cases)


def answers(part):
    return torch.nn.functional.one_hot(torch.tensor([0, 1, 1, 1, 0, 0]), 2).float()  # right: 1 1 0 / 0 0 1


def test_worst_and_mean_accuracy_by_hand():
    found = {m.name: m.value for m in measured(answers, small(None), False) if isinstance(m, Scalar)}
    assert found["worst accuracy"] == pytest.approx(100 / 3)
    assert [found["mean accuracy"], found["validation accuracy"]] == pytest.approx([50, 50])


def test_cases_give_the_recorded_numbers_again():
    """An image is a case with a number for each domain: the worst domain's mean follows from the mean over images."""
    yielded = list(measured(answers, small((7, 8, 9)), True))
    scalars = {m.name: m.value for m in yielded if isinstance(m, Scalar)}
    units = {m.name: m for m in yielded if isinstance(m, PerUnit)}
    values = np.array(units["worst accuracy"].values)
    assert values.tolist() == [[1, 0], [1, 0], [0, 1]]
    assert list(units["worst accuracy"].units) == [7, 8, 9]
    assert 100 * WorstDomain().of_cases(values) == pytest.approx(scalars["worst accuracy"])
    mean = experiment.metrics["mean accuracy"].of_cases(np.array(units["mean accuracy"].values))
    assert 100 * mean == pytest.approx(scalars["mean accuracy"])
    rows = [m for m in measured(answers, small(None), True) if isinstance(m, PerUnit)]
    assert [list(m.values) for m in rows] == [[1, 1, 0, 0, 0, 1]]


def test_the_broken_variant_is_put_to_the_headline():
    controls = [c for c in experiment.claims if c.role == "control" and c.expect == "not found"]
    broken = headline("D3G, metadata permuted", role="control", expect="not found")
    assert broken in controls
    assert [part.than for part in broken.parts] == ["ERM", "ERM + metadata"]
    assert [part.margin for part in broken.parts] == [8, 1]
