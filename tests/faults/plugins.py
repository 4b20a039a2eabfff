"""Plugins that are broken in every way: the others work, and one line says what is wrong with this one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time

from tests.faults.campaign import Scene, fault
from tests.faults.damage import others_work
from tests.faults.workspace import check

NAME = "broken"


def install(scene: Scene, *, experiment: str | None = None, init: str = "", card: str | None = None) -> None:
    """A second plugin, like the faulty one but for what is given."""
    folder = scene.work.repo / NAME
    shutil.copytree(scene.work.package, folder)
    (folder / "__init__.py").write_text(init)
    text = (folder / "card.toml").read_text(encoding="utf-8").replace('id = "faulty"', f'id = "{NAME}"')
    (folder / "card.toml").write_text(text if card is None else card, encoding="utf-8")
    if experiment is not None:
        (folder / "experiment.py").write_text(experiment)
    scene.work.register(NAME, NAME)


def the_rest_works(scene: Scene) -> None:
    others_work(scene, scene.work.command("list"))
    scene.work.run().completed()
    scene.work.same(scene.undisturbed)


RAISED = (
    "raise RuntimeError('at import')",
    "import sys; sys.exit(3)",
    "class Strange(BaseException): pass\nraise Strange",
    "import no_such_module_anywhere",
    "experiment = ((",
    "",
    "experiment = 3",
)


@fault(
    "a plugin's experiment cannot be imported",
    "it raises RuntimeError, SystemExit, a BaseException, ImportError; is no Python; declares nothing, or a number",
    tries=len(RAISED),
)
def plugin_raises(scene: Scene) -> str:
    install(scene, experiment=RAISED[scene.number])
    scene.work.command("run", NAME, "--scale", "smoke").refused(NAME)
    the_rest_works(scene)
    return "one line names file and line; other systems work"


@fault("a plugin's package cannot be imported", "its __init__.py raises RuntimeError or SystemExit", tries=2)
def plugin_package_raises(scene: Scene) -> str:
    install(scene, init=RAISED[scene.number])
    scene.work.command("run", NAME, "--scale", "smoke").refused(NAME)
    the_rest_works(scene)
    return "one line names file and line; other systems work"


@fault("a plugin hangs at import", "it sleeps; Ctrl-C ends that", tries=1)
def plugin_hangs(scene: Scene) -> str:
    install(scene, experiment="import time; time.sleep(3600)")
    with scene.work.nothing_left_running():
        process = scene.work.start("run", NAME, "--scale", "smoke")
        scene.work.wait_for_python(process)
        time.sleep(2)
        os.killpg(process.pid, signal.SIGINT)
        done = scene.work.end(process, within=10)
    check(f"ended with {done.code}: {done.err[-300:]}", done.code == 130 and "Traceback" not in done.err)
    the_rest_works(scene)
    return "Ctrl-C ends it; other systems work"


@fault("a plugin prints at import", "`run --json` of it", tries=1)
def plugin_prints(scene: Scene) -> str:
    text = (scene.work.package / "experiment.py").read_text()
    install(scene, experiment=f"{text}\nprint('hello from a plugin')\n")
    done = scene.work.command("run", NAME, "--scale", "smoke", "--json")
    done.completed()
    json.loads(done.out)
    the_rest_works(scene)
    return "stdout is JSON alone; other systems work"


CARDS = ("", "id = ", 'id = "broken"', "\x00\xff", "[" * 5000)


@fault("a plugin's card is no card", "empty, half a line, one field, bytes, 5,000 brackets", tries=len(CARDS))
def plugin_card(scene: Scene) -> str:
    install(scene, card=CARDS[scene.number])
    listed = scene.work.command("list")
    check(f"it is not named: {listed.err}", f"cannot be used: {NAME}" in listed.err)
    scene.work.command("run", NAME).refused("card.toml")
    the_rest_works(scene)
    return "one line names the card; other systems work"


@fault("a plugin has the id of a built-in system, or its command word", "id adamatch; commands = [adamatch]", tries=2)
def plugin_takes_a_name(scene: Scene) -> str:
    text = (scene.work.package / "card.toml").read_text(encoding="utf-8")
    if scene.number:
        install(scene, card=text.replace('id = "faulty"', 'id = "broken"\ncommands = ["adamatch"]'))
    else:
        install(scene, card=text.replace('id = "faulty"', 'id = "adamatch"'))
    listed = scene.work.command("list")
    check(f"it is not named: {listed.err}", f"cannot be used: {NAME}" in listed.err)
    shown = scene.work.command("show", "adamatch")
    check("adamatch is another", "AdaMatch" in shown.out and shown.code == 0)
    the_rest_works(scene)
    return "the built-in system keeps its name"


@fault("a plugin was removed by hand", "its metadata is there, its package is not; metadata that is no text", tries=2)
def plugin_gone(scene: Scene) -> str:
    scene.work.register(NAME, NAME)
    if scene.number:
        (scene.work.repo / f"{NAME}-1.0.dist-info" / "entry_points.txt").write_bytes(
            b"[holdfast.systems\n\xff = \x00\n"
        )
    else:
        scene.work.command("run", NAME).refused(NAME)
    the_rest_works(scene)
    return "other systems work"
