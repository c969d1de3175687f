"""Make every recorded result of the book again, or those of some benchmarks.

    make results                    # all of them, one after the other: about five and a half hours
    make results ONLY=fair          # one
    make results ONLY="fair heads"  # two

What can be timed only on a quiet computer runs alone; the rest runs two at a time, one
thread each. A record that was cut off goes on where it stopped when it is started again:
finished runs are kept in ``_runs/``. Delete that folder to start anew.
"""

import subprocess
import sys
from pathlib import Path

ALONE = "--threads 2"
IN_PAIRS = "--jobs 2 --threads 1"
SHORT = "--threads 1 --short"

COMMANDS: dict[str, list[str]] = {
    "latency": [""],
    "recipe": [ALONE, SHORT],
    "side_by_side": [ALONE, SHORT],
    "ablations": [f"{ALONE} --only speed speed_compiled", IN_PAIRS, SHORT],
    "fair": [IN_PAIRS, SHORT],
    "heads": [IN_PAIRS, SHORT],
    "best": [ALONE, SHORT],
}
"""Benchmark -> the arguments of the commands that record it, in their order."""


def main(names: list[str]) -> None:
    """Run the commands of the named benchmarks; without a name, of all."""
    unknown = [name for name in names if name not in COMMANDS]
    if unknown:
        sys.exit(f"ONLY must name some of {', '.join(COMMANDS)}; there is no {', '.join(unknown)}")
    folder = Path(__file__).parent
    for name in names or COMMANDS:
        for arguments in COMMANDS[name]:
            print(f"\npython benchmarks/{name}.py {arguments}", flush=True)
            subprocess.run([sys.executable, folder / f"{name}.py", *arguments.split()], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
