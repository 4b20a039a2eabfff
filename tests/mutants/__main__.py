"""Put small mistakes into a system's mathematics, and look whether its fast tests notice.

python -m tests.mutants adamatch                        20 mutants of method.py
python -m tests.mutants adamatch --seed 1 --count 40    others, and more
python -m tests.mutants fct --modules "method.py tool/maps.py"  of these files of the system's folder
python -m tests.mutants adamatch --list                 only say what the mutants are

Exit code 1 if less than 90 % are noticed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # as in the tests: their parts are modules of that folder

from holdfast.cli.signals import Signals
from holdfast.errors import HoldfastError
from mutants.campaign import Campaign
from mutants.mutations import Mutation
from mutants.room import Room

ROOT = Path(__file__).resolve().parents[2]
WANTED = 90  # per cent


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("system", help="its id")
    parser.add_argument("--modules", default="", help="files of its folder to mutate; method.py or method/ if none")
    parser.add_argument("--count", type=int, default=20, help="of the mutants")
    parser.add_argument("--seed", type=int, default=0, help="chooses them")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    parser.add_argument("--list", action="store_true", help="only name the mutants")
    return parser.parse_args(given)


def main(given: list[str] | None = None, root: Path = ROOT) -> int:
    wanted = arguments(given)
    try:
        room = Room(root, wanted.system, wanted.modules.split())
        campaign = Campaign(room, wanted.count, wanted.seed, wanted.jobs, say)
        if wanted.list:
            for number, m in enumerate(campaign.chosen(), 1):
                say(told(number, "", m, room))
            return 0
        say(f"{room.system}: {len(campaign.every)} possible mutants, up to {wanted.count} drawn by seed {wanted.seed}")
        return score(campaign)
    except HoldfastError as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("mutants: stopped", file=sys.stderr)
        return Signals.code(130)


def score(campaign: Campaign) -> int:
    """Run a campaign and print what comes; the exit code."""
    room, verdicts = campaign.room, Counter[str]()
    with closing(campaign.run()) as tried:  # also after Ctrl-C: its processes end, its copies go
        for one in tried:
            verdicts[one.verdict] += 1
            number = verdicts["killed"] + verdicts["survived"]
            words = {
                "killed": f"killed by {one.by}",
                "survived": "SURVIVED",
                "invalid": "cannot be imported, and is replaced by another",
            }
            say(told(0 if one.verdict == "invalid" else number, words[one.verdict], one.mutation, room))
    killed, valid = verdicts["killed"], verdicts["killed"] + verdicts["survived"]
    if not valid:
        raise HoldfastError(f"nothing can be mutated in {', '.join(map(str, room.modules))}")
    say(f"{killed} of {valid} killed ({100 * killed // valid} %)")
    return 0 if 100 * killed >= WANTED * valid else 1


def told(number: int, words: str, m: Mutation, room: Room) -> str:
    """A mutant in three lines: where it is and what became of it, the code before, and after."""
    where = f"{room.folder / m.module}:{m.line}"
    return f"""{number or "":>3}  {where}  {m.kind} in {m.function}{words and ": "}{words}
       - {m.old}
       + {m.new}"""


def say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    Signals.listen()
    sys.exit(main())
