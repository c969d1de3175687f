"""Every public callable answers every bad value clearly, or takes it because it may."""

import inspect
import math
from collections import Counter
from collections.abc import Iterator

import pytest
from fuzz import CLEAR, MISNAMED, RAW, SILENT, Call, Outcome, fuzz, good
from good_calls import GOOD
from test_reference import PAGES, described_objects, public_methods

from gnet_lib import fashion_mnist
from gnet_lib._check import require_whole_number

# --- what is public ----------------------------------------------------------------------

NOT_CALLED = {
    "PlacedLayer": "a tuple with names, which the library fills",
    "LayerShape": "a tuple with names, which the library fills",
    "Printed": "a tuple with names, which the library fills",
    "GoogLeNetOutputs": "a tuple with names, which the library fills",
    "Result": "what check returns",
    "AnswerType": "abstract; its methods get answers, which may be anything",
}


def public_calls() -> set[str]:
    """Every function, class and method that the reference describes, as room.name."""
    found = set()
    for page in PAGES:
        for full_name, value in described_objects(page).items():
            name = full_name.removeprefix("gnet_lib.")
            if value.__name__ in NOT_CALLED or inspect.isclass(value) and issubclass(value, Exception):
                continue
            found.add(name)
            if inspect.isclass(value):
                methods = public_methods(value).items()
                found |= {f"{name}.{method}" for method, each in methods if each.__doc__}
    return found


def test_every_public_callable_has_a_good_call():
    public = public_calls()
    assert len(public) > 100
    missing = public - set(GOOD)
    assert not missing, f"tests/good_calls.py needs a good call of {sorted(missing)}"
    inherited = {name for name in set(GOOD) - public if name.endswith(".forward")}
    assert set(GOOD) - public == inherited


# --- the fuzz ----------------------------------------------------------------------------

# (callable, argument, value) -> why a value that the annotation does not allow may succeed; "*"
# stands for all.
ACCEPTED: dict[tuple[str, str, str], str] = {}

COUNTED: dict[str, Counter[str]] = {}


@pytest.fixture(scope="module", autouse=True)
def figure() -> Iterator[None]:
    """The fuzz's own number, shown by ``pytest -s``."""
    yield
    total = Counter()
    for room, counted in COUNTED.items():
        print(f"\n{room:12}", dict(counted), end="")
        total += counted
    print(f"\n{total.total():,} calls with a bad value:", dict(total))


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A folder of the test's own, no copy of the data set, and no network."""

    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GNET_DATA", raising=False)
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "none")
    monkeypatch.setattr(fashion_mnist.urllib.request, "urlopen", offline)
    return tmp_path


@pytest.mark.parametrize("name", GOOD)
def test_wrong_arguments_are_answered_clearly(name, nowhere):
    make = GOOD[name]
    make()()  # the call is good
    outcomes = fuzz(make, lambda *place: (name, *place) in ACCEPTED or (name, place[0], "*") in ACCEPTED)
    counted = COUNTED.setdefault(name.partition(".")[0], Counter())
    counted.update(each.verdict for each in outcomes)
    bad = [each for each in outcomes if each.verdict != CLEAR]
    assert not bad, f"{len(bad)} of {len(outcomes)}:\n" + "\n".join(map(str, bad))
