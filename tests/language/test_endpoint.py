"""The HTTP client against a real server on this machine: good answers, and every bad one we could think of."""

from __future__ import annotations

import asyncio
import email.utils
import json
import math
import re
import threading
import time
from types import SimpleNamespace

import pytest

from holdfast.errors import InputError
from holdfast.language import Message, ModelError, OpenAICompatible, transport, wait_for
from holdfast.language.budget import Budget, Limits
from holdfast.language.endpoint import Prices
from holdfast.language.transport import Patience, Refused
from scripted_server import (
    Server,
    chat,
    drips,
    drops,
    endless,
    fails,
    garbage,
    hangs_up,
    says,
    send,
    silent,
    too_short,
)

QUICK = Patience(timeout_s=600, retries=3, first_wait_s=0.01, longest_wait_s=2)


def ask(server, prompt="Q: one?", *, patience=QUICK, n=1, temperature=0.0, max_tokens=512, stop=(), **options):
    """One request to a running server; the model is closed afterwards."""
    model = OpenAICompatible(server.url, "m", patience=patience, **options)
    try:
        answers = wait_for(model.complete(prompt, n=n, temperature=temperature, max_tokens=max_tokens, stop=stop))
        return answers, model.spending
    finally:
        model.close()


def test_a_chat_request_and_its_answer():
    with Server([says("SELECT 1\n\nQ: more", logprobs=[-0.5, -0.25])]).running() as server:
        prompt = [Message("system", "Write SQL."), Message("user", "one?")]
        (answer,), spent = ask(server, prompt, temperature=0.4, max_tokens=64, stop=["\n\n"], prices=Prices(1e6, 2e6))
    assert server.paths == ["/v1/chat/completions"]
    assert server.requests == [
        {
            "model": "m",
            "max_tokens": 64,
            "temperature": 0.4,
            "messages": [{"role": "system", "content": "Write SQL."}, {"role": "user", "content": "one?"}],
            "stop": ["\n\n"],
            "logprobs": True,
        }
    ]
    assert "Authorization" not in {name.title() for name in server.headers[0]}
    assert (answer.text, answer.logprob, answer.tokens, answer.cut) == ("SELECT 1", -0.75, 2, False)
    assert (spent.requests, spent.prompt_tokens, spent.completion_tokens, spent.cost) == (1, 11, 7, 25.0)


def test_a_completion_request_and_its_answer():
    reply = {"choices": [{"text": "SELECT 1", "finish_reason": "length", "logprobs": {"token_logprobs": [-1, -2.0]}}]}
    with Server([garbage(json.dumps(reply).encode())]).running() as server:
        prompt = [Message("system", "Write SQL."), Message("user", "one?")]
        (answer,), spent = ask(server, prompt, style="completions")
    assert server.paths == ["/v1/completions"]
    assert server.requests[0]["prompt"] == "Write SQL.\n\none?"
    assert (answer.logprob, answer.tokens, answer.cut) == (-3.0, 2, True)
    assert (spent.prompt_tokens, spent.completion_tokens) == (math.ceil(16 / 4), 2)  # the server does not tell


def test_several_samples_in_one_request_or_one_by_one():
    with Server([says("a", "b", "c")]).running() as server:
        answers, spent = ask(server, n=3, temperature=1.0)
    assert [a.text for a in answers] == ["a", "b", "c"]
    assert (len(server.requests), server.requests[0]["n"], spent.requests) == (1, 3, 1)
    with Server(says("a")).running() as server:  # a server that pays no heed to n
        answers, _ = ask(server, n=3, temperature=1.0)
    assert [a.text for a in answers] == ["a", "a", "a"]
    assert [body.get("n") for body in server.requests] == [3, None, None]


def test_samples_that_fail_leave_the_others():
    with Server([says("a"), fails(400), says("c"), says("d")]).running() as server:
        answers, _ = ask(server, n=4, temperature=1.0)
    assert len(answers) == 3


def refuses(field, said):
    """A server that does not know a field."""
    return lambda handler, body: (
        fails(400, said)(handler, body) if field in body else send(handler, 200, json.dumps(chat("ok")).encode())
    )


@pytest.mark.parametrize(
    ("field", "said", "options"),
    [
        ("logprobs", "logprobs are not supported", {}),
        ("stop", "unknown field: stop", {"stop": ["\n\n"]}),
        ("n", "only one choice", {"n": 2, "temperature": 1.0}),
        ("temperature", "temperature must be left at its default", {}),
        ("max_tokens", "use max_completion_tokens instead", {}),
    ],
)
def test_what_an_endpoint_does_not_know_is_left_out_and_remembered(field, said, options):
    with Server(refuses(field, said)).running() as server:
        model = OpenAICompatible(server.url, "m", patience=QUICK)
        first = wait_for(model.complete("Q", **options))
        asked = len(server.requests)
        wait_for(model.complete("Q", **{**options, "n": 1}))
        model.close()
    assert {a.text for a in first} == {"ok"}
    assert len(first) == options.get("n", 1)
    assert len(server.requests) == asked + 1  # refused once, not asked again
    assert field not in server.requests[-1]
    if field == "max_tokens":
        assert server.requests[-1]["max_completion_tokens"] == 512


def test_stop_is_applied_here_where_the_endpoint_has_none():
    with Server(refuses("stop", "no stop")).running() as server:
        server.script = [fails(400, "stop?"), says("SELECT 1\n\nmore")]
        (answer,), _ = ask(server, stop=["\n\n"])
    assert answer.text == "SELECT 1"


TROUBLES = {
    "status 500": fails(500),
    "status 503, no JSON": garbage(b"<html>busy</html>", 503),
    "connection closed": hangs_up,
    "dropped in the middle": drops(),
    "dropped after whole JSON": drops(json.dumps(chat("half")).encode()),
    "wrong length": too_short,
    "no JSON": garbage(b"<html>It works!</html>"),
    "a list": garbage(b"[1, 2]"),
    "nothing": garbage(b""),
    "half a character": garbage(b'{"choices": "\xff\xfe'),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_troubles_that_pass_are_sat_out(trouble):
    with Server([trouble, trouble, says("SELECT 1")]).running() as server:
        (answer,), spent = ask(server)
    assert answer.text == "SELECT 1"
    assert (len(server.requests), spent.requests, spent.retries) == (3, 3, 2)


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_troubles_that_stay_end_in_one_line(trouble):
    with Server(trouble).running() as server, pytest.raises(ModelError) as raised:
        ask(server)
    assert len(server.requests) == 4
    said = str(raised.value)
    assert re.match(rf"{re.escape(server.url)}/chat/completions: no usable answer after 4 attempts in \d", said)
    assert "\n" not in said
    assert len(said) < 400


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"choices": []},
        {"choices": None},
        {"choices": "SELECT 1"},
        {"choices": [1, 2]},
        {"error": {"message": "the model is overloaded"}},
    ],
)
def test_an_answer_without_choices_says_what_it_had(answer):
    with Server(garbage(json.dumps(answer).encode())).running() as server, pytest.raises(ModelError) as raised:
        ask(server)
    assert "answered without choices" in str(raised.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"message": None},
        {"message": {"content": None}},
        {"message": {"content": 3}},
        {"message": {"content": ["x"]}},
        {"message": {"content": ""}, "logprobs": {"content": "x"}},
        {"message": {"content": ""}, "logprobs": {"content": [{"logprob": "?"}]}},
        {"message": {"content": ""}, "logprobs": {"content": [{"logprob": 3.0}]}},
        {"message": {"content": ""}, "logprobs": []},
        {"message": {"content": ""}, "finish_reason": {}},
    ],
)
def test_strange_choices_are_empty_texts(choice):
    with Server(garbage(json.dumps({"choices": [choice], "usage": "much"}).encode())).running() as server:
        (answer,), _ = ask(server)
    assert (answer.text, answer.logprob, answer.cut) == ("", None, False)


def test_a_refusal_is_not_repeated_and_names_its_reason():
    with Server(fails(401, "invalid key")).running() as server, pytest.raises(Refused, match=r"401.*invalid key"):
        ask(server)
    assert len(server.requests) == 1


def test_redirects_are_not_followed():
    with Server(says("stolen")).running() as elsewhere:
        with Server(fails(307, Location=elsewhere.url)).running() as server, pytest.raises(Refused, match="status 307"):
            ask(server)
        assert elsewhere.requests == []


def test_retry_after_is_honoured_in_seconds():
    with Server([fails(429, Retry_After="0.3"), says("ok")]).running() as server:
        _, spent = ask(server)
    assert server.starts[1] - server.starts[0] >= 0.3
    assert spent.waited_s == pytest.approx(0.3)


def test_retry_after_is_honoured_as_a_date(monkeypatch):
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    monkeypatch.setattr(transport.asyncio, "sleep", sleep)
    date = email.utils.formatdate(time.time() + 7200, usegmt=True)
    with Server([fails(429, Retry_After=date), says("ok")]).running() as server:
        _, spent = ask(server, patience=Patience(timeout_s=600, retries=1, first_wait_s=0.01, longest_wait_s=7201))
    assert 3600 < spent.waited_s <= 7200
    assert spent.waited_s in waits


@pytest.mark.parametrize("value", ["soon", "", "nan", "99999999999999999999999 Jan"])
def test_a_strange_retry_after_is_no_reason_to_give_up(value):
    with Server([fails(429, Retry_After=value), says("ok")]).running() as server:
        (answer,), _ = ask(server)
    assert answer.text == "ok"


def test_a_server_that_wants_an_hour_is_given_up_at_once():
    with Server(fails(429, Retry_After="3600")).running() as server, pytest.raises(ModelError, match="status 429"):
        ask(server)
    assert len(server.requests) == 1


def test_while_the_server_asks_for_a_pause_nobody_else_starts():
    def reply(handler, body):
        first = len(server.requests) == 1
        (fails(429, Retry_After="0.4") if first else says("ok"))(handler, body)

    with Server(reply).running() as server:
        model = OpenAICompatible(server.url, "m", patience=QUICK, at_once=1)

        async def both():
            return await asyncio.gather(model.complete("a"), model.complete("b"))

        wait_for(both())
        model.close()
    assert min(start - server.starts[0] for start in server.starts[1:]) >= 0.39


@pytest.mark.parametrize("behaviour", [drips, silent], ids=["slow drip", "silence"])
def test_the_timeout_is_for_the_whole_request(behaviour):
    with Server([]).running() as server:
        server.script = behaviour(server)
        with pytest.raises(ModelError, match=r"after 2 attempts in .*nothing complete within 0\.2 s"):
            ask(server, patience=Patience(timeout_s=0.2, retries=1, first_wait_s=0.01))


def test_an_endless_answer_is_cut_off():
    with Server([]).running() as server:
        server.script = endless(server)
        with pytest.raises(ModelError, match="more than 100000 bytes"):
            ask(server, patience=Patience(timeout_s=10, retries=0, max_bytes=100_000))


def test_nobody_listens():
    with Server([]).running() as server:
        url = server.url
    model = OpenAICompatible(url, "m", patience=QUICK)
    with pytest.raises(ModelError, match=r"/v1/chat/completions: no usable answer after 4 attempts.*ConnectError"):
        wait_for(model.complete("Q"))
    model.close()


def test_no_more_requests_at_once_than_allowed():
    both = threading.Barrier(2, timeout=600)

    def together(handler, body):
        both.wait()  # goes on only when two are there at once
        says("ok")(handler, body)

    with Server(together).running() as server:
        model = OpenAICompatible(server.url, "m", at_once=2)

        async def several():
            return await asyncio.gather(*(model.complete(str(i)) for i in range(6)))

        wait_for(several())
        model.close()
    assert server.most_at_once == 2


def test_requests_keep_their_distance(monkeypatch):
    """On a clock that only waiting moves."""
    now, starts = [100.0], []

    async def sleep(seconds):
        now[0] += seconds

    monkeypatch.setattr(transport, "asyncio", SimpleNamespace(sleep=sleep, Semaphore=asyncio.Semaphore))
    monkeypatch.setattr(transport, "time", SimpleNamespace(monotonic=lambda: now[0]))

    async def several():
        pace = transport.Pace(per_minute=120, at_once=1)
        for i in range(4):
            if i == 2:
                pace.pause(7.0)  # as when the server says Retry-After
            async with pace:
                starts.append(now[0])

    asyncio.run(several())
    assert starts == [100.0, 100.5, 107.5, 108.0]


def test_the_key_comes_from_the_environment_and_is_in_no_message(monkeypatch):
    monkeypatch.setenv("SOME_KEY", "secret-123")
    with Server(fails(403, "go away")).running() as server:
        with pytest.raises(Refused) as raised:
            ask(server, api_key_env="SOME_KEY")
        assert server.headers[0]["Authorization"] == "Bearer secret-123"
    assert "secret" not in str(raised.value)
    with pytest.raises(InputError, match="NO_SUCH_KEY"):
        OpenAICompatible(server.url, "m", api_key_env="NO_SUCH_KEY")


@pytest.mark.parametrize("url", ["localhost:8000", "file:///etc/passwd", "ftp://x", "", "http://user:pass@host/v1"])
def test_strange_addresses_are_refused(url):
    with pytest.raises(InputError, match="base_url"):
        OpenAICompatible(url, "m")


def test_an_address_that_is_none():
    with pytest.raises(ModelError):
        wait_for(OpenAICompatible("http://[::1", "m", patience=QUICK).complete("Q"))


def test_costs_reach_the_budget_of_the_run():
    with Server(says("ok")).running() as server, Budget(Limits(max_tokens=100)) as budget:
        ask(server, prices=Prices(1e6, 0))
        assert (budget.spent.prompt_tokens, budget.spent.completion_tokens, budget.spent.cost) == (11, 7, 11.0)
