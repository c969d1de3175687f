"""Tests of gnet_lib.variants: torchvision's GoogLeNet from our parts, with the same outputs.

Truth from outside: ``torchvision.models.googlenet`` itself, in evaluation and in training,
with its heads, its gradients and the statistics that its batch normalisation keeps. Then
each difference between the two networks is undone, one at a time, and the outputs must
no longer agree: a comparison that nothing can spoil proves nothing.
"""

import inspect
import warnings
from typing import Any, NamedTuple

import pytest
import torch
import torchvision
from probes import on_meta, refuses
from torch import nn

from gnet_lib.evaluation import joint_loss
from gnet_lib.googlenet import GoogLeNet
from gnet_lib.paper import TABLE_1, Convolution, MaxPool
from gnet_lib.variants import (
    NOTES_ROWS,
    TORCHVISION_DROPOUT,
    TORCHVISION_ROWS,
    load_torchvision_weights,
    notes_variant,
    torchvision_variant,
)

CLASSES = 10
EXACT = {"rtol": 0, "atol": 1e-10}  # in float64


def torchvision_googlenet(aux: bool = True, num_classes: int = CLASSES) -> Any:
    """torchvision's network with weights that keep the signal alive, in float64."""
    torch.manual_seed(0)
    model = torchvision.models.googlenet(
        weights=None, aux_logits=aux, num_classes=num_classes, init_weights=False
    )
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):  # as after training: no longer 1, 0, 0 and 1
            assert layer.running_mean is not None and layer.running_var is not None
            nn.init.uniform_(layer.weight, 0.8, 1.2)
            nn.init.normal_(layer.bias, std=0.1)
            nn.init.normal_(layer.running_mean, std=0.1)
            nn.init.uniform_(layer.running_var, 0.05, 0.2)
    return model.double()


def ours_with_weights_of(theirs: nn.Module, aux: bool = True) -> Any:
    ours = torchvision_variant(num_classes=CLASSES, aux=aux).double()
    load_torchvision_weights(ours, theirs)
    return ours


def some_images(count: int = 2, size: int = 224) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, size, size, dtype=torch.float64, generator=generator)


def in_evaluation(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(images)


class Step(NamedTuple):
    """A model after one training step, and what it answered."""

    model: Any
    names: tuple[str, ...]
    logits: tuple[torch.Tensor, ...]  # in the paper's order: the end, behind 4a, behind 4d
    loss: torch.Tensor


def their_loss(outputs, labels: torch.Tensor) -> torch.Tensor:
    """The paper's loss by hand."""
    cross_entropy = nn.functional.cross_entropy
    main, first, second = (
        cross_entropy(logits, labels)
        for logits in (outputs.logits, outputs.aux_logits1, outputs.aux_logits2)
    )
    return main + 0.3 * (first + second)


def after_a_step(model: nn.Module) -> Step:
    """Forward and backward on two images; the same random numbers for dropout every time."""
    images, labels = some_images(), torch.tensor([3, 7])
    torch.manual_seed(2)
    outputs = model.train()(images)
    if isinstance(outputs, torchvision.models.GoogLeNetOutputs):
        # torchvision numbers its heads, and lists the second one first.
        logits = (outputs.logits, outputs.aux_logits1, outputs.aux_logits2)
        loss = their_loss(outputs, labels)
    else:
        logits, loss = tuple(outputs), joint_loss(outputs, labels)
    loss.backward()
    return Step(model, outputs._fields, tuple(logit.detach() for logit in logits), loss.detach())


# --- the same outputs --------------------------------------------------------------------


@pytest.mark.parametrize("aux, size", [(True, 96), (False, 97)])
def test_same_logits_in_evaluation(aux, size):
    theirs = torchvision_googlenet(aux)
    images = some_images(size=size)
    expected = in_evaluation(theirs, images)
    torch.testing.assert_close(
        in_evaluation(ours_with_weights_of(theirs, aux), images), expected, **EXACT
    )
    # The images are told apart, so the comparison is about more than biases.
    assert (expected[0] - expected[1]).abs().max() > 0.01


@pytest.fixture(scope="module")
def one_step() -> tuple[Step, Step]:
    """Ours and theirs after one training step. Tests only read them."""
    theirs = torchvision_googlenet()
    ours = ours_with_weights_of(theirs)
    return after_a_step(ours), after_a_step(theirs)


@pytest.mark.parametrize("position, name", [(0, "logits"), (1, "aux_4a"), (2, "aux_4d")])
def test_same_three_logits_in_training(one_step, position, name):
    ours, theirs = one_step
    assert ours.names[position] == name
    torch.testing.assert_close(ours.logits[position], theirs.logits[position], **EXACT)
    others = [logits for index, logits in enumerate(theirs.logits) if index != position]
    heads_differ = [(ours.logits[position] - other).abs().max() > 0.01 for other in others]
    assert all(heads_differ)


def test_heads_stand_where_their_names_say(one_step):
    ours, theirs = one_step
    assert theirs.names == ("logits", "aux_logits2", "aux_logits1")
    for name, head, in_channels in (("4a", "aux1", 512), ("4d", "aux2", 528)):
        of_ours, of_theirs = ours.model.heads[name], getattr(theirs.model, head)
        assert of_ours.conv.conv.in_channels == of_theirs.conv.conv.in_channels == in_channels


def test_same_loss(one_step):
    ours, theirs = one_step
    torch.testing.assert_close(ours.loss, theirs.loss, **EXACT)


def test_same_gradients_after_a_step(one_step):
    ours, theirs = one_step
    pairs = zip(ours.model.named_parameters(), theirs.model.named_parameters(), strict=True)
    for (name, parameter), (_, their_parameter) in pairs:
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name
        torch.testing.assert_close(parameter.grad, their_parameter.grad, **EXACT, msg=name)


def test_same_statistics_after_a_step(one_step):
    ours, theirs = one_step
    fresh = torchvision_googlenet().state_dict()
    pairs = list(zip(ours.model.named_buffers(), theirs.model.named_buffers(), strict=True))
    for (name, buffer), (their_name, their_buffer) in pairs:
        assert name.split(".")[-1] == their_name.split(".")[-1]
        torch.testing.assert_close(buffer, their_buffer, **EXACT, msg=name)
        assert not torch.equal(their_buffer, fresh[their_name]), "the step changed nothing"
    # Mean, variance and a counter for each of 57 convolutions and the two of the heads.
    assert len(pairs) == 3 * 59


# --- each difference matters -------------------------------------------------------------


def with_the_papers_kernel(model):
    """A 5x5 kernel that holds the 3x3 one in its middle and something at its rim."""
    unit = model.body["5b"].branches["5x5"].conv
    weight = nn.functional.pad(unit.conv.weight.detach(), (1, 1, 1, 1), value=0.01)
    unit.conv = nn.Conv2d(48, 128, 5, padding=2, bias=False).double()
    unit.conv.weight.data = weight


def with_the_papers_pooling(model):
    model.body["pool4"] = nn.MaxPool2d(3, stride=2, ceil_mode=True)


def with_pytorchs_epsilon(model):
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = 1e-5


UNDONE = [with_the_papers_kernel, with_the_papers_pooling, with_pytorchs_epsilon]


@pytest.mark.parametrize("undo", UNDONE, ids=lambda undo: undo.__name__)
def test_evaluation_notices_a_difference(undo):
    theirs = torchvision_googlenet(aux=False)
    ours = ours_with_weights_of(theirs, aux=False)
    undo(ours)
    images = some_images(size=96)
    difference = in_evaluation(ours, images) - in_evaluation(theirs, images)
    assert difference.abs().max() > 1e-6


def with_the_papers_head_pooling(model):
    for head in model.heads.values():
        head.pool = nn.AvgPool2d(kernel_size=5, stride=3)


def with_the_papers_dropout(model):
    model.dropout.p = 0.4


@pytest.mark.parametrize(
    "undo, changed",
    [
        (with_the_papers_head_pooling, [1, 2]),
        (with_the_papers_dropout, [0]),
    ],
    ids=["pooling of the heads", "dropout"],
)
def test_training_notices_a_difference(one_step, undo, changed):
    ours = ours_with_weights_of(torchvision_googlenet())
    undo(ours)
    pairs = zip(after_a_step(ours).logits, one_step[1].logits, strict=True)
    differences = [(our - their).abs().max() for our, their in pairs]
    assert [index for index, size in enumerate(differences) if size > 1e-6] == changed


@pytest.mark.parametrize("aux", [True, False])
def test_a_state_dict_is_taken_in_any_order(aux):
    """Some formats of files list their tensors by the alphabet."""
    theirs = torchvision_googlenet(aux)
    weights = theirs.state_dict()
    ours = torchvision_variant(num_classes=CLASSES, aux=aux).double()
    load_torchvision_weights(ours, {name: weights[name] for name in sorted(weights)})
    same = ours_with_weights_of(theirs, aux).state_dict()
    for name, tensor in ours.state_dict().items():
        assert torch.equal(tensor, same[name]), name


@pytest.mark.parametrize("lacking", [".num_batches_tracked", "conv1.bn.num_batches_tracked"])
def test_a_state_dict_without_counters_is_taken(lacking):
    """Files from before PyTorch 0.4.1 have none, and evaluation needs none."""
    theirs = torchvision_googlenet()
    weights = {name: x for name, x in theirs.state_dict().items() if not name.endswith(lacking)}
    assert len(weights) < len(theirs.state_dict())
    ours = torchvision_variant(num_classes=CLASSES).double()
    load_torchvision_weights(ours, weights)
    images = some_images(size=96)
    torch.testing.assert_close(in_evaluation(ours, images), in_evaluation(theirs, images), **EXACT)


# --- the parts ---------------------------------------------------------------------------


def test_parameters_are_the_published_number():
    ours = torchvision_variant(aux=False)
    count = sum(parameter.numel() for parameter in ours.parameters())
    assert count == torchvision.models.GoogLeNet_Weights.IMAGENET1K_V1.meta["num_params"]


def test_rows_differ_from_the_papers_in_one_kernel():
    pairs = zip(TORCHVISION_ROWS, TABLE_1, strict=True)
    assert [pair for pair in pairs if pair[0] != pair[1]] == [
        (MaxPool("pool4", kernel_size=2), MaxPool("pool4", kernel_size=3))
    ]
    theirs = torchvision_googlenet(aux=False)
    assert theirs.maxpool4.kernel_size == 2 and theirs.maxpool4.ceil_mode


def test_dropout_is_torchvisions_default():
    defaults = inspect.signature(torchvision.models.GoogLeNet).parameters
    assert defaults["dropout"].default == TORCHVISION_DROPOUT
    ours = on_meta(torchvision_variant)
    assert ours.dropout.p == defaults["dropout"].default
    assert {head.dropout.p for head in ours.heads.values()} == {defaults["dropout_aux"].default}
    assert ours.fc.out_features == defaults["num_classes"].default


# --- the notes' rows ---------------------------------------------------------------------


def test_notes_differ_from_the_papers_rows_in_exactly_two_things():
    """No 1x1 convolution in front of conv2; pooling padded by 1 that rounds down."""
    pairs = zip(NOTES_ROWS, TABLE_1, strict=True)
    assert [notes for notes, paper in pairs if notes != paper] == [
        MaxPool("pool1", padding=1, ceil_mode=False),
        Convolution("conv2", kernel_size=3, stride=1, out_channels=192, reduce=None),
        *(MaxPool(name, padding=1, ceil_mode=False) for name in ("pool2", "pool3", "pool4")),
    ]


def test_notes_network_has_one_channel_and_ten_classes_unless_told_otherwise():
    model = on_meta(notes_variant)
    assert model(torch.zeros(2, 1, 40, 40, device="meta")).shape == (2, 10)
    assert type(model) is GoogLeNet and not model.heads


# --- refusals ----------------------------------------------------------------------------


def test_heads_on_one_side_only():
    ours = on_meta(lambda: torchvision_variant(CLASSES, aux=False))
    with pytest.raises(ValueError, match="^theirs must .* 344, but it has 364; .*aux_logits=True"):
        load_torchvision_weights(ours, torchvision_googlenet())


@pytest.mark.parametrize("argument, bad", [
    ("theirs", None), ("theirs", "googlenet.pth"), ("theirs", nn.Linear),
    ("model", None), ("model", GoogLeNet),
])  # fmt: skip
def test_what_is_no_network_and_no_state_dict_is_refused(argument, bad):
    ours = on_meta(lambda: torchvision_variant(CLASSES, aux=False))
    refuses(load_torchvision_weights, argument, bad, model=ours, theirs=ours)


@pytest.mark.parametrize("bad, came", [
    ({"body.conv1.conv.weight": torch.zeros(1)}, "body.conv1.conv.weight"),
    ({"epoch": 3}, "epoch"), ({"conv1.conv.weight": 0}, "other values"),
])  # fmt: skip
def test_a_state_dict_of_another_network_is_refused(bad, came):
    ours = on_meta(lambda: torchvision_variant(CLASSES, aux=False))
    with pytest.raises(ValueError, match=f"^theirs must .*, but it has {came}$"):
        load_torchvision_weights(ours, bad)


@pytest.mark.parametrize("missing", ["conv1.conv.weight", "aux2.fc2.bias", "fc.bias"])
def test_a_missing_tensor_is_named(missing):
    ours = on_meta(lambda: torchvision_variant(CLASSES))
    weights = dict(torchvision_googlenet().state_dict())
    del weights[missing]
    with pytest.raises(ValueError, match=f"^theirs must .* 1 of 364 .*, such as {missing}$"):
        load_torchvision_weights(ours, weights)


def test_other_number_of_classes():
    ours: Any = torchvision_variant(CLASSES, aux=False)
    before = ours.body["conv1"].conv.weight.clone()
    message = (
        r"^theirs must have fc.weight of shape \(10, 1024\), but its fc.weight has \(7, 1024\)"
    )
    with pytest.raises(ValueError, match=message):
        load_torchvision_weights(ours, torchvision_googlenet(aux=False, num_classes=7))
    assert torch.equal(ours.body["conv1"].conv.weight, before), "it was half loaded"


def test_the_papers_network_is_refused():
    ours = on_meta(lambda: GoogLeNet(num_classes=CLASSES, aux=False, norm="batch"))
    message = r"^theirs must have body.3a.branches.5x5.* \(32, 16, 5, 5\), .* \(32, 16, 3, 3\)"
    with pytest.raises(ValueError, match=message):
        load_torchvision_weights(ours, torchvision_googlenet(aux=False))


def test_a_network_that_cannot_rescale_its_input_is_taken_in_silence():
    ours, another = on_meta(torchvision_variant), on_meta(torchvision_variant)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_torchvision_weights(ours, another)


def test_a_network_that_rescales_its_input_is_announced():
    theirs = torchvision_googlenet(aux=False)
    theirs.transform_input = True
    ours = torchvision_variant(num_classes=CLASSES, aux=False).double()
    with pytest.warns(UserWarning, match="^theirs has transform_input=True") as warned:
        load_torchvision_weights(ours, theirs)
    assert warned[0].filename == __file__  # it points to the caller
    images = some_images(size=96)
    assert (in_evaluation(ours, images) - in_evaluation(theirs, images)).abs().max() > 1e-3
    rescaled = theirs._transform_input(images)
    torch.testing.assert_close(
        in_evaluation(ours, rescaled), in_evaluation(theirs, images), **EXACT
    )
