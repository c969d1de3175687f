"""Make an environment and install into it, or say in one line what stands in the way.

    python3 tools/set_up.py .venv -r requirements.txt -e .

`make setup` calls it, with the computer's own Python. So it uses nothing but the standard
library. Whatever stops it, the same command goes on later: pip keeps what is installed.
"""

import errno
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OLDEST = (3, 11)
NEEDED_GB = 8  # torch with its GPU code takes 5 of them; pip's own copies of what it fetched, 2

# What pip, or the system below it, says in each case.
DISK_IS_FULL = re.compile(r"No space left on device|Disk quota exceeded")
NO_CONNECTION = re.compile(
    r"connection broken|ConnectionError|ConnectionReset|ReadTimeout|timed out|IncompleteRead|name resolution|DO NOT MATCH THE HASHES"
)
NO_BUILD = re.compile(r"No matching distribution found for (\S+)")

AGAIN = "Then run the same command again: it goes on where it stopped."


class Obstacle(Exception):
    """Something that the reader has to do first; the message says what."""


def free_gb(folder: str | Path) -> float:
    """How much room is left where the folder lies, in GB."""
    return shutil.disk_usage(folder).free / 1e9


def full_disk() -> Obstacle:
    """The disk is full: how much is needed, how much there is."""
    temporary = tempfile.gettempdir()
    return Obstacle(
        f"The disk is full. The environment needs up to {NEEDED_GB} GB; {free_gb('.'):.1f} GB are free here and "
        f"{free_gb(temporary):.1f} GB in {temporary}, where pip unpacks (TMPDIR=/another/folder changes that). Make room. {AGAIN}"
    )


def check_folder() -> None:
    """This folder takes new files."""
    try:
        with tempfile.TemporaryFile(dir=".") as file:
            file.write(b"\0" * 4096)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise full_disk() from error
        raise Obstacle(
            f"Nothing can be written here ({error.strerror}): {Path.cwd()} is read-only or belongs to somebody else. "
            "Copy it to a folder of your own, and run the same command there."
        ) from error
    if free_gb(".") < NEEDED_GB:
        print(
            f"Only {free_gb('.'):.1f} GB are free here. The environment needs up to {NEEDED_GB} GB; going on all the same."
        )


def works(python: Path) -> bool:
    """Whether an environment is there, whole, and new enough."""
    question = f"import sys; sys.exit(sys.version_info < {OLDEST})"
    try:
        return all(
            subprocess.run([python, *what], capture_output=True).returncode == 0
            for what in (["-c", question], ["-m", "pip", "--version"])
        )
    except OSError:
        return False


def make_environment(folder: Path) -> None:
    """An empty environment, in place of one that is missing or broken."""
    if importlib.util.find_spec("ensurepip") is None:
        raise Obstacle(
            f"{sys.executable} cannot make environments. On Debian or Ubuntu: sudo apt install python3-venv. {AGAIN}"
        )
    done = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        # pip's installation inside says nothing about a full disk, so look whether it is.
        if DISK_IS_FULL.search(done.stdout) or free_gb(".") < 0.1:
            raise full_disk()
        raise Obstacle(
            f"{done.stdout.strip()}\nThe environment {folder} could not be made; the line above says why. {AGAIN}"
        )


def run_pip(python: Path, wanted: list[str]) -> tuple[int, str]:
    """Install; what pip says is shown as it comes, and its complaints are kept.

    Returns:
        pip's exit status, and what it wrote to its standard error.
    """
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", *wanted]
    complaints = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace") as pip:
        for line in pip.stderr:
            complaints.append(line)
            sys.stderr.write(line)
    return pip.returncode, "".join(complaints)


def obstacle(complaints: str) -> Obstacle:
    """What the reader can do about pip's complaints."""
    if DISK_IS_FULL.search(complaints):
        return full_disk()
    if NO_CONNECTION.search(complaints):
        return Obstacle(
            f"There is no connection, or it broke: pip could not fetch everything. Check the network. {AGAIN}"
        )
    if missing := NO_BUILD.search(complaints):
        here = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
        return Obstacle(
            f"{missing[1]} cannot be had for {here}. Try another Python, 3.11 to 3.13: make setup PYTHON=python3.13"
        )
    return Obstacle(
        f"pip did not finish; its last lines above say why. {AGAIN} If it stops at the same place, begin anew: make clean"
    )


def set_up(folder: Path, wanted: list[str]) -> None:
    """Make the environment where it is missing, and install what is wanted.

    Args:
        folder: of the environment, such as ``.venv``.
        wanted: what ``pip install`` is given.

    Raises:
        Obstacle: if that is not possible.
    """
    check_folder()
    python = folder / "bin" / "python"
    if not works(python):
        make_environment(folder)
    print(
        f"Installing into {folder}. The first time this takes some minutes: torch is large.",
        flush=True,
    )
    status, complaints = run_pip(python, wanted)
    if status:
        raise obstacle(complaints)


def main(arguments: list[str]) -> int:
    """Set up; 1 when something stands in the way, with one line about it at the end."""
    try:
        set_up(Path(arguments[0]), arguments[1:])
    except Obstacle as found:
        print(f"\n{found}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nStopped. {AGAIN}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
