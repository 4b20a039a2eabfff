"""Settings in words: nested ones by place, tuned ones with what was declared."""

from __future__ import annotations

import dataclasses

from holdfast.report import settings


def test_leaves_name_classes_and_places():
    nested = {"type": "Top", "a": {"type": "A", "b": [{"type": "B", "c": 1}, {"type": "C"}]}, "empty": {}, "none": None}
    assert settings.leaves(nested) == {
        "a": "A",
        "a.b.1": "B",
        "a.b.1.c": "1",
        "a.b.2": "C",
        "empty": "{}",
        "none": "None",
    }


def test_tuned_values_stand_beside_the_declared_ones(results):
    found = {arm.name: arm for arm in settings.arm_settings(results)}["AdaMatch"]
    assert found.about == "what AdaMatch does"
    assert found.tuned == {"lr": ("0.1", "0.03")}
    assert found.settings["lr"] == "0.1"
    assert found.settings["steps"] == "400"
    assert found.space == {"lr": "0.03, 0.1"}


def test_a_tuned_arm_that_stayed_as_declared_says_so(run_results, tmp_path):
    results = run_results(tmp_path, plan={"tuned": {"AdaMatch": {"lr": 0.03}}})
    arms = {arm.name: arm for arm in settings.arm_settings(results)}
    assert (arms["AdaMatch"].kept, arms["AdaMatch"].tuned) == (True, {})
    assert (arms["DANN"].kept, arms["DANN"].tuned) == (False, {})


def test_what_was_declared_then_counts_and_not_what_the_code_says_now(results):
    then = {"arms": {"AdaMatch": {"about": "older", "method": {"type": "M", "lr": 0.5, "part": {"type": "P", "x": 2}}}}}
    old = dataclasses.replace(results, declaration=then, plan={"tuned": {"AdaMatch": {"part": {"type": "P", "x": 3}}}})
    (found,) = (arm for arm in settings.arm_settings(old) if arm.name == "AdaMatch")
    assert found.about == "older"
    assert found.settings == {"lr": "0.5", "part": "P", "part.x": "3"}
    assert found.tuned == {"part.x": ("3", "2")}


def test_the_trace_shows_what_differs_between_configurations(run_results, tmp_path):
    parts = [{"part": {"type": "P", "x": x, "same": 1}, "lr": 0.1} for x in (1, 2)]
    trace = [{"arm": "a", "configuration": c, "pilots": [1.0], "mean": 1.0, "chosen": False} for c in parts]
    trace += [{"arm": "b", "configuration": {}, "pilots": [1.0], "mean": 1.0, "chosen": True}]
    found = settings.configurations_tried(run_results(tmp_path, plan={"tuning": trace}))
    assert [row["configuration"] for row in found] == ["part.x = 1", "part.x = 2", "as declared"]


def test_looks_are_counted_not_listed_by_claim(run_results, tmp_path):
    told = {
        "8 and 16": [8, 16],
        "16": {"a": [16], "b": [16]},
        "8 and 16 (2 claims); 16 (1 claim)": {"a": [8, 16], "b": [16], "c": [8, 16]},
        "": None,
    }
    for words, looks in told.items():
        assert settings.looks(run_results(tmp_path, plan={"looks": looks})) == words


def test_only_the_systems_own_settings_of_a_scale_are_shown(run_results, tmp_path):
    declaration = {
        "scale": {"type": "Steps", "replicates": None, "arms": None, "threads": 1, "status": "", "steps": 400}
    }
    results = run_results(tmp_path, declaration=declaration)
    assert settings.scale_settings(results) == {"threads": "1", "steps": "400"}
    assert settings.scale_settings(run_results(tmp_path)) == {"threads": "1"}
