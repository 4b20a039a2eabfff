"""A child process for tests of `holdfast.sandbox`: does what it is told."""

from __future__ import annotations

import os
import time
from typing import Any

from holdfast.sandbox.isolation import Sandbox
from holdfast.sandbox.serving import serve
from holdfast.sandbox.wire import Refused


def handle(request: dict[str, Any]) -> dict[str, Any]:
    do = request["do"]
    if do == "environment":
        return {"names": sorted(os.environ)}
    if do == "sleep":
        time.sleep(request["for_s"])
    if do == "print":
        print("not a reply", flush=True)
        os.write(1, b"nor is this")
    if do == "refuse":
        raise Refused("may not do this")
    if do == "wrong":
        int("x")
    if do == "grow":
        kept = bytearray(request["bytes"])
        kept[::4096] = b"x" * len(kept[::4096])
        time.sleep(request["for_s"])
    if do == "exit":
        os._exit(3)
    if do == "open after isolation":
        Sandbox().isolate()
        try:
            with open(request["path"], encoding="utf-8"):
                return {"opened": True}
        except OSError:
            return {"opened": False}
    if do == "too much":
        with Sandbox().memory(64):
            bytearray(request["bytes"])
    return {"done": do}


def main(name: str) -> None:
    serve(name, handle)
