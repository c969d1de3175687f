"""Tests of Muon and of the one-cycle learning rate, against torch's own and by hand."""

import math

import pytest
import torch
from tiny_training import STEPS, Noise, easy_set, run, tiny_model
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from gnet_lib import MiniGoogLeNet
from gnet_lib.optimizers import Muon, one_cycle, orthogonalised

# --- orthogonalised ----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(8, 8), (5, 30), (30, 5), (1, 9), (9, 1)])
def test_orthogonalised_against_the_singular_values(shape):
    matrix = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    result = orthogonalised(100 * matrix)
    assert result.shape == matrix.shape and result.dtype == matrix.dtype
    # The same directions in and out, each with a length of its own near 1.
    lengths = left.mT @ result @ right.mT
    torch.testing.assert_close(lengths, torch.diag(lengths.diagonal()), rtol=0, atol=1e-9)
    wanted = values / values.norm()
    for _ in range(3):
        wanted = 3.4445 * wanted - 4.7750 * wanted**3 + 2.0315 * wanted**5
    torch.testing.assert_close(lengths.diagonal(), wanted)
    assert (lengths.diagonal()[values >= values.norm() / 50] - 0.945).abs().max() < 0.27


def test_more_steps_bring_small_singular_values_near_1_too():
    matrix = torch.diag(torch.tensor([1.0, 0.003]))
    few, many = (orthogonalised(matrix, steps)[1, 1] for steps in (1, 6))
    assert few < 0.02 and 0.68 < many < 1.21


def test_a_gradient_of_zeros_changes_nothing():
    assert torch.equal(orthogonalised(torch.zeros(3, 4)), torch.zeros(3, 4))


# --- Muon --------------------------------------------------------------------------------


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 36, 4)
    )


def test_everything_but_filters_takes_the_steps_of_sgd():
    ours, theirs = network(), network()
    optimizer = Muon(ours.parameters(), lr=1e-9, sgd_lr=0.05, sgd_momentum=0.8, weight_decay=0.1)
    filters, *rest = theirs.parameters()
    sgd = torch.optim.SGD(rest, lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.1)
    with torch.no_grad():  # Muon scales them; with a step of almost 0 nothing else happens
        filters.mul_(6**0.5 / filters.norm())
    images, labels = torch.randn(5, 1, 8, 8), torch.tensor([0, 1, 2, 3, 0])
    for _ in range(4):
        for model, its in ((ours, optimizer), (theirs, sgd)):
            its.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            its.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=2e-3, atol=1e-5)


def test_two_steps_of_the_filters_by_hand():
    weight = nn.Parameter(torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(0)))
    gradients = torch.randn(2, 4, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    optimizer, by_hand = Muon([weight], lr=0.2, momentum=0.5), weight.detach().clone()
    kept = torch.zeros_like(by_hand)
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
        kept = 0.5 * kept + gradient
        change = orthogonalised((gradient + 0.5 * kept).reshape(4, 18)).reshape(4, 2, 3, 3)
        by_hand = by_hand * 2 / by_hand.norm() - 0.2 * change  # 4 filters: a norm of 2
    torch.testing.assert_close(weight.detach(), by_hand)


def test_groups_of_ones_own_and_parameters_without_gradient():
    conv, linear = nn.Conv2d(1, 2, 3), nn.Linear(3, 2)
    groups = [
        {"params": conv.parameters(), "lr": 0.3, "weight_decay": 0.0},
        {"params": linear.weight, "lr": 0.4, "sgd_lr": 0.5, "weight_decay": 0.01},
    ]
    optimizer = Muon(groups)
    found = [
        (group["orthogonal"], group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
    ]
    assert found == [(True, 0.3, 0.0), (False, 0.1, 0.0), (False, 0.5, 0.01)]
    before = conv.weight.clone()
    linear.weight.grad = torch.ones_like(linear.weight)
    assert optimizer.step(lambda: 3.0) == 3.0
    assert torch.equal(conv.weight, before)


def test_a_stopped_run_with_muon_is_the_uninterrupted_one(tmp_path):
    recipe = {"optimizer": Muon, "augment": Noise(), "epochs": 2}
    whole, stopped = tiny_model(), tiny_model()
    run(whole, **recipe)
    path = tmp_path / "run.pt"
    run(stopped, checkpoint=path, **{**recipe, "augment": Noise(interrupt_at=STEPS + 2)})
    run(stopped, checkpoint=path, **recipe)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, stopped.state_dict()[name])


def test_fit_gives_muon_its_rate_and_spares_the_normalisation():
    def note(groups: list) -> Muon:
        kept.append(Muon(groups))
        found.extend(
            (group["orthogonal"], group["lr"], group["weight_decay"], len(group["params"]))
            for group in kept[0].param_groups
        )
        return kept[0]

    kept, found = [], []
    run(tiny_model(), epochs=1, optimizer=note, learning_rate=0.3)
    assert found == [
        (True, 0.3, 0.0, 1),  # the filters
        (False, 0.1, 5e-4, 1),  # the last layer
        (False, 0.1, 0.0, 4),  # biases and normalisation
    ]


def test_it_learns_faster_than_sgd_here():
    losses = {}
    for name, changes in {"SGD": {}, "Muon": {"optimizer": Muon}}.items():
        torch.manual_seed(0)
        model = MiniGoogLeNet(width=0.25)
        losses[name] = run(model, easy_set(160), epochs=2, **changes).rows[-1]["train_loss"]
    assert losses["Muon"] < losses["SGD"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lr": 0}, "lr must .* 0"), ({"momentum": 1}, "momentum must .* 1"),
        ({"weight_decay": -1}, "weight_decay must .* -1"), ({"sgd_lr": math.nan}, "sgd_lr must"),
        ({"sgd_momentum": "no"}, "sgd_momentum must .* 'no'"), ({"steps": 0}, "steps must .* 0"),
    ],
)  # fmt: skip
def test_bad_arguments_of_muon(changes, said):
    with pytest.raises(ValueError, match=said):
        Muon(network().parameters(), **changes)


def test_bad_arguments_of_orthogonalised():
    with pytest.raises(ValueError, match=r"matrix must .*\(2, 2, 2\)"):
        orthogonalised(torch.ones(2, 2, 2))
    with pytest.raises(ValueError, match=r"matrix must .*int64"):
        orthogonalised(torch.ones(2, 2).long())
    with pytest.raises(ValueError, match="steps must"):
        orthogonalised(torch.ones(2, 2), 0)


# --- one cycle ---------------------------------------------------------------------------


def rates(schedule: torch.optim.lr_scheduler.LRScheduler, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        found.append(schedule.get_last_lr()[0])
        schedule.optimizer.step()
        schedule.step()
    return found


def sgd(lr: float = 0.5) -> torch.optim.SGD:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)


def test_one_cycle_is_torchs_own():
    theirs = OneCycleLR(sgd(), max_lr=0.5, total_steps=50)
    assert rates(one_cycle(sgd(), 50), 50) == rates(theirs, 50)


def test_a_straight_cycle_by_hand():
    found = rates(one_cycle(sgd(1.0), 101, warm_up=0.1, shape="linear"), 101)
    highest = found.index(max(found))
    assert found[0] == pytest.approx(0.04) and found[highest] == pytest.approx(1, abs=0.02)
    assert 9 <= highest <= 10
    middle = (highest + 100) // 2
    assert found[middle] == pytest.approx(0.5, abs=0.01) and found[-1] < 1e-4


@pytest.mark.parametrize(
    ("steps", "warm_up"), [(1, 0.3), (2, 0.5), (4, 0.25), (10, 0.1), (7, 0.01)]
)
def test_however_few_steps_it_ends_near_0(steps, warm_up):
    found = rates(one_cycle(sgd(1.0), steps, warm_up), steps)
    assert len(found) == steps and all(0 <= rate <= 1 for rate in found)
    assert steps == 1 or found[-1] < 1e-4


def test_bad_arguments_of_one_cycle():
    for changes in ({"warm_up": 0}, {"warm_up": 1}, {"shape": "round"}, {"total_steps": 0}):
        (name,) = changes
        with pytest.raises(ValueError, match=f"{name} must"):
            one_cycle(**{"optimizer": sgd(), "total_steps": 9, **changes})
    with pytest.raises(ValueError, match="optimizer must .* 3"):
        one_cycle(3, 9)  # pyright: ignore[reportArgumentType]
