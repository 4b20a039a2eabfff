"""Recordings of a language model: what was asked and answered, as JSON lines, so that a run can be repeated exactly."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from holdfast.errors import InputError
from holdfast.files import check_regular
from holdfast.language.protocol import (
    Completion,
    LanguageModel,
    Message,
    ModelError,
    Prompt,
    Spending,
    messages_of,
)


class Recorder:
    """Passes requests on to a model and appends each with its answer to a file.

    A line is written as soon as its answer is there, so that a run that is killed leaves all it paid for. Headers and
    keys of an endpoint never reach the file; prompts, and with them the cells of tables, do.

    Args:
        model: the model to record.
        path: file of JSON lines; appended to.
    """

    def __init__(self, model: LanguageModel, path: str | Path) -> None:
        self.model, self.path = model, Path(path)
        self.name, self.chat = model.name, model.chat
        self._lock = threading.Lock()
        if self.path.is_dir():
            raise InputError("record", "must be a file to write to", f"the folder {self.path}")
        self.path.parent.mkdir(parents=True, exist_ok=True)

    @property
    def spending(self) -> Spending:
        """Of the model that is recorded."""
        return self.model.spending

    async def complete(
        self,
        prompt: Prompt,
        *,
        n: int = 1,
        temperature: float = 0.0,
        max_tokens: int = 512,
        stop: Sequence[str] = (),
    ) -> list[Completion]:
        """The model's completions, recorded."""
        options: dict[str, Any] = {"n": n, "temperature": temperature, "max_tokens": max_tokens, "stop": list(stop)}
        answers = await self.model.complete(prompt, **options)
        line = {
            "key": request_key(prompt, options),
            "model": self.name,
            "chat": self.chat,
            "prompt": prompt if isinstance(prompt, str) else [asdict(m) for m in prompt],
            **options,
            "completions": [asdict(answer) for answer in answers],
        }
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return answers


class Replayed:
    """Answers from a recording, without any model.

    A request made several times is answered with its recorded answers in order; one that was recorded once is answered
    alike however often it is made at temperature 0.

    Args:
        path: file that a `Recorder` wrote. A last line cut short by a kill is passed over.

    Raises:
        InputError: the file cannot be read, or a line is not a recording (names the line).
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.spending = Spending()
        self._answers: dict[str, list[list[Completion]]] = defaultdict(list)
        self._given: dict[str, int] = defaultdict(int)
        self.name, self.chat = self._read()

    def _read(self) -> tuple[str, bool]:
        if self.path.exists():
            check_regular(self.path)
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError("replay", "must be a readable recording", f"{self.path} ({error})") from error
        name, chat = "", False
        for number, line in enumerate(lines, start=1):
            try:
                entry = json.loads(line)
                self._answers[entry["key"]].append([Completion(**c) for c in entry["completions"]])
                name, chat = str(entry["model"]), bool(entry["chat"])
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                if number == len(lines):
                    break
                raise InputError("replay", f"line {number} of {self.path} must be a recording", str(error)) from error
        if not self._answers:
            raise InputError("replay", "must be a recording of at least one answer", str(self.path))
        return name, chat

    async def complete(
        self,
        prompt: Prompt,
        *,
        n: int = 1,
        temperature: float = 0.0,
        max_tokens: int = 512,
        stop: Sequence[str] = (),
    ) -> list[Completion]:
        """The recorded completions.

        Raises:
            ModelError: this request is not in the recording, or was not made this often.
        """
        options: dict[str, Any] = {"n": n, "temperature": temperature, "max_tokens": max_tokens, "stop": list(stop)}
        key = request_key(prompt, options)
        recorded = self._answers.get(key)
        if recorded is None:
            lines = messages_of(prompt)[-1].content.splitlines()
            asked = [line.removeprefix("Q: ") for line in lines if line.startswith("Q: ")] or lines
            raise ModelError(
                f"{self.path}: holds no answer to {''.join(asked[-1:])[:100]!r}: question, table or settings are not "
                "those recorded, or answers came from a cache then"
            )
        turn = self._given[key]
        self._given[key] += 1
        if turn >= len(recorded):
            if temperature > 0:
                raise ModelError(f"{self.path}: holds {len(recorded)} answers to a request that is made once more")
            turn = len(recorded) - 1
        return recorded[turn]


def request_key(prompt: Prompt, options: dict[str, Any]) -> str:
    """Identity of a request: the model is no part of it, so that a recording can be replayed under any name."""
    said = prompt if isinstance(prompt, str) else [asdict(m) if isinstance(m, Message) else m for m in prompt]
    text = json.dumps([said, options], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


__all__ = ["Recorder", "Replayed", "request_key"]
