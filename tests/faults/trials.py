"""Trials that misbehave: the second replicate of one arm does what the toy's `misbehaviour` lists."""

from __future__ import annotations

import resource

from tests.faults.campaign import Scene, fault
from tests.faults.workspace import check

MEGABYTE = 2**20

# How a trial may end: with a failed record (exit code 1), or well (0).
FAILED, HARMLESS = "the trial fails, the others go on", "nothing happens to any trial"


def misbehaves(scene: Scene, what: str, code: int, *options: str, **more: object) -> None:
    """Run with a trial that does this, then without: the same numbers, and only that trial had failed."""
    words = scene.work.run_words("out", "--scale", "limited", *options)
    with scene.work.nothing_left_running():
        done = scene.work.command(*words, env={"FAULTY_TRIAL": what}, **more)  # type: ignore[arg-type]
    check(f"ended with {done.code}: {done.err[-300:]} {done.out[-300:]}", done.code == code)
    check(f"a traceback: {done.err[-400:]}", "Traceback" not in done.err.replace("x", ""))
    if code == 1:
        lines = [line for line in done.out.splitlines() if line.startswith(("faulty", "failed")) and "failed:" in line]
        check(f"the failed trial is not named: {done.out[-300:]}", any("good · draws #1" in line for line in lines))
        check(f"more than one failed: {lines}", len([line for line in lines if "#1:" in line]) == len(lines))
    scene.work.command(*scene.work.run_words("out", "--scale", "limited")).completed()
    scene.work.same(scene.undisturbed, second_look=True)


def entered(what: str, words: str, code: int, tries: int = 1) -> None:
    """One misbehaviour as a fault, with workers first and, where it can be survived, without on the second try."""

    def provoke(scene: Scene) -> str:
        misbehaves(scene, what, code, *(("--jobs", "0") if scene.number else ()))
        return HARMLESS if code == 0 else FAILED

    provoke.__name__ = f"trial_{what}"
    ways = "in a worker" if tries == 1 else "in a worker; without workers"
    fault(f"a trial {words}", ways, tries)(provoke)


entered("sleeps", "hangs (Python)", 1)
entered("spins_in_c", "hangs in C with the interpreter's lock held", 1)
entered("ignores_signals", "hangs and ignores signals", 1)
entered("exits_at_once", "calls os._exit", 1)
entered("exits", "calls sys.exit", 1, tries=2)
entered("interrupts_itself", "raises KeyboardInterrupt", 1)
entered("raises_something_strange", "raises a BaseException of its own", 1, tries=2)
entered("stops_the_generator", "raises GeneratorExit", 1, tries=2)
entered("raises_what_cannot_be_printed", "raises an exception that cannot be printed", 1, tries=2)
entered("segfaults", "reads address 0 (SIGSEGV)", 1)
entered("aborts", "calls abort()", 1)
entered("is_killed", "is killed as by the out-of-memory killer", 1)
entered("prints_100_megabytes", "prints 100 MB", 0, tries=2)
entered("forks_and_leaves_children", "leaves processes running", 0)
entered("forks_and_dies", "dies and leaves processes running", 1)
entered("leaves_a_thread", "leaves a thread running", 0)
entered("recurses", "recurses without end", 1, tries=2)
entered("recurses_in_c", "overflows the C stack", 1)
entered("closes_files", "closes all open files", 1)
entered("changes_folder", "changes the current folder and TMPDIR", 0, tries=2)
entered("yields_nan", "yields NaN", 1, tries=2)
entered("yields_infinity", "yields infinity", 1, tries=2)
entered("yields_twice", "yields the same scalar twice", 1, tries=2)
entered("yields_a_number", "yields something that is no measurement", 1, tries=2)
entered("returns_nothing", "returns None", 1, tries=2)
entered("leaves_half_a_file", "writes a file and raises", 1, tries=2)


@fault("a trial allocates more than there is", "address space limited to 3 GB (RLIMIT_AS)", tries=2)
def trial_takes_all_memory(scene: Scene) -> str:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (3072 * MEGABYTE, 3072 * MEGABYTE))

    misbehaves(scene, "takes_all_memory", 1, *(("--jobs", "0") if scene.number else ()), before=limited)
    return FAILED


@fault("a trial prints while the results go to a program", "`run --json` with trials that print", tries=2)
def trial_prints_into_json(scene: Scene) -> str:
    import json

    words = scene.work.run_words("out", "--json", *(("--jobs", "0") if scene.number else ()))
    done = scene.work.command(*words, env={"FAULTY_TRIAL": "prints_100_megabytes"})
    try:
        json.loads(done.out)
    except ValueError:
        check(f"stdout is no JSON: {done.out[:80]}", False)
    done.completed()
    scene.work.same(scene.undisturbed)
    return "stdout is JSON"
