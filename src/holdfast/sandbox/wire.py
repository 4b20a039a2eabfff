"""Messages between parent and child: eight bytes of length, then the message.

The parent sends pickles (it is trusted by the child); the child, which has run a stranger's program, sends JSON only.
"""

from __future__ import annotations

import json
import pickle
import struct
from typing import IO, Any

LENGTH = struct.Struct(">Q")
LARGEST_REPLY = 2**29


class Failure(Exception):
    """What a child was asked for did not work out.

    Attributes:
        kind: "error", "timeout", "memory", "ended", "refused", or what parent and child agree on.
        detail: what it is about, such as a name.
    """

    def __init__(self, kind: str, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.kind, self.reason, self.detail = kind, reason, detail


class Refused(Failure):
    """Something that a program of a stranger may not do."""

    def __init__(self, reason: str) -> None:
        super().__init__("refused", reason)


def send_request(stream: IO[bytes], message: dict[str, Any]) -> None:
    """Parent to child."""
    data = pickle.dumps(message, protocol=5)
    stream.write(LENGTH.pack(len(data)) + data)
    stream.flush()


def receive_request(stream: IO[bytes]) -> dict[str, Any] | None:
    """In the child; None when the parent has closed the pipe."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    message: dict[str, Any] = pickle.loads(stream.read(LENGTH.unpack(head)[0]))
    return message


def send_reply(stream: IO[bytes], message: dict[str, Any]) -> None:
    """Child to parent."""
    data = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
    stream.write(LENGTH.pack(len(data)) + data)
    stream.flush()


def receive_reply(stream: IO[bytes]) -> dict[str, Any] | None:
    """In the parent; None when the child has died or does not keep to the protocol."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size or (length := LENGTH.unpack(head)[0]) > LARGEST_REPLY:
        return None
    data = stream.read(length)
    if len(data) < length:
        return None
    try:
        message = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


__all__ = ["Failure", "Refused", "receive_reply", "receive_request", "send_reply", "send_request"]
