"""Problems, published formats, and what a trial does."""

import json

import numpy as np
import pytest

from holdfast.encoders import sentences
from holdfast.errors import InputError
from holdfast.experiment import PerUnit, Scalar
from holdfast.systems.trolls.experiment import (
    ARMS,
    METRICS,
    BalancedError,
    Recipe,
    balanced_loss,
    by_hash,
    experiment,
    permuted,
    trial,
    usable,
)
from holdfast.systems.trolls.method import Cleaned, KeepAll, balanced_error
from holdfast.systems.trolls.problems import DigitsMix, TextMix, read_safety_mix, read_single_turn_safety
from holdfast.testing.runs import run_of


def test_the_metric_is_the_mean_of_both_classes():
    rng = np.random.default_rng(0)
    y, said = rng.integers(0, 2, 50), rng.integers(0, 2, 50)
    cases = np.stack([y, y != said], 1).astype(float)
    assert BalancedError().of_cases(cases) == pytest.approx(100 * balanced_error(y, said))


def test_digits_are_apart_and_noise_is_the_trolls():
    task = DigitsMix().draw(np.random.default_rng(0))
    used = {*task.train.items, *task.val.items}
    assert not used & set(task.test_id)
    assert len(task.test_id) == 897
    assert len(used) + len(task.y_dev) == 900
    assert task.X.shape == (200, 200)
    assert len(task.val) == 60
    helpers = task.train.user_type == "helper"
    assert not task.train.mislabelled[helpers].any()
    assert 0.6 < task.train.mislabelled[~helpers].mean() < 0.95
    other = DigitsMix().draw(np.random.default_rng(1))
    assert other.train.items != task.train.items
    assert other.test_id == task.test_id
    erring = DigitsMix(helper_noise=0.1).draw(np.random.default_rng(0))
    assert erring.train.mislabelled[erring.train.user_type == "helper"].any()
    gaslight = DigitsMix(troll="gaslight_troll").draw(np.random.default_rng(0))
    assert set(gaslight.train.source[gaslight.train.user_type != "helper"].tolist()) == {"adversarial"}


def measured(arm, folder, problem="troll", replicate=0):
    return list(trial(run_of(experiment, arm, problem, folder, replicate=replicate)))


def test_a_trial_measures_on_right_labels(tmp_path):
    found = measured("oracle", tmp_path)
    values = {m.name: m.value for m in found if isinstance(m, Scalar)}
    assert values["precision"] == values["recall"] == 100
    assert values["balanced error"] < 15
    (cases,) = [m for m in found if isinstance(m, PerUnit)]
    assert METRICS["balanced error"].of_cases(np.array(cases.values)) == pytest.approx(values["balanced error"])


@pytest.mark.parametrize("arm", list(ARMS))
def test_every_arm_runs(arm, tmp_path):
    values = {m.name: m.value for m in measured(arm, tmp_path) if isinstance(m, Scalar)}
    assert 0 < values["balanced error"] < 60
    if arm in ("standard", "soft bootstrap"):
        assert values["recall"] == 0


def test_permuted_ids_are_the_same_users():
    users = np.repeat([0, 1, 2], [5, 3, 2])
    mixed = permuted(users, np.random.default_rng(0))
    assert sorted(mixed.tolist()) == users.tolist()
    assert (mixed != users).any()


def test_where_a_rule_leaves_one_label_everything_is_kept():
    y = np.array([0, 0, 1])
    one = Cleaned.keeping(np.array([True, True, False]), y, np.ones(3))
    assert usable(one).keep.all()
    both = Cleaned.keeping(np.array([True, False, True]), y, np.ones(3))
    assert usable(both) is both


def test_the_penalty_is_chosen_by_weighted_balanced_loss():
    class Fixed:
        def predict_proba(self, X):
            return np.stack([1 - X[:, 0], X[:, 0]], 1)

    y, weight = np.array([1, 1, 0, 0]), np.array([1.0, 3.0, 1.0, 1.0])
    val = Cleaned(np.array([True, True, True, False]), y, np.ones(4), weight)
    X = np.array([[0.9], [0.5], [0.2], [0.9]])
    expected = (-(np.log(0.9) + 3 * np.log(0.5)) / 4 - np.log(0.8)) / 2
    assert balanced_loss(Fixed(), X, val) == pytest.approx(expected)


def test_folds_of_items_are_by_their_names():
    assert by_hash([1, 2, 1], 5)[0] == by_hash([1, 2, 1], 5)[2]
    assert Recipe(KeepAll()).k == 3


def safety_file(folder, count=60):
    def examples(name):
        return {
            "good": [{"text": f"{name} fine {i}", "labels": ["__ok__"], "episode_done": True} for i in range(count)],
            "bad": [{"text": f"{name} rude {i}", "labels": ["__notok__"], "episode_done": True} for i in range(count)],
        }

    content = {
        source: {
            part: {level: examples(f"{source} {part} {level}") for level in "123"}
            for part in ("train", "valid", "test")
        }
        for source in ("standard", "adversarial")
    }
    path = folder / "safety_mix" / "single_turn_safety.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))
    return path


def test_the_published_file_is_read(tmp_path):
    path = safety_file(tmp_path)
    pool = read_single_turn_safety(path, "valid", "2")
    assert pool.standard[0][:2] == ["standard valid 2 fine 0", "standard valid 2 fine 1"]
    assert pool.adversarial[1][0] == "adversarial valid 2 rude 0"
    with pytest.raises(InputError, match="level 9"):
        read_single_turn_safety(path, "valid", "9")
    for content in ("[]", "{", '{"standard": 3}'):
        path.write_text(content)
        with pytest.raises(InputError, match="single_turn_safety"):
            read_single_turn_safety(path, "train")


def test_the_full_problem_runs_on_a_tiny_file(tmp_path, monkeypatch):
    class ByLength:  # stands in for the sentence encoder
        def encode(self, texts):
            return np.array([["rude" in text, len(text) / 50] for text in texts], np.float32)

    monkeypatch.setattr(sentences, "default_encoder", ByLength)
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    assert not TextMix().available()
    safety_file(tmp_path, 30)
    assert TextMix().available()
    values = {m.name: m.value for m in measured("PURR", tmp_path / "run", "safety texts") if isinstance(m, Scalar)}
    assert 0 <= values["balanced error"] <= 60


def test_rows_of_the_published_generator_are_read(tmp_path):
    path = tmp_path / "troll_train.jsonl"
    helper = {"text": "hi", "labels": ["__ok__"], "gold_labels": ["__ok__"], "user_id": 0, "user_type": "helper"}
    troll = {**helper, "text": "oi", "gold_labels": ["__notok__"], "user_id": 3, "user_type": "troll"}
    rows = [{**row, "source": "standard"} for row in (helper, troll)]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    mix = read_safety_mix(path)
    assert mix.items == ["hi", "oi"]
    assert mix.label.tolist() == [0, 0]
    assert mix.gold.tolist() == [0, 1]
    assert mix.mislabelled.tolist() == [False, True]
    assert mix.user_id.tolist() == [0, 3]
    assert mix.user_type.tolist() == ["helper", "troll"]
    for content in ("", "{", '{"text": "hi"}', json.dumps({**rows[0], "labels": ["good"]})):
        path.write_text(content)
        with pytest.raises(InputError, match="line"):
            read_safety_mix(path)
