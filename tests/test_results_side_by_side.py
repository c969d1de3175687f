"""Tests of ``benchmarks/side_by_side.py`` and of its record: ours against the usual set-ups."""

from statistics import median
from typing import Any

import pytest
import side_by_side
import torch
from conftest import parameters_of
from torch import nn
from torchvision import models

from gnet_lib import MiniGoogLeNet, set_seed
from gnet_lib.records import read_record
from gnet_lib.variants import notes_variant


def recorded() -> dict:
    return read_record("side_by_side")


def test_the_networks_side_by_side_are_what_they_are_called():
    names = side_by_side.RUNS["speed"]["batches"]
    networks: dict[str, Any] = {**side_by_side.build_all(names, 0.25, 0.5, seed=0)}
    theirs = models.googlenet(weights=None, num_classes=10, aux_logits=False, init_weights=False)
    assert parameters_of(networks["ours"]) == parameters_of(MiniGoogLeNet())
    assert parameters_of(networks["tutorial"]) == parameters_of(notes_variant())
    two_channels_less = 64 * 7 * 7 * 2
    for name in ("torchvision", "torchvision at 28x28", "torchvision at 28x28 by fit"):
        assert parameters_of(networks[name]) == parameters_of(theirs) - two_channels_less
    weight = networks["tutorial"].network.fc.weight
    bound = (6 / (1024 + 10)) ** 0.5  # Xavier's
    assert 0.9 * bound < weight.abs().max() <= bound


def test_the_tutorials_network_gets_pixels_from_0_to_1_at_96x96():
    white = (torch.ones(2, 1, 28, 28) - 0.25) / 0.5  # as normalised
    seen = side_by_side.Tutorial(nn.Identity(), mean=0.25, std=0.5)(white)
    assert seen.shape == (2, 1, 96, 96)
    assert torch.allclose(seen, torch.ones(2, 1, 96, 96))


def test_training_like_a_tutorial_is_plain_sgd():
    """One step by hand: every weight moves by the learning rate times its gradient."""
    set_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    images, labels = torch.randn(4, 1, 4, 4), torch.tensor([0, 1, 2, 0])
    before = {name: each.detach().clone() for name, each in model.named_parameters()}
    loss = torch.nn.functional.cross_entropy(model(images), labels)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    expected = {
        name: before[name] - 0.1 * gradient
        for name, gradient in zip(before, gradients, strict=True)
    }
    assert list(side_by_side.train_plainly(model, iter([(images, labels)]))) == [4]
    for name, each in model.named_parameters():
        assert torch.allclose(each, expected[name])


def test_the_first_look_at_an_accuracy_counts_and_none_is_none():
    rows = [
        {"images": 100, "seconds": 1.0, "accuracy": 0.7},
        {"images": 200, "seconds": 2.0, "accuracy": 0.85},
        {"images": 300, "seconds": 3.0, "accuracy": 0.84},
    ]
    assert side_by_side.first_at(0.8, rows, 10) == {
        "images": 200,
        "seconds": 2.0,
        "multiply_adds": 6000,
    }
    assert side_by_side.first_at(0.9, rows, 10) is None


@pytest.mark.parametrize(
    ("reached", "factor", "is_lower_bound"), [({"seconds": 500.0}, 25.0, False), (None, 36.0, True)]
)
def test_what_was_not_reached_is_a_lower_bound(reached, factor, is_lower_bound):
    accuracy = {
        "ours": [{"reached": {"88%": {"seconds": seconds}}} for seconds in (10.0, 20.0, 90.0)],
        "tutorial": {"seconds": 720.0, "reached": {"88%": reached}},
    }
    found = side_by_side.times_sooner("88%", accuracy)
    assert found == {"factor": factor, "is_lower_bound": is_lower_bound}
    accuracy["ours"][1]["reached"]["88%"] = None
    assert side_by_side.times_sooner("88%", accuracy) == {"factor": None, "is_lower_bound": False}


def test_side_by_side_agrees_with_itself():
    results = recorded()["results"]
    speed, accuracy = (results["runs"][part]["result"] for part in ("speed", "accuracy"))
    assert side_by_side.summary(speed, accuracy) == results["goals"]
    for each in speed.values():
        assert len(each["rates"]) >= 5
        assert each["images_per_second"] == pytest.approx(median(each["rates"]), abs=0.06)
    for run in [*accuracy["ours"], accuracy["torchvision"], accuracy["tutorial"]]:
        check_outcome(run)


def check_outcome(run: dict) -> None:
    """What a run says it reached is what its looks say."""
    images = [row["images"] for row in run["rows"]]
    assert images == sorted(set(images)) and images[-1] <= run["images"]
    for level in (80, 85, 88, 90):
        reached, looks = run["reached"][f"{level}%"], run["rows"]
        sooner = [row for row in looks if row["accuracy"] >= level / 100]
        assert (reached is None) == (not sooner)
        if reached:
            assert (reached["images"], reached["seconds"]) == (
                sooner[0]["images"],
                sooner[0]["seconds"],
            )
            assert (
                reached["multiply_adds"] == 3 * run["network"]["multiply_adds"] * reached["images"]
            )


def test_side_by_side_refuses_company():
    with pytest.raises(SystemExit, match="side_by_side needs --jobs 1"):
        side_by_side.main(["--jobs", "2", "--short"])


def test_a_short_run_side_by_side_gives_the_recorded_figures(short_run):
    now, then = short_run("side_by_side"), recorded()["short"]
    speed, speed_then = (each["runs"]["speed"]["result"] for each in (now, then))
    for name, each in speed.items():
        assert each["multiply_adds"] == speed_then[name]["multiply_adds"]
    # Times differ from machine to machine, and with what else it does; not the order.
    assert speed["ours"]["images_per_second"] > 3 * speed["tutorial"]["images_per_second"]
    assert speed["ours"]["images_per_second"] > 3 * speed["torchvision"]["images_per_second"]
    ours, ours_then = (each["runs"]["accuracy"]["result"]["ours"][0] for each in (now, then))
    assert ours["images"] == ours_then["images"]
    assert ours["accuracy"] == pytest.approx(ours_then["accuracy"], abs=0.15)
    check_outcome(ours)
