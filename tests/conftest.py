"""What several test files share: where things are, and which chapters there are."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"

# The tests of the tools and of the benchmarks import them as the modules they are.
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "benchmarks")]

# Figures in plain tests need no screen. Set before matplotlib is imported anywhere.
os.environ.setdefault("MPLBACKEND", "Agg")
