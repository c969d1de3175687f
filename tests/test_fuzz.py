"""Every public callable answers every bad value clearly, or takes it because it may."""

import inspect
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fuzz as fuzz_room
import pytest
from fuzz import CLEAR, MISNAMED, RAW, SILENT, Outcome, fuzz, good
from good_calls import GOOD
from test_reference import PAGES, described_objects, public_methods

from gnet_lib import fashion_mnist
from gnet_lib._check import require_whole_number

# --- what is public ----------------------------------------------------------------------

NOT_FUZZED = {
    "design.PlacedLayer": "a tuple with names, filled by the library",
    "shapes.LayerShape": "a tuple with names, filled by the library",
    "paper.Printed": "a tuple with names, filled by the library",
    "googlenet.GoogLeNetOutputs": "a tuple with names, filled by the library",
    "exercises.Result": "what check returns",
    "exercises.AnswerType": "abstract; what its methods get are answers, which may be anything",
}


def takes_arguments(function: Callable[..., object]) -> bool:
    return bool(set(inspect.signature(function).parameters) - {"self", "cls"})


def public_calls() -> set[str]:
    """Everything in the reference that takes arguments: functions, classes, their methods."""
    found = set()
    for full_name, value in [each for page in PAGES for each in described_objects(page).items()]:
        name = full_name.removeprefix("gnet_lib.")
        if name in NOT_FUZZED or (inspect.isclass(value) and issubclass(value, Exception)):
            continue
        calls = {name: value}
        if inspect.isclass(value):
            methods: dict[str, Any] = public_methods(value)
            calls |= {f"{name}.{each}": method for each, method in methods.items()}
        found |= {each for each, call in calls.items() if call.__doc__ and takes_arguments(call)}
    return found


def test_every_public_callable_has_a_good_call():
    public = public_calls()
    assert len(public) > 100
    missing = sorted(public - set(GOOD))
    assert not missing, f"tests/good_calls.py needs a good call of {', '.join(missing)}"
    # The others are methods that a class has from its base.
    assert all(name.endswith(".forward") for name in set(GOOD) - public), set(GOOD) - public


# --- the fuzz ----------------------------------------------------------------------------

# (callable, argument) -> why any value at all is right there.
ANYTHING = {
    ("exercises.check", "answer"): "a reader's answer: whatever it is, one line says what is wrong",
    ("exercises.evidence", "answer"): "a reader's answer, as above",
    ("identity.describe", "value"): "any value can be described",
}

# (callable, argument) -> why a value that is not finite is right there.
NOT_FINITE = {("history.Evaluation", "loss"): "the loss of a model that has gone astray"}

# A forward pass leaves these to PyTorch, which says in words what does not fit: under autocast
# half precision is right, and so are tensors without memory where a tool records a network.
LEFT_TO_TORCH = {"of half precision", "on meta"}

COUNTED: dict[str, Counter[str]] = {}


@pytest.fixture(scope="module", autouse=True)
def figure() -> Iterator[None]:
    """The fuzz's own number, shown by ``pytest -s``."""
    yield
    whole: Counter[str] = Counter()
    for room, counted in COUNTED.items():
        print(f"\n{room:14}{counted.total():6,} calls  {dict(counted)}", end="")
        whole += counted
    print(f"\nall rooms     {whole.total():6,} calls  {dict(whole)}")


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the sample, for instance
        GOOD[name]()()  # the call is good
    anything = {argument for call, argument in ANYTHING if call == name}
    outcomes = fuzz(GOOD[name], anything, LEFT_TO_TORCH if name.endswith(".forward") else ())
    outcomes = [each for each in outcomes if not may_be_not_finite(name, each)]
    COUNTED.setdefault(name.partition(".")[0], Counter()).update(each.verdict for each in outcomes)
    bad = [str(each) for each in outcomes if each.verdict != CLEAR]
    assert not bad, f"{len(bad)} of {len(outcomes)}:\n" + "\n".join(bad)


def may_be_not_finite(name: str, outcome: Outcome) -> bool:
    not_finite = outcome.value in ("nan", "inf", "-inf")
    return not_finite and outcome.verdict == SILENT and (name, outcome.argument) in NOT_FINITE


# --- does the fuzz see anything? ---------------------------------------------------------


def careful(count: int) -> int:
    return require_whole_number("count", count)


def raw(count: int) -> int:
    return {1: 1}[count]


def misnamed(count: int) -> int:
    return require_whole_number("size", count)


def by_accident(count: int) -> int:
    raise ValueError(f"count: {count}")  # says another library


def silent(count: int) -> None:
    pass


def talkative(count: int) -> int:
    print(count)
    return require_whole_number("count", count)


def untidy(count: int) -> int:
    Path(f"left over {len(list(Path().iterdir()))}").touch()
    return require_whole_number("count", count)


def endless(count: int) -> None:
    while count != 1:
        pass


@pytest.mark.parametrize("function, verdict", [
    (careful, CLEAR), (raw, RAW), (misnamed, MISNAMED), (by_accident, MISNAMED),
    (silent, SILENT), (talkative, RAW), (untidy, RAW), (endless, RAW),
])  # fmt: skip
def test_the_fuzz_sees_faults(function, verdict, nowhere, monkeypatch):
    monkeypatch.setattr(fuzz_room, "SECONDS", 0.01)
    outcomes = {each.value: each.verdict for each in fuzz(lambda: good(function, count=1))}
    assert len(outcomes) > 30 and outcomes["an object"] == verdict
    assert silent is not function or outcomes["0"] == CLEAR  # which its annotation allows
