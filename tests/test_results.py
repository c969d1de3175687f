"""Tests of the recorded results in gnet_lib/results/ and of the benchmarks that make them.

A record is compared with the script that made it, with what can be computed without it
(sizes of networks, sums), and with a short run of the same command. The comparisons
``fair``, ``heads`` and ``side_by_side`` have files of tests of their own.
"""

import datetime
import json
import math
from pathlib import Path
from typing import Any

import ablations
import best
import common
import heads
import pytest
import recipe
import record_all
import side_by_side
import torch
from conftest import ROOT, parameters_of, short_run_by_command
from torch import nn

from gnet_lib import MiniGoogLeNet, evaluate, set_seed, torchinfo_cost
from gnet_lib.data import ImageDataset
from gnet_lib.records import FOLDER, read_record

RUNS = {
    "best": best.RUNS,
    "recipe": recipe.RUNS,
    "side_by_side": side_by_side.RUNS,
    "ablations": ablations.RUNS,
    "heads": heads.RUNS,
}
SHORT = {
    "best": best.SHORT,
    "recipe": recipe.SHORT,
    "side_by_side": side_by_side.SHORT,
    "ablations": ablations.SHORT,
    "heads": heads.SHORT,
}


def recorded(name: str) -> dict:
    return read_record(name)


# --- every record ------------------------------------------------------------------------


def test_every_benchmark_can_be_recorded_and_was():
    scripts = {file.stem for file in (ROOT / "benchmarks").glob("*.py")} - {
        "common",
        "record_all",
        "cifar10",
    }
    assert set(record_all.COMMANDS) == scripts
    assert {file.stem for file in FOLDER.glob("*.json")} == scripts


@pytest.mark.parametrize("name", [*RUNS, "fair"])
def test_a_record_says_how_it_was_made(name):
    file = recorded(name)
    assert file["command"] == f"python benchmarks/{name}.py"
    for part in ("results", "short"):
        made = file[f"{part} made"]
        assert made["command"].startswith(f"{file['command']} --jobs ")
        datetime.date.fromisoformat(made["date"])
        for field in ("cpu", "instructions", "device", "system", "python", "torch", "torchvision"):
            assert made["machine"][field], field
        assert 1 <= made["machine"]["threads"] <= made["machine"]["cores"]
        for run in file[part]["runs"].values():
            datetime.date.fromisoformat(run["finished"])
            assert run["machine"]["torch"] == made["machine"]["torch"]


@pytest.mark.parametrize("name", RUNS)
def test_a_record_was_made_with_the_settings_of_its_script(name):
    file = recorded(name)
    for part, runs in (("results", RUNS[name]), ("short", SHORT[name])):
        assert {run: each["settings"] for run, each in file[part]["runs"].items()} == runs
    for settings in RUNS[name].values():
        assert "seed" in settings or name == "ablations" and "rounds" in settings


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_a_record_is_plain_json(file):
    def refuse(constant: str):
        raise AssertionError(f"{constant} is no JSON")

    json.loads(file.read_text(encoding="utf-8"), parse_constant=refuse)


# --- the recipe --------------------------------------------------------------------------


def test_the_recipes_goals_are_computed_from_its_runs():
    results = recorded("recipe")["results"]
    assert recipe.GOALS == {"20 seconds": 0.90, "40 seconds": 0.915, "6 minutes": 0.937}
    assert recipe.TIME_LIMITS == {"20 seconds": 20, "40 seconds": 40, "6 minutes": 360}
    assert results["goals"] == recipe.summary(results["runs"])
    for name, goal in results["goals"].items():
        runs = [results["runs"][f"{name}, seed {seed}"]["result"] for seed in (0, 1, 2)]
        accuracies = [run["accuracy"] for run in runs]
        assert goal["accuracy"] == pytest.approx(sum(accuracies) / 3, abs=1e-5)
        assert goal["seconds"] == max(run["seconds"] for run in runs)


@pytest.mark.parametrize("name", ["recipe", "best"])
def test_the_recipes_runs_agree_with_themselves(name):
    for run in recorded(name)["results"]["runs"].values():
        settings, result = run["settings"], run["result"]
        model = MiniGoogLeNet(width=settings["width"])
        assert result["network"]["parameters"] == parameters_of(model) < 1_000_000
        assert [row["epoch"] for row in result["rows"]] == list(range(1, settings["epochs"] + 1))
        assert result["accuracy"] == result["rows"][-1]["test_accuracy"]
        assert result["test_images"] == 10_000
        assert result["seconds"] == pytest.approx(
            sum(row["seconds"] for row in result["rows"]), abs=0.1
        )
        images = settings["train_images"] // settings["batch_size"] * settings["batch_size"]
        for row in result["rows"]:
            assert row["images_per_second"] * row["seconds"] == pytest.approx(images, rel=1e-3)


def test_small_images_count_as_small_in_a_trainings_cost():
    for run in recorded("recipe")["results"]["runs"].values():
        settings, result = run["settings"], run["result"]
        steps = settings["epochs"] * (settings["train_images"] // settings["batch_size"])
        small = math.ceil(settings["small_until"] * steps)
        costs = [
            torchinfo_cost(MiniGoogLeNet(), (1, 1, size, size)).multiply_adds for size in (20, 28)
        ]
        forward = small * costs[0] + (steps - small) * costs[1]
        assert result["training_multiply_adds"] == 3 * settings["batch_size"] * forward


@pytest.mark.parametrize(
    ("accuracies", "seconds", "met"),
    [
        ((0.89, 0.90, 0.91), (19.9, 20.0, 10.0), True),
        ((0.95, 0.95, 0.95), (19.9, 20.1, 10.0), False),
        ((0.89, 0.90, 0.9099), (1.0, 1.0, 1.0), False),
    ],
)
def test_whether_a_goal_is_met(accuracies, seconds, met):
    runs = {
        f"{name}, seed {seed}": {
            "result": {"accuracy": one, "accuracy_with_mirrored": one, "seconds": its}
        }
        for name in recipe.GOALS
        for seed, (one, its) in enumerate(zip(accuracies, seconds, strict=True))
    }
    assert recipe.summary(runs)["20 seconds"]["met"] is met


def test_the_mean_with_the_mirror_image_is_that_of_the_probabilities():
    set_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 3))
    images = torch.randn(5, 1, 28, 28)
    by_hand = (network(images).softmax(1) + network(images.flip(3)).softmax(1)) / 2
    assert torch.allclose(recipe.WithMirrored(network)(images).softmax(1), by_hand, atol=1e-6)
    labels = by_hand.argmax(1)
    assert evaluate(recipe.WithMirrored(network), ImageDataset(images, labels)).accuracy == 1


# --- what was tried ----------------------------------------------------------------------


def test_a_trial_differs_from_the_baseline_in_one_setting_and_sees_no_test_image():
    for name, change in (ablations.CHANGES | ablations.LONG_CHANGES).items():
        # SGD brings rates and a schedule of its own; mirroring in turns replaces the other one.
        together = {"optimizer", "learning_rate", "warm_up", "shape"}, {"max_shift", "extra"}
        alone = len(change) == (name != "the recipe")
        assert alone or any(set(change) <= each for each in together), name
    for name, run in recorded("ablations")["results"]["runs"].items():
        if name not in ("speed", "speed_compiled"):
            assert run["result"]["validation_images"] == ablations.HELD_OUT
            assert 0.5 < run["result"]["validation_accuracy"] < 1


def test_the_trials_network_is_the_recipes():
    """The other two stems change what they say."""
    trial, usual = ablations.build_trial(ablations.BASELINE), recipe.build(recipe.USUAL)
    images = torch.randn(2, 1, 28, 28)
    assert torch.equal(trial.eval()(images), usual.eval()(images))
    for stem, kernel in (("5x5, stride 2", 5), ("3x3, stride 2", 3)):
        other: Any = ablations.build_trial({**ablations.BASELINE, "stem": stem})
        assert other.body["conv1"].conv.kernel_size == (kernel, kernel)
        names = list(other.body)
        in_front_of_3a = nn.Sequential(*(other.body[name] for name in names[: names.index("3a")]))
        assert in_front_of_3a(images).shape[2:] == (14, 14)


# --- the best ------------------------------------------------------------------------------


def test_the_best_is_the_mean_of_three_seeds_of_a_network_small_enough():
    results = recorded("best")["results"]
    runs = [run["result"] for run in results["runs"].values()]
    assert sorted(run["settings"]["seed"] for run in results["runs"].values()) == [0, 1, 2]
    assert (best.GOAL, best.LARGEST, best.BEST["epochs"]) == (0.95, 1_000_000, 40)
    size = parameters_of(MiniGoogLeNet(width=1.5))
    assert {run["network"]["parameters"] for run in runs} == {size} and size < best.LARGEST
    mean = sum(run["accuracy"] for run in runs) / 3
    assert results["goal"]["accuracy"] == pytest.approx(mean, abs=1e-5)
    assert results["goal"]["met"] == (mean >= best.GOAL)


@pytest.mark.parametrize(
    ("accuracies", "size", "met"),
    [
        ((0.949, 0.951), 999_999, True),
        ((0.949, 0.9509), 999_999, False),
        ((0.96, 0.96), 1_000_000, False),
    ],
)
def test_the_best_must_be_good_and_small(accuracies, size, met):
    runs = {
        str(number): {
            "result": {
                "accuracy": each,
                "accuracy_with_mirrored": each,
                "network": {"parameters": size},
            }
        }
        for number, each in enumerate(accuracies)
    }
    assert best.summary(runs)["met"] is met


# --- short runs again --------------------------------------------------------------------


def test_a_short_run_of_the_recipe_gives_the_recorded_figures(short_run):
    now = short_run("recipe")["runs"]["short"]["result"]
    then = recorded("recipe")["short"]["runs"]["short"]["result"]
    assert now["network"] == then["network"]
    assert len(now["rows"]) == len(then["rows"])
    # Other processors round differently, and bfloat16 is not on all of them.
    for name in ("accuracy", "accuracy_with_mirrored"):
        assert now[name] == pytest.approx(then[name], abs=0.06) and now[name] > 0.5


def test_a_short_run_of_the_best_gives_the_recorded_figures(tmp_path):
    """By the command line, as a reader does it; the other short runs are done in this process."""
    now = short_run_by_command("best", tmp_path)["runs"]["short"]["result"]
    then = recorded("best")["short"]["runs"]["short"]["result"]
    assert now["network"] == then["network"]
    assert now["accuracy"] == pytest.approx(then["accuracy"], abs=0.1)


def test_a_short_run_of_the_trials_gives_the_recorded_figures(short_run):
    now, then = short_run("ablations")["runs"], recorded("ablations")["short"]["runs"]
    assert set(now) == set(then)
    for name in set(now) - {"speed"}:
        accuracies = [runs[name]["result"]["validation_accuracy"] for runs in (now, then)]
        assert accuracies[0] == pytest.approx(accuracies[1], abs=0.12) and accuracies[0] > 0.4
    assert set(now["speed"]["result"]) == set(ablations.VARIANTS)


def test_every_extra_of_a_trial_is_tried_shortly():
    assert {each.get("extra") for each in ablations.SHORT.values()} == set(ablations.EXTRAS)


# --- what the benchmarks share -----------------------------------------------------------


def count_up(name: str, settings: dict, checkpoint: Path) -> dict:
    """A run that leaves a mark each time it is done."""
    with open(settings["marks"], "a", encoding="utf-8") as marks:
        marks.write(f"{name}\n")
    return {"twice": 2 * settings["value"], "threads": torch.get_num_threads()}


@pytest.fixture
def runs(tmp_path, without_processes):
    marks = tmp_path / "marks"
    marks.touch()
    return marks, {
        name: {"value": value, "marks": str(marks)} for name, value in (("one", 1), ("two", 2))
    }


def test_finished_runs_are_not_done_again_and_changed_ones_are(runs):
    marks, settings = runs
    first = common.run_all("test", settings, count_up, jobs=1, threads=1)
    assert [each["result"] for each in first.values()] == [
        {"twice": 2, "threads": 1},
        {"twice": 4, "threads": 1},
    ]
    assert first["one"]["machine"]["runs_at_the_same_time"] == 1
    assert common.run_all("test", settings, count_up, jobs=1, threads=1) == first
    assert marks.read_text().split() == ["one", "two"]

    changed = {**settings, "two": {**settings["two"], "value": 3}}
    again = common.run_all("test", changed, count_up, jobs=1, threads=1)
    assert again["one"] == first["one"] and again["two"]["result"]["twice"] == 6
    assert marks.read_text().split() == ["one", "two", "two"]
    # The earlier settings' result is still there.
    assert common.run_all("test", settings, count_up, jobs=1, threads=1) == first
    assert marks.read_text().split() == ["one", "two", "two"]


def test_only_some_runs_end_the_program_before_anything_is_recorded(runs, capsys):
    marks, settings = runs
    with pytest.raises(SystemExit) as ended:
        common.run_all("test", settings, count_up, jobs=1, threads=1, only=["two"])
    assert not ended.value.code
    assert marks.read_text().split() == ["two"]
    assert "still to be done" in (said := capsys.readouterr().out) and said.endswith(": one\n")
    done = common.run_all("test", settings, count_up, jobs=1, threads=1, only=["one"])
    assert list(done) == ["one", "two"]
    with pytest.raises(SystemExit, match="--only .* one, two; .* three"):
        common.run_all("test", settings, count_up, jobs=1, threads=1, only=["one", "three"])


def test_a_short_record_and_a_long_one_live_in_one_file(tmp_path):
    file = tmp_path / "x.json"
    common.record("x", {"runs": "long"}, common.parse("x", ["--threads", "1", "--out", str(file)]))
    common.record(
        "x", {"runs": "brief"}, common.parse("x", ["--threads", "1", "--short", "--out", str(file)])
    )
    written = json.loads(file.read_text(encoding="utf-8"))
    assert (written["results"], written["short"]) == ({"runs": "long"}, {"runs": "brief"})
    assert written["short made"]["command"] == "python benchmarks/x.py --jobs 1 --threads 1 --short"
    assert not list(tmp_path.glob("*.partial"))


def test_make_results_knows_its_names(capsys):
    with pytest.raises(SystemExit, match="ONLY .* latency, .*; .* fairness"):
        record_all.main(["fairness"])


def test_make_results_starts_what_the_scripts_understand(monkeypatch):
    started = []
    monkeypatch.setattr(
        record_all.subprocess, "run", lambda command, check: started.append(command)
    )
    record_all.main(["recipe"])
    assert [command[1].name for command in started] == ["recipe.py"] * 2
    for name, commands in record_all.COMMANDS.items():
        for arguments in commands:
            if name != "latency":
                options = common.parse(name, arguments.split())
                assert set(options.only or []) <= set(RUNS.get(name, options.only or []))
