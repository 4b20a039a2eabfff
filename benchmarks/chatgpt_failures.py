"""Overhead of a request against inspect-ai: the same questions, the same server on this machine, eight at a time.

    python benchmarks/chatgpt_failures.py [--requests 400] [--repeats 3] [--peer-python PATH]

The server is a process of its own and answers at once, so what is measured is everything around a request: building,
sending, reading, judging, writing down. inspect-ai is no requirement of holdfast and has many of its own; to compare:
python -m venv peer; peer/bin/pip install inspect-ai openai; and --peer-python peer/bin/python
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import subprocess
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from holdfast.language import OpenAICompatible
from holdfast.systems.chatgpt_failures import Suite, run

AT_ONCE = 8
PEER = """
import json, sys, time
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import get_model
from inspect_ai.scorer import match
from inspect_ai.solver import generate
url, folder, questions = sys.argv[1], sys.argv[2], json.load(open(sys.argv[3]))
data = MemoryDataset([Sample(input=q, target="42") for q in questions])
model = get_model("openai/m", base_url=url, api_key="none", responses_api=False)
task = Task(dataset=data, solver=generate(), scorer=match())
start = time.perf_counter()
(log,) = eval(task, model=model, max_connections=8, max_samples=8, log_dir=folder, display="none", temperature=0.0,
              max_tokens=512)
seconds = time.perf_counter() - start
assert log.status == "success" and len(log.samples) == len(questions), log.error
print(json.dumps(seconds))
"""


class Handler(BaseHTTPRequestHandler):
    """Answers every question at once."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        message = {"role": "assistant", "content": "ANSWER: 42"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 40, "completion_tokens": 4, "total_tokens": 44}
        told = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Nothing on the terminal."""


def serve(ready: Any) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ready.put(server.server_address[1])
    server.serve_forever()


def ours(suite: Suite, url: str) -> float:
    """Seconds of a run."""
    model = OpenAICompatible(url, "m", at_once=AT_ONCE)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        result = run(suite, model, Path(folder) / "run", at_once=AT_ONCE)
        seconds = time.perf_counter() - start
    model.close()
    assert len(result.outcomes) == len(suite.cases)
    assert not any(outcome.status == "error" for outcome in result.outcomes.values())
    return seconds


def theirs(python: str, suite: Suite, url: str) -> float | None:
    """Seconds of inspect-ai's evaluation, without its start; None where it is not installed."""
    with tempfile.TemporaryDirectory() as folder:
        questions = Path(folder) / "questions.json"
        questions.write_text(json.dumps([case.asks[0][-1].content for case in suite.cases]))
        done = subprocess.run([python, "-c", PEER, url, folder, str(questions)], capture_output=True, text=True)
    if "No module named 'inspect_ai'" in done.stderr:
        return None
    if done.returncode:
        raise SystemExit(done.stderr[-2000:] + done.stdout[-500:])
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print milliseconds for a request, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer-python", default="python")
    chosen = parser.parse_args()
    suite = Suite(Suite.default(chosen.requests, categories=["arithmetic"], canonical=0).cases[: chosen.requests])
    ready: Any = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(ready,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ready.get()}/v1"
    ours(suite, url)  # warm
    mine, peer = [], []
    for _ in range(chosen.repeats):
        mine.append(ours(suite, url))
        seconds = theirs(chosen.peer_python, suite, url)
        if seconds is None:
            print("inspect-ai is not installed: pip install inspect-ai openai (in an environment of its own)")
            break
        peer.append(seconds)
    server.terminate()
    n = len(suite.cases)
    print(f"holdfast    {1e3 * statistics.median(mine) / n:7.2f} ms for a request, {AT_ONCE} at a time, {n} requests")
    if peer:
        ratio = statistics.median(mine) / statistics.median(peer)
        print(f"inspect-ai  {1e3 * statistics.median(peer) / n:7.2f} ms; holdfast takes {ratio:.2f} of its time")


if __name__ == "__main__":
    main()
