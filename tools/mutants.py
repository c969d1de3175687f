"""Change the library in one small place at a time, and see whether a test notices.

    python tools/mutants.py --count 60 --seed 1     # `make mutants COUNT=60 SEED=1`

Cosmic Ray finds the places (numbers, operators, comparisons, conditions) and makes the
changes; this tool draws a sample of them, the same for the same seed, and runs the tests on
copies of the repository: first those of the file that was changed, then all that use the
library, last the chapters that train nothing. It prints the survivors, and fails when more
than a tenth of the sample survives.

Figures are left out: a line drawn a little thinner is no mistake.
"""

import argparse
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = {"plots"}
KILLED = 0.9  # of a sample, at least

OPERATORS = ("ReplaceBinary", "ReplaceComparison", "ReplaceUnary", "Replace", "AddNot", "Number")
NOT_THESE = ("_BitOr_", "VariableReplacer", "VariableInserter")  # | stands in types: int | None

NOTHING_TO_RUN = 5  # pytest's answer to a file without examples

# Tests of pages, tools and records do not run the library; they would only cost time.
SLOW = (
    "book", "colab", "explorer", "graders", "hand_out", "mutations", "pages", "publishing",
    "reference", "results*", "sync", "tools", "typing", "workflows", "packaging",
)  # fmt: skip
CHAPTERS = ("01*", "02*", "03*", "04*", "05*", "what*", "spot*")  # none of them trains


@dataclass(frozen=True)
class Mutant:
    """One change: where, and which operator of Cosmic Ray makes it."""

    path: Path  # relative to the repository
    line: int
    operator: str
    occurrence: int

    def source(self) -> str:
        """The changed file."""
        from cosmic_ray.mutating import mutate_code  # pyright: ignore[reportMissingImports]
        from cosmic_ray.plugins import get_operator  # pyright: ignore[reportMissingImports]

        code = (ROOT / self.path).read_text(encoding="utf-8")
        return str(mutate_code(code, get_operator(self.operator)(), self.occurrence))

    def __str__(self) -> str:
        before = (ROOT / self.path).read_text(encoding="utf-8").splitlines()
        after = self.source().splitlines()
        changed = next(
            (new.strip() for old, new in zip(before, after, strict=False) if old != new), ""
        )
        return f"{self.path}:{self.line} {self.operator.removeprefix('core/')}: {changed}"


def places() -> dict[tuple[Path, tuple[int, int]], list[Mutant]]:
    """Every place that can be changed -> the changes that are possible there."""
    from cosmic_ray.commands.init import init  # pyright: ignore[reportMissingImports]
    from cosmic_ray.work_db import WorkDB  # pyright: ignore[reportMissingImports]

    files = [
        path
        for path in sorted((ROOT / "gnet_lib").rglob("*.py"))
        if not LEFT_OUT & set(path.relative_to(ROOT / "gnet_lib").with_suffix("").parts)
    ]
    found: dict[tuple[Path, tuple[int, int]], list[Mutant]] = {}
    with tempfile.TemporaryDirectory() as folder:
        database = WorkDB(Path(folder, "work.sqlite"), WorkDB.Mode.create)
        init(files, database, {})
        for item in database.work_items:
            change = item.mutations[0]
            name = change.operator_name.removeprefix("core/")
            if name.startswith(OPERATORS) and not any(each in name for each in NOT_THESE):
                path = change.module_path.resolve().relative_to(ROOT)
                mutant = Mutant(path, change.start_pos[0], change.operator_name, change.occurrence)
                found.setdefault((path, change.start_pos), []).append(mutant)
        database.close()
    return found


def sample(count: int, seed: int) -> list[Mutant]:
    """So many places by chance, with one of their changes each."""
    draw = random.Random(seed)
    found = places()
    chosen = draw.sample(sorted(found), min(count, len(found)))
    return [draw.choice(sorted(found[place], key=str)) for place in chosen]


# --- the tests ---------------------------------------------------------------------------


def stages(path: Path) -> list[list[str]]:
    """The arguments of pytest for a changed file, one list a stage, the likeliest first."""
    name = path.with_suffix("").parts[1]
    own = [f"tests/test_{name}.py"] if (ROOT / f"tests/test_{name}.py").exists() else []
    rest = sorted(
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").glob("test_*.py")
        if not any(path.match(f"test_{each}.py") for each in SLOW)
    )
    chapters = [
        str(path.relative_to(ROOT))
        for each in CHAPTERS
        for path in (ROOT / "book").glob(f"{each}.ipynb")
    ]
    nbval = ["--nbval", "--nbval-current-env", "--nbval-sanitize-with", "tests/nbval_sanitize.cfg"]
    return [
        ["--doctest-modules", str(path), *own],
        ["--doctest-modules", "gnet_lib", *rest],
        [*nbval, *chapters],
    ]


def copy_repository(folder: Path) -> Path:
    """A copy of what git knows, and of what is new."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def notices(copy: Path, arguments: list[str], seconds: float) -> bool:
    """Whether pytest fails in the copy, or does not come to an end."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", *arguments]
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy), "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode not in (0, NOTHING_TO_RUN)


def require_green(paths: set[Path], copy: Path, seconds: float) -> None:
    """Stop unless all stages pass without a change: else every change would seem noticed."""
    together: dict[int, list[str]] = {}
    for path in sorted(paths):
        for number, arguments in enumerate(stages(path)):
            known = together.setdefault(number, [])
            known += [each for each in arguments if each not in known]
    for arguments in together.values():
        if notices(copy, arguments, seconds):
            sys.exit(f"These tests fail without any change: pytest {' '.join(arguments)}")


def survives(mutant: Mutant, copy: Path, seconds: float) -> bool:
    """Change the copy, run the tests stage by stage, and put the file back."""
    file = copy / mutant.path
    before = file.read_text(encoding="utf-8")
    file.write_text(mutant.source(), encoding="utf-8")
    try:
        return not any(notices(copy, arguments, seconds) for arguments in stages(mutant.path))
    finally:
        file.write_text(before, encoding="utf-8")


def run(mutants: list[Mutant], workers: int, seconds: float) -> list[Mutant]:
    """The mutants that no test noticed."""
    from tqdm import tqdm

    with tempfile.TemporaryDirectory() as folder:
        copies: queue.Queue[Path] = queue.Queue()
        for number in range(workers):
            (Path(folder) / str(number)).mkdir()
            copies.put(copy_repository(Path(folder) / str(number)))
        first = copies.get()
        require_green({mutant.path for mutant in mutants}, first, seconds)
        copies.put(first)

        def one(mutant: Mutant) -> tuple[Mutant, bool]:
            copy = copies.get()
            try:
                return mutant, survives(mutant, copy, seconds)
            finally:
                copies.put(copy)

        survivors = []
        with ThreadPoolExecutor(workers) as pool:
            for mutant, survived in tqdm(
                pool.map(one, mutants), total=len(mutants), unit=" mutant"
            ):
                if survived:
                    survivors.append(mutant)
                    tqdm.write(f"survived: {mutant}")
        return survivors


def main() -> int:
    """Print what survived; 1 when more than a tenth did."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--count", type=int, default=60, help="how many changes")
    parser.add_argument("--seed", type=int, default=0, help="which sample")
    parser.add_argument("--workers", type=int, default=2, help="how many at a time")
    parser.add_argument("--seconds", type=float, default=600, help="a stage may take so long")
    options = parser.parse_args()
    mutants = sample(options.count, options.seed)
    survivors = run(mutants, options.workers, options.seconds)
    killed = 1 - len(survivors) / len(mutants)
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} changes were noticed ({killed:.0%}).")
    for mutant in survivors:
        print(f"  survived: {mutant}")
    return 0 if killed >= KILLED else 1


if __name__ == "__main__":
    sys.exit(main())
