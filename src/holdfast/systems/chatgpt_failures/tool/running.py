"""A run of a suite: ask, judge, keep. A folder holds what was asked, of whom, and what came of it; it can go on."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from holdfast.errors import HoldfastError, InputError
from holdfast.files import read_json, write_json
from holdfast.language import Budget, BudgetExceeded, LanguageModel, Limits, ModelError, current_budget, wait_for
from holdfast.language.transport import Refused
from holdfast.systems.chatgpt_failures.tool.cases import Case, Suite, json_lines
from holdfast.systems.chatgpt_failures.tool.checkers import CHECKERS, Outcome, Runner
from holdfast.validation import check_integer

SUITE, OUTCOMES, MANIFEST = "suite.jsonl", "outcomes.jsonl", "manifest.json"
HOPELESS = (401, 403, 404)  # the next request would end the same
THOUGHT = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
STATUSES = ("pass", "fail", "unparsed", "error", "skipped")
Asked = LanguageModel | Mapping[str, str]


@dataclass(frozen=True)
class RunResult:
    """A suite and what came of its cases.

    Attributes:
        outcomes: id of a case -> its outcome; cases that were not reached are not there.
        texts: id of a case -> the texts that were judged.
        of: who answered.
    """

    suite: Suite
    outcomes: Mapping[str, Outcome]
    texts: Mapping[str, Sequence[str]]
    of: str

    @classmethod
    def read(cls, folder: str | Path) -> RunResult:
        """Read a folder of a run, finished or not.

        Raises:
            InputError: it is none.
        """
        folder = Path(folder)
        if not (folder / MANIFEST).is_file():
            raise InputError(str(folder), "must be the folder of a run", f"no {MANIFEST} in it")
        manifest, suite = read_json(folder / MANIFEST), Suite.from_jsonl(folder / SUITE)
        if not isinstance(manifest, dict) or manifest.get("suite") != suite.hash:
            raise InputError(str(folder), "must hold the suite that its manifest names", "another one")
        outcomes, texts = _kept(folder)
        return cls(suite, outcomes, texts, str(manifest.get("of")))


def run(
    suite: Suite,
    asked: Asked,
    out: str | Path,
    *,
    resume: bool = False,
    limits: Limits | None = None,
    temperature: float = 0.0,
    max_tokens: int = 512,
    at_once: int = 8,
    programs: Runner | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RunResult:
    """Put a suite to a model and keep what came of it.

    Args:
        asked: a language model; or answers by id, as `Case.ask_ids` names them (a case without one is an error).
        out: folder to write, a new one unless it is resumed.
        resume: go on with what is in the folder; cases that ended in an error are asked again.
        limits: what may be spent; what was reached is kept.
        at_once: requests under way together.
        programs: runs code of answers, such as `holdfast.sandbox.call_function`; None = such cases are skipped.
        progress: is told how many cases are done, and of how many.

    Raises:
        InputError: the folder is another run's, or not empty.
        HoldfastError: the endpoint will not answer at all (no such model, no right to ask).
        BudgetExceeded: a limit was reached.
    """
    check_integer(at_once, "at_once", low=1)
    check_integer(max_tokens, "max_tokens", low=1)
    folder = Path(out)
    _begin(folder, suite, asked, resume, {"temperature": temperature, "max_tokens": max_tokens})
    done = {key for key, outcome in _kept(folder)[0].items() if outcome.status != "error"}
    work = _Work(folder, asked, programs, {"temperature": temperature, "max_tokens": max_tokens}, at_once)
    todo = [case for case in suite.cases if case.id not in done]
    finished = len(done)

    def told() -> None:
        nonlocal finished
        finished += 1
        if progress is not None:
            progress(finished, len(suite.cases))

    with Budget(limits), (folder / OUTCOMES).open("a", encoding="utf-8") as file:
        wait_for(work.all(todo, file, told))
    return RunResult.read(folder)


class _Work:
    """The cases of a run, several at once."""

    def __init__(self, folder: Path, asked: Asked, programs: Runner | None, options: dict[str, Any], at_once: int):
        self.asked, self.programs, self.options = asked, programs, options
        self.free, self.lock = asyncio.Semaphore(at_once), threading.Lock()

    async def all(self, cases: Sequence[Case], file: Any, told: Callable[[], None]) -> None:
        tasks = [asyncio.ensure_future(self._one(case, file, told)) for case in cases]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, case: Case, file: Any, told: Callable[[], None]) -> None:
        async with self.free:
            needs = case.checker == "program" and self.programs is None
            texts: list[str] = []
            try:
                texts = [] if needs else [await self._text(case, i) for i in range(len(case.asks))]
                outcome = await asyncio.to_thread(judge, case, texts, self.programs) if texts else SKIPPED
            except ModelError as error:
                if isinstance(error, Refused) and error.status in HOPELESS:
                    raise HoldfastError(str(error)) from None
                outcome = Outcome("error", "", str(error))
            line = {"id": case.id, **asdict(outcome), "texts": texts}
            file.write(json.dumps(line, ensure_ascii=True) + "\n")
            file.flush()
            told()

    async def _text(self, case: Case, i: int) -> str:
        name = case.ask_ids()[i]
        if isinstance(self.asked, Mapping):
            if name not in self.asked:
                raise ModelError(f"no answer to {name}")
            text = self.asked[name]
        else:
            if (budget := current_budget()) is not None:
                budget.admit(rows=1)
            text = (await self.asked.complete(case.asks[i], **self.options))[0].text
        if not text.strip():
            raise ModelError("an empty answer")
        return text


SKIPPED = Outcome("skipped", "", "code is not run; --allow-code does")


def judge(case: Case, texts: Sequence[str], programs: Runner | None = None) -> Outcome:
    """The outcome of a case; what a model thinks aloud before it answers (<think>) is passed over."""
    said = [THOUGHT.sub("", text, count=1) for text in texts]
    return CHECKERS[case.checker].check(case.answer, case.options, said, programs)


def read_answers(path: str | Path) -> dict[str, str]:
    """Answers by id, from lines {"id": ..., "answer": ...}.

    Raises:
        InputError: names the line that is none; no line at all; two answers to one question.
    """
    found: dict[str, str] = {}
    for number, line in json_lines(path):
        where = f"{path}, line {number}"
        if not isinstance(line, dict) or not isinstance(line.get("id"), str) or not isinstance(line.get("answer"), str):
            raise InputError(where, 'must have the texts "id" and "answer"', line)
        if line["id"] in found:
            raise InputError(where, "must answer a question once", f"{line['id']} again")
        found[line["id"]] = line["answer"]
    if not found:
        raise InputError(str(path), "must hold at least one answer", "none")
    return found


def _begin(folder: Path, suite: Suite, asked: Asked, resume: bool, options: dict[str, Any]) -> None:
    of = "a file of answers" if isinstance(asked, Mapping) else asked.name
    manifest = {"suite": suite.hash, "cases": len(suite.cases), "of": of, **options}
    if (folder / MANIFEST).is_file():
        if not resume:
            raise InputError(str(folder), "must be a new folder; --resume goes on with a run", "a run")
        before = read_json(folder / MANIFEST)
        if {key: before.get(key) for key in manifest} != manifest:
            raise InputError(str(folder), "must be a run of the same suite, model and settings", before.get("of"))
        _drop_half_line(folder / OUTCOMES)
        return
    if folder.exists() and (not folder.is_dir() or os.listdir(folder)):
        raise InputError(str(folder), "must be a new or empty folder", "something else")
    from holdfast import __version__

    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    folder.mkdir(parents=True, exist_ok=True)
    suite.to_jsonl(folder / SUITE)
    write_json(folder / MANIFEST, {**manifest, "begun": now, "holdfast": __version__})


def _drop_half_line(path: Path) -> None:
    """A line that a kill cut short would otherwise be continued by the next one."""
    data = path.read_bytes() if path.is_file() else b""
    if data and not data.endswith(b"\n"):
        os.truncate(path, data.rfind(b"\n") + 1)


def _kept(folder: Path) -> tuple[dict[str, Outcome], dict[str, list[str]]]:
    outcomes: dict[str, Outcome] = {}
    texts: dict[str, list[str]] = {}
    if (folder / OUTCOMES).is_file():
        for number, line in json_lines(folder / OUTCOMES, cut_end=True):
            try:
                outcome = Outcome(line["status"], line["extracted"], line["reason"])
                if outcome.status not in STATUSES:
                    raise ValueError(outcome.status)
                outcomes[line["id"]], texts[line["id"]] = outcome, line["texts"]
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(f"{folder / OUTCOMES}, line {number}", "must be an outcome", str(error)) from None
    return outcomes, texts


__all__ = ["BudgetExceeded", "RunResult", "judge", "read_answers", "run"]
