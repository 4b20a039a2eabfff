"""The worlds of tasks, P3's loader, what a trial yields, and the estimator on vectors."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.toy_experts import Letters

from holdfast.data.synthetic.text_tasks import BY_SIZE, COUNTS, TaskWorld
from holdfast.encoders.remembered import Remembered
from holdfast.errors import InputError
from holdfast.experiment import Scalar
from holdfast.systems.expert_lms import RoEClassifier
from holdfast.systems.expert_lms import experiment as declared
from holdfast.systems.expert_lms.experiment import arms, experiment, trial
from holdfast.systems.expert_lms.problems import PromptedTasks
from holdfast.testing.runs import run_of


def world(seed=0, count=30):
    return TaskWorld.draw(np.random.default_rng(seed), count)


# ------------------------------------------------------------------------------------------------------------- worlds
def test_a_world_has_the_families_it_should_and_one_turned_task():
    drawn = world()
    for part, place in ((drawn.seen, 0), (drawn.unseen, 1)):
        for family, counts in COUNTS.items():
            assert sum(task.family == family for task in part) == counts[place]
    assert [task.family for task in drawn.seen if task.turned] == ["polarity"]
    assert not any(task.turned for task in drawn.unseen)
    for task in (*drawn.seen, *drawn.unseen):
        assert len({row.input for row in task.rows}) == 30


def test_worlds_repeat_by_seed_and_differ_between_seeds():
    assert world(3) == world(3)
    turned = {next(task.name for task in world(seed, 4).seen if task.turned) for seed in range(12)}
    assert len(turned) > 1
    options = {task.rows[0].choices for seed in range(12) for task in world(seed, 4).unseen if task.family == "tense"}
    assert len(options) > 2


def test_no_two_tasks_of_a_family_share_their_options():
    for seed in range(5):
        drawn = world(seed, 4)
        pairs = [t.rows[0].choices for t in (*drawn.seen, *drawn.unseen) if t.family != "size"]
        assert len(set(pairs)) == len(pairs)


def test_labels_are_true():
    for seed in range(4):
        drawn = world(seed, 40)
        for task in (*drawn.seen, *drawn.unseen):
            for row in task.rows:
                if task.family == "mood":
                    assert row.target == int(row.input.endswith("?"))
                elif task.family == "tense":
                    assert row.target == int(" is " in row.input)
                elif task.family == "number":
                    assert row.target == int(not any(f"{a} " in row.input for a in (" a", "A")))
                elif task.family == "size":
                    assert BY_SIZE.index(row.answer) == max(BY_SIZE.index(choice) for choice in row.choices)


def test_more_rows_than_words_can_say_are_refused():
    with pytest.raises(InputError, match="count: must be at most about"):
        world(0, 20_000)


# ---------------------------------------------------------------------------------------------------------------- P3
def test_p3s_folders_are_worlds(tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    assert not PromptedTasks().available()
    for part, names in (("seen", ("cosmos", "paws")), ("unseen", ("copa",))):
        (tmp_path / "p3" / part).mkdir(parents=True)
        for name in names:
            row = {"inputs_pretokenized": f"{name}?", "answer_choices": ["No", "Yes"], "targets_pretokenized": "Yes"}
            (tmp_path / "p3" / part / f"{name}.jsonl").write_text((json.dumps(row) + "\n") * 6)
    drawn = PromptedTasks().world(0, 4)
    assert [task.name for task in drawn.seen] == ["cosmos", "paws"]
    assert [(task.name, len(task.rows), task.rows[0].answer) for task in drawn.unseen] == [("copa", 4, "Yes")]
    with pytest.raises(InputError, match="must have at least 7 rows"):
        PromptedTasks().world(0, 7)
    for file in (tmp_path / "p3/unseen").iterdir():
        file.unlink()
    with pytest.raises(InputError, match="must hold jsonl files"):
        PromptedTasks().world(0, 4)


# ------------------------------------------------------------------------------------------------------------- trials
@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Trials with an encoder of letters, at the size of the smoke."""
    monkeypatch.setattr(arms, "default_encoder", Letters)

    def yielded(arm, replicate=0):
        run = run_of(experiment, arm, declared.WORLDS, tmp_path, replicate=replicate)
        return {m.name: m.value for m in trial(run) if isinstance(m, Scalar)}

    return yielded


def test_every_arm_yields_what_it_should(quick):
    found = {arm: quick(arm) for arm in experiment.arms}
    assert all(
        "unseen accuracy" in value for arm, value in found.items() if arm not in (declared.MERGED, declared.BETTER)
    )
    assert all("polarity accuracy" in value for value in found.values())
    assert found[declared.ROE]["changed answers"] == 0
    assert "forgetting" in found[declared.SEQUENTIAL]
    bound = found[declared.ORACLE]["unseen accuracy"]
    routed = (declared.ROE, declared.ONE, declared.CENTROID, declared.TOP5, declared.RANDOM, declared.PERMUTED)
    assert all(bound >= found[arm]["unseen accuracy"] - 1e-9 for arm in routed)
    assert set(experiment.metrics) == {name for value in found.values() for name in value}


def test_the_broken_arm_deals_out_all_that_is_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(arms, "default_encoder", Letters)
    run = run_of(experiment, declared.PERMUTED, declared.WORLDS, tmp_path)
    drawn = world(0, 20)
    given = arms.Given(drawn, Letters(), replace(run.scale, train=12, test=8), 0)
    made = arms.trained(_Fixed(drawn), 0, 0, given.scale, 3e-3)
    library = arms.filled(given, made)
    before = {name: expert.vectors for name, expert in library.experts.items()}
    after = arms.Retrieved(permuted=True).dealt_out(library, run).experts
    rows = lambda parts: sorted(map(tuple, np.concatenate(list(parts)).tolist()))  # noqa: E731
    assert rows(before.values()) == rows(expert.vectors for expert in after.values())
    assert any(not np.array_equal(before[name], after[name].vectors) for name in before)
    assert all(len(before[name]) == len(after[name].vectors) for name in before)


class _Fixed:
    def __init__(self, drawn):
        self.drawn = drawn

    def world(self, seed, count):
        return self.drawn


def test_the_queries_are_the_first_test_rows():
    drawn, scale = world(0, 20), arms.Sizes(train=12, test=8, queries=3)

    class Asked:
        def route(self, inputs, choices, queries, top_k, vote):
            self.inputs = inputs
            return type("R", (), {"expert": "x"})

    asked, given = Asked(), arms.Given(drawn, Remembered(["a"], [[1.0]], "x"), scale, 0)
    assert given.routed(asked, drawn.unseen[0], "majority", 1) == "x"
    assert asked.inputs == [row.input for row in drawn.unseen[0].rows[12:15]]
    assert set(given.train_rows(drawn.seen[0])).isdisjoint(given.test_rows(drawn.seen[0]))


# ---------------------------------------------------------------------------------------------------------- estimator
def turned_tasks(seed=0):
    rng = np.random.default_rng(seed)
    task = np.repeat(["a", "b"], 60)
    X = rng.normal(size=(120, 10)) + 3 * np.eye(10)[(task == "b").astype(int)]
    y = np.where((X[:, 5] > 0) ^ (task == "b"), "up", "down")
    return X, y, task


def test_vectors_of_a_task_are_answered_by_its_expert():
    model = RoEClassifier(steps=150, lr=1e-2).fit(*turned_tasks())
    X, y, task = turned_tasks(1)
    for name in "ab":
        mine = task == name
        assert model.route(X[mine]) == name
        assert (model.predict(X[mine]) == y[mine]).mean() > 0.8
        other = "b" if name == "a" else "a"
        assert (model.predict(X[mine], other) == y[mine]).mean() < 0.5
    assert np.allclose(np.linalg.norm(model.prototypes_, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"X": np.zeros((120, 10))}, "X: must have rows, each with a direction"),
        ({"task": ["a"] * 119 + ["b"]}, "task: must have at least two rows of each"),
        ({"y": ["one"] * 120}, "y"),
        ({"task": ["a"]}, "task: must have as many rows"),
    ],
)
def test_mistakes_of_vectors_are_named(change, words):
    X, y, task = turned_tasks()
    with pytest.raises(InputError, match=words):
        RoEClassifier(steps=1).fit(**{"X": X, "y": y, "task": task, **change})


def test_mistakes_of_settings_are_named():
    for setting in ({"rank": 0}, {"lr": -1.0}, {"tau": 0.0}, {"vote": "loud"}, {"n_queries": 0}, {"seed": -1}):
        with pytest.raises(InputError, match=f"^{next(iter(setting))}: must"):
            RoEClassifier(**setting).fit(*turned_tasks())
    model = RoEClassifier(steps=1).fit(*turned_tasks())
    with pytest.raises(InputError, match="task: must be one of"):
        model.predict(turned_tasks()[0], "c")
    with pytest.raises(InputError, match="X: must have"):
        model.predict(np.ones((2, 3)))
