"""Build the documentation: docs/ and the API reference as a static site, checked, in site/.

    python docs/generator/build.py          what `make docs` runs; under a minute

Strict: a warning of the generator, a dead link, a system without a page or anything loaded from another host ends the
build with exit code 1, and an earlier site stays as it was. Nothing is fetched.

Zensical builds the site, with mkdocstrings for the API. It is made by the authors of Material for MkDocs to take its
place: MkDocs had its last release in 2024, and Material is no longer maintained since November 2026.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import site_check
import stage

from holdfast import catalogue
from holdfast.report.digest import write_digest

BUILD = stage.ROOT / "build" / "docs"
SITE = stage.ROOT / "site"
EXPECTED = re.compile(r"Build started|No issues found|Build finished in .*|\s*")  # said by Zensical if all is well


def main() -> int:
    print("== collect pages, API and digest")
    shutil.rmtree(BUILD, ignore_errors=True)
    try:
        stage.lay_out(BUILD)
    except stage.DeadLink as problem:
        print(problem)
        return 1
    built = BUILD / "site"
    write_digest(catalogue.find(), BUILD / "content" / "digest")
    print("== build the site")
    told = _generate()
    problems = [line for line in told.splitlines() if not EXPECTED.fullmatch(line)]
    (built / "404.html").unlink()  # its links hold at the root of a server only
    problems += site_check.problems(built)
    if problems:
        print(*problems, sep="\n")
        print("no site is written")
        return 1
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.move(built, SITE)
    print(f"{SITE.relative_to(stage.ROOT)}/index.html: {len(list(SITE.rglob('*.html')))} pages; open it in a browser")
    return 0


def _generate() -> str:
    """Run Zensical; what it said."""
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", "mkdocs.yml"]
    plain = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=BUILD, env=plain, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.stdout + (f"exit code {done.returncode}" if done.returncode else "")


if __name__ == "__main__":
    sys.exit(main())
