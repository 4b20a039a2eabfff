"""Runs of suites: over HTTP, from files, killed and resumed, with an endpoint that fails; reports and comparisons."""

from __future__ import annotations

import json
import random
import threading

import pytest

from holdfast.errors import HoldfastError, InputError
from holdfast.language import BudgetExceeded, Limits, OpenAICompatible, Patience, Scripted
from holdfast.systems.chatgpt_failures import RunResult, Suite, compare, read_answers, report, run
from holdfast.systems.chatgpt_failures.tool.reports import case_text, failed_cases, tabulate
from scripted_server import Server, chat, fails, garbage, hangs_up, send

QUICK = Patience(timeout_s=60, retries=2, first_wait_s=0.001, longest_wait_s=0.01)


def suite(n: int = 3) -> Suite:
    return Suite.default(n, categories=["logic", "spelling", "bias"], canonical=1)


def answers(cases: Suite, wrong: object = lambda case: False) -> dict[str, str]:
    """Right answers, and wrong ones to some."""
    pairs = (zip(case.ask_ids(), case.texts(not wrong(case)), strict=True) for case in cases.cases)
    return {name: text for pair in pairs for name, text in pair}


def knower(cases: Suite, spoil: object = lambda turn: None):
    """A reply of a server that knows the answers by what it is asked; `spoil(n)` replies in its place."""
    known = {
        json.dumps([[t.role, t.content] for t in ask]): text
        for case in cases.cases for ask, text in zip(case.asks, case.texts(), strict=True)
    }  # fmt: skip
    lock, count = threading.Lock(), [0]

    def reply(handler, body):
        with lock:
            turn = count[0]
            count[0] += 1
        if (other := spoil(turn)) is not None:
            other(handler, body)
            return
        text = known[json.dumps([[m["role"], m["content"]] for m in body["messages"]])]
        send(handler, 200, json.dumps(chat(text)).encode())

    return reply


def test_who_knows_everything_passes_everything_over_http(tmp_path) -> None:
    cases = suite()
    with Server(knower(cases)).running() as server:
        model = OpenAICompatible(server.url, "m", patience=QUICK)
        told = []
        result = run(cases, model, tmp_path / "a", at_once=4, progress=lambda done, total: told.append((done, total)))
        model.close()
    assert {o.status for c, o in result.outcomes.items()} == {"pass", "skipped"}
    assert told[-1] == (len(cases.cases), len(cases.cases))
    assert server.most_at_once <= 4
    assert {body["temperature"] for body in server.requests} == {0.0}
    assert sorted(len(b["messages"]) for b in server.requests) == sorted(
        len(ask) for c in cases.cases for ask in c.asks if c.checker != "program"
    )
    assert RunResult.read(tmp_path / "a").outcomes == result.outcomes


def test_a_bad_endpoint_loses_no_case_and_a_resumed_run_ends_alike(tmp_path) -> None:
    cases, rng = suite(), random.Random(0)
    bad = [fails(429, "slow down"), fails(500, "oops"), garbage(b"no json"), hangs_up,
           lambda h, b: send(h, 200, json.dumps(chat("")).encode())]  # fmt: skip
    plan = [rng.choice(bad) if rng.random() < 0.4 else None for _ in range(1000)]
    with Server(knower(cases, lambda turn: plan[turn])).running() as server:
        model = OpenAICompatible(server.url, "m", patience=Patience(retries=0, first_wait_s=0.001))
        first = run(cases, model, tmp_path / "a")
        model.close()
    errors = [o for o in first.outcomes.values() if o.status == "error"]
    assert len(first.outcomes) == len(cases.cases)
    assert errors
    assert all(o.reason for o in errors)
    assert not any(o.status == "fail" for o in first.outcomes.values())
    shown = report(first)
    assert sum(row.counts.get("error", 0) for row in shown.rows if not row.family) <= len(errors)
    with Server(knower(cases)).running() as server:
        model = OpenAICompatible(server.url, "m")
        model.name = first.of  # the port is another
        again = run(cases, model, tmp_path / "a", resume=True)
        model.close()
    whole = run(cases, answers(cases), tmp_path / "b")
    assert len(server.requests) < len(cases.cases)
    assert report(again).rows == report(whole).rows


def test_a_run_that_was_killed_goes_on(tmp_path) -> None:
    cases = suite()
    run(cases, answers(cases), tmp_path / "a")
    lines = (tmp_path / "a" / "outcomes.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "a" / "outcomes.jsonl").write_text("".join(lines[:7]) + lines[7][:20])
    half = RunResult.read(tmp_path / "a")
    assert len(half.outcomes) == 7
    whole = run(cases, answers(cases), tmp_path / "a", resume=True)
    assert len(whole.outcomes) == len(cases.cases)
    assert report(whole).to_json() == report(run(cases, answers(cases), tmp_path / "b")).to_json()
    assert RunResult.read(tmp_path / "a").outcomes == whole.outcomes


def test_the_order_of_cases_changes_nothing(tmp_path) -> None:
    cases = suite()
    turned = Suite(tuple(random.Random(1).sample(cases.cases, len(cases.cases))))
    wrong = answers(cases, lambda case: int(case.id, 16) % 3 == 0)
    one, two = (report(run(s, wrong, tmp_path / name)).to_json() for s, name in ((cases, "a"), (turned, "b")))
    assert {json.dumps(row) for row in one["rows"]} == {json.dumps(row) for row in two["rows"]}
    assert one["memorisation"] == two["memorisation"]


def test_other_runs_are_not_written_over(tmp_path) -> None:
    cases = suite()
    run(cases, answers(cases), tmp_path / "a")
    with pytest.raises(InputError, match="--resume"):
        run(cases, answers(cases), tmp_path / "a")
    with pytest.raises(InputError, match="same suite"):
        run(suite(2), answers(suite(2)), tmp_path / "a", resume=True)
    with pytest.raises(InputError, match="same suite"):
        run(cases, Scripted(lambda text: "x"), tmp_path / "a", resume=True)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="empty folder"):
        run(cases, answers(cases), tmp_path / "b")
    for folder in ("nosuch", "b"):
        with pytest.raises(InputError, match="folder of a run"):
            RunResult.read(tmp_path / folder)
    (tmp_path / "a" / "outcomes.jsonl").write_text('{"id": "x"}\n{"id": "y"}\n')
    with pytest.raises(InputError, match="outcome"):
        RunResult.read(tmp_path / "a")


def test_an_endpoint_that_will_never_answer_ends_the_run_without_the_key(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret")
    for status in (401, 404):
        with Server(fails(status, "no such thing")).running() as server:
            model = OpenAICompatible(server.url, "m", "MY_KEY", patience=QUICK)
            with pytest.raises(HoldfastError, match=f"/v1/chat/completions.*{status}") as caught:
                run(suite(), model, tmp_path / str(status), at_once=1)
            model.close()
        assert "secret" not in str(caught.value)
        assert len(server.requests) == 1
    written = "".join(p.read_text() for p in tmp_path.rglob("*.json*"))
    assert "secret" not in written


def test_a_budget_stops_a_run_and_what_was_paid_for_is_kept(tmp_path) -> None:
    cases = suite()
    model = Scripted(lambda text: "ANSWER: 1")
    with pytest.raises(BudgetExceeded, match="max_calls"):
        run(cases, model, tmp_path / "a", limits=Limits(max_calls=5), at_once=1)
    kept = [o for o in RunResult.read(tmp_path / "a").outcomes.values() if o.status != "skipped"]
    assert 4 <= len(kept) <= 5
    assert len(run(cases, model, tmp_path / "a", resume=True).outcomes) == len(cases.cases)
    assert len(model.prompts) <= 1 + sum(len(c.asks) for c in cases.cases)


def test_answers_without_a_text_are_errors_and_stay_out_of_the_rates(tmp_path) -> None:
    cases = suite()
    given = answers(cases)
    gone, empty, *_ = given
    given[empty] = "  "
    del given[gone]
    result = run(cases, given, tmp_path / "a")
    assert sum(o.status == "error" for o in result.outcomes.values()) == 2
    assert all(row.rate in (0.0, None) for row in report(result).rows)


def test_rates_are_counts(tmp_path) -> None:
    cases = suite(8)
    result = run(cases, answers(cases, lambda c: c.family in ("kinship", "letter_count")), tmp_path / "a")
    found = report(result)
    logic = next(row for row in found.rows if (row.category, row.family) == ("logic", ""))
    kin = next(row for row in found.rows if row.family == "kinship")
    assert kin.rate == 1.0
    assert kin.counts == {"fail": 8}
    assert logic.rate == pytest.approx(1 / 3)
    assert 0 < logic.low < 1 / 3 < logic.high < 1
    bias = next(row for row in found.rows if row.family == "code_bias")
    assert (bias.rate, bias.counts) == (None, {"skipped": 8})
    assert found.memorisation is not None
    assert abs(found.memorisation[0]) < 0.2
    assert "| logic | kinship | 0 | 8 |" in found.to_markdown()
    assert {c[2] for c in failed_cases(result)} == {"kinship", "letter_count"}
    assert "right:" in case_text(result, failed_cases(result)[0][0])
    for call in (lambda: case_text(result, "x"), lambda: failed_cases(result, "kinsip")):
        with pytest.raises(InputError):
            call()


def test_who_knows_the_fixed_items_alone_is_seen(tmp_path) -> None:
    cases = Suite.default(6, categories=["logic", "arithmetic"], canonical=6)
    found = report(run(cases, answers(cases, lambda case: not case.canonical), tmp_path / "a"))
    assert found.memorisation[0] == 1.0
    assert found.memorisation[1] > 0.8
    assert "+100.0 points" in found.memorised()
    none = Suite.default(2, categories=["logic"], canonical=0)
    assert report(run(none, answers(none), tmp_path / "b")).memorisation is None


def test_comparing_counts_pairs(tmp_path) -> None:
    cases = suite(30)
    before = run(cases, answers(cases), tmp_path / "a")
    after = run(cases, answers(cases, lambda c: c.category == "spelling" and int(c.id, 16) % 4 == 0), tmp_path / "b")
    found = {change.category: change for change in compare(before, after)}
    hard = [c for c in cases.cases if not c.canonical and c.category == "spelling"]
    broken = sum(int(c.id, 16) % 4 == 0 for c in hard)
    assert (found["spelling"].pairs, found["spelling"].broken, found["spelling"].mended) == (len(hard), broken, 0)
    assert {name: c.verdict for name, c in found.items()} == {
        "logic": "no evidence", "spelling": "regressed", "bias": "no evidence"
    }  # fmt: skip
    assert {c.verdict for c in compare(after, before)} == {"improved", "no evidence"}
    assert {c.verdict for c in compare(before, before)} == {"no evidence"}
    other = run(suite(2), answers(suite(2)), tmp_path / "c")
    with pytest.raises(InputError, match="--intersect"):
        compare(before, other)
    few = compare(before, other, intersect=True)
    assert {c.verdict for c in few} == {"too few"}
    table = tabulate(cases.cases, lambda c: True, lambda c: None)
    assert all(sum(counts) == 0 for counts in table.values())
    nothing = run(suite(2), {"x": "y"}, tmp_path / "d")
    with pytest.raises(InputError, match="at least one"):
        compare(nothing, nothing)


def test_soft_families_count_only_if_asked(tmp_path) -> None:
    cases = Suite.default(12, categories=["ethics"], canonical=0)
    before = run(cases, answers(cases), tmp_path / "a")
    after = run(cases, answers(cases, lambda case: case.soft), tmp_path / "b")
    assert [c.broken for c in compare(before, after)] == [0]
    assert [c.broken for c in compare(before, after, soft=True)] == [12]
    rows = {row.family: row for row in report(after).rows}
    assert (rows[""].rate, rows["refusal_balance"].rate, rows["refusal_balance"].soft) == (0.0, 1.0, True)


def test_files_of_answers(tmp_path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "x", "answer": "1"}\n\n{"id": "y", "answer": "2", "more": 3}\n')
    assert read_answers(path) == {"x": "1", "y": "2"}
    for text, why in (
        ("", "at least one"), ('{"id": 1, "answer": "x"}', "line 1"), ('{"id": "x"}', "line 1"), ("[]", "line 1"),
        ('{"id": "x", "answer": NaN}', "line 1"), ('{"id": "x", "answer": "1"}\n' * 2, "once"), ("x", "JSON"),
    ):  # fmt: skip
        path.write_text(text)
        with pytest.raises(InputError, match=why):
            read_answers(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        read_answers(path)
