"""Tests of the record of benchmarks/heads.py, and of what chapter 6 takes from it.

The record is compared with its script, with itself, and with a short run made anew. What
decides whether a network starts is recomputed here from the runs.
"""

import json

import heads
import pytest
import torch

from gnet_lib.googlenet import DEEP_ROWS
from gnet_lib.records import read_record

ROWS = ["conv1", "conv2", "3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b", "fc"]


@pytest.fixture(scope="module")
def record() -> dict:
    return read_record("heads")


@pytest.fixture(scope="module")
def runs(record) -> dict:
    return record["results"]["runs"]


def select(runs: dict, group: str, **settings) -> list[dict]:
    """The results of the runs of a group that have these settings."""
    return [
        run["result"] for name, run in runs.items()
        if name.startswith(group) and settings.items() <= run["settings"].items()
    ]  # fmt: skip


# --- the script --------------------------------------------------------------------------


def test_the_runs_are_all_combinations():
    plain = [each for name, each in heads.RUNS.items() if name.startswith("plain")]
    found = {(each["start"], each["learning_rate"], each["heads"], each["seed"]) for each in plain}
    assert len(plain) == len(found) == 3 * 4 * 2 * 2
    assert {each["norm"] for each in plain} == {"none"}
    assert len(heads.RUNS) == 48 + 8 + 4 + 6
    assert len({json.dumps(each) for each in heads.RUNS.values()}) == len(heads.RUNS)


def test_the_network_is_the_papers_depth_without_normalisation():
    settings = heads.RUNS["plain he 0.03 heads seed 0"]
    model = heads.build(settings)
    assert list(model.body) == [row.name for row in DEEP_ROWS]
    assert list(model.heads) == ["4a", "4d"]
    assert not [layer for layer in model.modules() if "Norm" in type(layer).__name__]
    weight = model.fc.weight
    assert weight.var().item() * weight.shape[1] == pytest.approx(2, rel=0.15)  # He's
    assert not len(heads.build({**settings, "heads": False}).heads)
    normalised = heads.build({**settings, "norm": "batch"})
    assert [layer for layer in normalised.modules() if isinstance(layer, torch.nn.BatchNorm2d)]


def test_the_seed_decides_the_first_weights():
    settings = heads.RUNS["plain he 0.03 none seed 0"]
    first, again, other = (heads.build({**settings, "seed": seed}) for seed in (0, 0, 1))
    assert torch.equal(first.fc.weight, again.fc.weight)
    assert not torch.equal(first.fc.weight, other.fc.weight)


def test_held_out_images_are_not_trained_on(monkeypatch):
    from gnet_lib.data import ImageDataset

    numbered = torch.arange(6_000.0).view(-1, 1, 1, 1).expand(-1, 1, 28, 28)
    whole = ImageDataset(numbered, torch.arange(6_000) % 10)
    monkeypatch.setattr(heads, "fashion_mnist", lambda: (whole, None))
    heads.datasets.cache_clear()
    rest, held_out = heads.datasets()
    heads.datasets.cache_clear()
    trained = set(rest.stratified_subset(3_200).images[:, 0, 0, 0].tolist())
    assert len(held_out) == heads.HELD_OUT == 2_000
    assert not trained & set(held_out.images[:, 0, 0, 0].tolist())


# Its images are far from normalised on purpose.
@pytest.mark.filterwarnings("ignore:the images of:RuntimeWarning")
def test_divergence_is_a_result(monkeypatch, tmp_path):
    from gnet_lib.data import ImageDataset

    torch.manual_seed(0)
    whole = ImageDataset(1e3 * torch.randn(200, 1, 28, 28), torch.arange(200) % 10)
    monkeypatch.setattr(heads, "datasets", lambda: whole.split(70))
    monkeypatch.setattr(heads, "BATCH", 20)
    chosen = {
        **heads.RUNS["plain he 0.3 none seed 0"],
        "images": 60,
        "epochs": 2,
        "learning_rate": 1e6,
    }
    result = heads.run_one("diverges", chosen, tmp_path / "x.pt")
    assert "is not finite" in result["diverged"] and result["epochs"] == []
    assert not result["learnt"]
    json.dumps(heads.tidy(result), allow_nan=False)


def test_tidy_keeps_what_json_can_hold():
    untidy = {
        "a": [1 / 3, float("nan"), float("inf")],
        "b": {"c": 7, "d": "0.123456789", "e": None, "f": True},
    }
    assert heads.tidy(untidy) == {
        "a": [0.33333, None, None],
        "b": {"c": 7, "d": "0.123456789", "e": None, "f": True},
    }


# --- the record --------------------------------------------------------------------------


def test_each_run_agrees_with_itself(runs):
    for name, run in runs.items():
        settings, result = run["settings"], run["result"]
        assert result["learnt"] == (result["accuracy"] > heads.LEARNT == 0.2)
        assert list(result["before"]["gradient"]) == ROWS
        assert list(result["before"]["signal"]) == ["images", *(row.name for row in DEEP_ROWS)]
        if result["diverged"]:
            assert "is not finite" in result["diverged"]
            continue
        assert [row["epoch"] for row in result["epochs"]] == list(range(1, settings["epochs"] + 1))
        last = result["epochs"][-1]
        assert result["accuracy"] == pytest.approx(last["validation_accuracy"], abs=1e-6), name
        assert result["accuracy"] * heads.HELD_OUT == pytest.approx(
            round(result["accuracy"] * heads.HELD_OUT), abs=0.02
        )


def test_first_weights_are_the_same_whatever_the_learning_rate(runs):
    for start in heads.STARTS:
        for with_heads in (False, True):
            for seed in heads.SEEDS:
                same = select(runs, "plain", start=start, heads=with_heads, seed=seed)
                assert len(same) == len(heads.RATES)
                assert all(each["before"] == same[0]["before"] for each in same)


def test_a_networks_first_look_can_be_made_again(runs):
    """The gradient of the weights as they begin: computed here, on the same images."""
    rest_and_held_out = heads.datasets()
    name = "plain pytorch 0.003 heads seed 1"
    now = heads.look_inside(heads.build(heads.RUNS[name]), rest_and_held_out[1], 0.3)
    heads.datasets.cache_clear()
    then = runs[name]["result"]["before"]
    # The signal of the last rows is below float32's rounding of what the images share.
    assert now["gradient"] == pytest.approx(then["gradient"], rel=0.02)
    assert {row: now["signal"][row] for row in ("images", "3b", "4a")} == pytest.approx(
        {row: then["signal"][row] for row in ("images", "3b", "4a")}, rel=0.02
    )


# --- a short run again -------------------------------------------------------------------


def test_a_short_run_gives_the_recorded_figures(record, short_run, monkeypatch):
    """Two of the four: one at each learning rate, one with the auxiliary classifiers."""
    chosen = ("plain he 0.03 heads seed 0", "plain he 0.3 none seed 0")
    monkeypatch.setattr(heads, "SHORT", {name: heads.SHORT[name] for name in chosen})
    now, then = short_run("heads")["runs"], record["short"]["runs"]
    assert set(now) == set(chosen)
    for name, run in now.items():
        new, old = run["result"], then[name]["result"]
        assert new["learnt"] == (new["accuracy"] > 0.2)
        assert new["before"]["gradient"] == pytest.approx(old["before"]["gradient"], rel=0.02)
        if run["settings"]["learning_rate"] < 0.1:
            # Another processor rounds differently, and a plain deep network amplifies it.
            assert new["epochs"][0]["train_loss"] == pytest.approx(
                old["epochs"][0]["train_loss"], rel=0.1
            )
            assert new["accuracy"] == pytest.approx(old["accuracy"], abs=0.25)
        else:
            assert new["accuracy"] == pytest.approx(old["accuracy"], abs=0.02)  # neither starts
