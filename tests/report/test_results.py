from __future__ import annotations

from holdfast.experiment import Record


def test_views_follow_the_declarations_and_append_what_is_undeclared(run_results, tmp_path):
    records = [
        Record("1", "stranger", "p", {}, 0, "ok", {"extra": 1.0, "accuracy": 2.0}),
        Record("2", "DANN", "digits->mnist", {}, 0, "failed", error="x"),
        Record("3", "source only", "mnist->digits", {}, 0, "ok", {"accuracy": 2.0}),
    ]
    results = run_results(tmp_path, records=records)
    assert results.problems == ["mnist->digits", "digits->mnist", "p"]
    assert results.every_arm == ["source only", "DANN", "stranger"]
    assert results.metrics == ["accuracy", "extra"]
    assert [r.key for r in results.failed] == ["2"]
    assert results.metric("extra").unit == ""


def test_the_headline_names_its_parts_whatever_its_kind(run_results, verdict, tmp_path):
    claim = {"kind": "all", "claims": [{"kind": "x", "nested": {"who": ["DANN", "AdaBN"]}}], "AdaMatch": 3}
    results = run_results(tmp_path, verdicts=[verdict(claim=claim)])
    assert results.named_in_headline(results.every_arm) == ["AdaBN", "DANN"]  # keys of the JSON do not count
    assert run_results(tmp_path, verdicts=[]).named_in_headline(["DANN"]) == []


def test_the_benefit_is_the_headlines_metric_unless_declared(run_results, tmp_path):
    assert run_results(tmp_path).benefit == "accuracy"
    assert run_results(tmp_path, records=[]).benefit is None
