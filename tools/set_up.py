"""Make an environment and install into it, or say in one line what stands in the way.

    python3 tools/set_up.py .venv book      # what builds the pages, from uv.lock
    python3 tools/set_up.py .venv dev       # the library, and what the tests need
    python3 tools/set_up.py .venv-colab -r requirements-colab.txt

The Makefile calls it, with the computer's own Python. So it uses nothing but the standard
library. pip brings uv, and uv the rest: it downloads everything at the same time. Whatever
stops it, the same command goes on later: what is installed is kept.
"""

import errno
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OLDEST = (3, 11)
UV = "uv==0.13.9"
# The pages need little; torch with its GPU code takes 5 GB, and uv's own copies share the disk.
NEEDED_GB = {"book": 0.5}
OTHERWISE_GB = 8

# What pip and uv, or the system below them, say in each case.
DISK_IS_FULL = re.compile(r"No space left on device|Disk quota exceeded")
NO_CONNECTION = re.compile(
    r"[Ff]ailed to (?:fetch|download)|[Cc]onnection|ReadTimeout|timed out|IncompleteRead"
    r"|name resolution|DO NOT MATCH THE HASHES"
)
# The first is pip's, about uv itself; the second uv's, about what is locked.
NO_BUILD = re.compile(
    r"No matching distribution found for (\S+)|Distribution `([^ `]+).*?` can't be installed"
)

AGAIN = "Then run the same command again: it goes on where it stopped."


class Obstacle(Exception):
    """Something that the reader has to do first; the message says what."""


def free_gb(folder: str | Path) -> float:
    """How much room is left where the folder lies, in GB."""
    return shutil.disk_usage(folder).free / 1e9


def full_disk(needed: float) -> Obstacle:
    """The disk is full: how much is needed, how much there is."""
    return Obstacle(
        f"The disk is full. The environment needs up to {needed} GB; {free_gb('.'):.1f} GB are "
        f"free here and {free_gb(Path.home()):.1f} GB in {Path.home()}, where uv keeps what it "
        f"fetched (UV_CACHE_DIR=/another/folder changes that). Make room. {AGAIN}"
    )


def check_folder(needed: float) -> None:
    """This folder takes new files."""
    try:
        with tempfile.TemporaryFile(dir=".") as file:
            file.write(b"\0" * 4096)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise full_disk(needed) from error
        raise Obstacle(
            f"Nothing can be written here ({error.strerror}): {Path.cwd()} is read-only or "
            "belongs to somebody else. Copy it to a folder of your own, and run the same "
            "command there."
        ) from error
    if free_gb(".") < needed:
        print(
            f"Only {free_gb('.'):.1f} GB are free here. The environment needs up to "
            f"{needed} GB; going on all the same."
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


def make_environment(folder: Path, needed: float) -> None:
    """An empty environment, in place of one that is missing or broken."""
    if importlib.util.find_spec("ensurepip") is None:
        raise Obstacle(
            f"{sys.executable} cannot make environments. On Debian or Ubuntu: "
            f"sudo apt install python3-venv. {AGAIN}"
        )
    command = [sys.executable, "-m", "venv", "--clear", folder]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        # pip's installation inside says nothing about a full disk, so look whether it is.
        if DISK_IS_FULL.search(done.stdout) or free_gb(".") < 0.1:
            raise full_disk(needed)
        raise Obstacle(
            f"{done.stdout.strip()}\nThe environment {folder} could not be made; the line "
            f"above says why. {AGAIN}"
        )


def without_gpu_code(folder: Path) -> list[str]:
    """Options for uv: where torch's CPU build was put in first, it stays as it is, alone."""
    if not list(folder.glob("lib/python3*/site-packages/torch-*+cpu.dist-info")):
        return []
    lock = Path("uv.lock").read_text(encoding="utf-8")
    gpu = r'^name = "(torch|torchvision|triton|(?:cuda|nvidia)-[\w-]+)"$'
    return [f"--no-install-package={name}" for name in re.findall(gpu, lock, re.MULTILINE)]


def install_commands(folder: Path, wanted: list[str]) -> list[list]:
    """What installs: pip brings uv, then uv a group of uv.lock, or a file of requirements.

    Nothing that a reader has put into the environment is taken out again.
    """
    python = folder / "bin" / "python"
    bring_uv = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV]
    uv = [python, "-m", "uv"]
    if wanted[0] == "-r":
        return [bring_uv, [*uv, "pip", "install", "--python", python, *wanted]]
    # The pages need no library installed (book/_ext/gnet_stand_ins.py), so no torch either.
    group = "--only-group" if wanted == ["book"] else "--group"
    options = ["--frozen", "--inexact", "--python", python, group, *wanted]
    return [bring_uv, [*uv, "sync", *options, *without_gpu_code(folder)]]


def run(command: list, folder: Path) -> tuple[int, str]:
    """Run an installer; what it says is shown as it comes.

    Returns:
        Its exit status, and what it wrote to its standard error.
    """
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder)}
    environment.pop("VIRTUAL_ENV", None)  # uv would say that another one is active
    complaints = []
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as installer:
        for line in installer.stderr or ():
            complaints.append(line)
            sys.stderr.write(line)
    return installer.returncode, "".join(complaints)


def obstacle(complaints: str, needed: float) -> Obstacle:
    """What the reader can do about an installer's complaints."""
    if DISK_IS_FULL.search(complaints):
        return full_disk(needed)
    if NO_CONNECTION.search(complaints):
        return Obstacle(
            "There is no connection, or it broke: not everything could be fetched. "
            f"Check the network. {AGAIN}"
        )
    if missing := NO_BUILD.search(complaints):
        here = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
        return Obstacle(
            f"{missing[1] or missing[2]} cannot be had for {here}. "
            "Try another Python, 3.11 to 3.13: make setup PYTHON=python3.13"
        )
    return Obstacle(
        f"The installation did not finish; its last lines above say why. {AGAIN} "
        "If it stops at the same place, begin anew: make clean"
    )


def set_up(folder: Path, wanted: list[str]) -> None:
    """Make the environment where it is missing, and install what is wanted.

    Args:
        folder: of the environment, such as ``.venv``.
        wanted: a group of pyproject.toml, or ``-r`` and a file of requirements.

    Raises:
        Obstacle: if that is not possible.
    """
    needed = NEEDED_GB.get(wanted[0], OTHERWISE_GB)
    check_folder(needed)
    if not works(folder / "bin" / "python"):
        make_environment(folder, needed)
    print(f"Installing into {folder}: {' '.join(wanted)}.", flush=True)
    for command in install_commands(folder, wanted):
        status, complaints = run(command, folder)
        if status:
            raise obstacle(complaints, needed)


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
