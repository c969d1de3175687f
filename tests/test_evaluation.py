"""The loss and a model's answers, against hand computations."""

import math
from typing import Any, NamedTuple

import numpy
import pandas
import pytest
import torch
from tiny_training import (
    easy_set,
    one_thread,  # noqa: F401 (a fixture)
    tiny_model,
)
from torch import Tensor, nn

from gnet_lib.data import ImageDataset
from gnet_lib.evaluation import (
    class_probabilities,
    confusion_table,
    evaluate,
    joint_loss,
    predict,
)

# --- loss and evaluation -----------------------------------------------------------------


class Outputs(NamedTuple):
    logits: Tensor
    aux_4a: Tensor
    aux_4d: Tensor


def cross_entropy_by_hand(logits: list[float], label: int, smoothing: float = 0.0) -> float:
    log_sum = math.log(sum(math.exp(each) for each in logits))
    losses = [log_sum - each for each in logits]
    return (1 - smoothing) * losses[label] + smoothing * sum(losses) / len(losses)


@pytest.mark.parametrize(("aux_weight", "smoothing"), [(0.3, 0.0), (0.5, 0.1), (0, 0.0)])
def test_joint_loss_equals_a_hand_computation(aux_weight, smoothing):
    heads = [[[1.0, 2.0, -1.0], [0.0, 0.5, 3.0]], [[0.1, 0.2, 0.3], [2.0, 1.0, 0.0]],
             [[-1.0, 0.0, 1.0], [4.0, 0.0, 0.0]]]  # fmt: skip
    labels = [1, 0]
    means = [sum(map(cross_entropy_by_hand, head, labels, [smoothing] * 2)) / 2 for head in heads]
    expected = means[0] + aux_weight * (means[1] + means[2])
    outputs = Outputs(*(torch.tensor(head) for head in heads))
    loss = joint_loss(outputs, torch.tensor(labels), aux_weight, smoothing)
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    alone = joint_loss(outputs.logits, torch.tensor(labels), aux_weight, smoothing)
    assert alone.item() == pytest.approx(means[0], rel=1e-6)


@pytest.mark.parametrize("name, value", [("aux_weight", -0.1), ("label_smoothing", float("nan"))])
def test_joint_loss_refuses_a_bad_weight(name, value):
    with pytest.raises(ValueError, match=f"{name} .*, but it is {value!r}"):
        joint_loss(torch.zeros(1, 2), torch.zeros(1).long(), **{name: value})


def test_evaluate_equals_a_hand_computation_with_an_uneven_last_batch():
    images = easy_set(11)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    weight, bias = (each.detach().double().numpy() for each in model.parameters())
    logits = images.images.flatten(1).double().numpy() @ weight.T + bias
    labels = images.labels.numpy()
    losses = list(map(cross_entropy_by_hand, logits.tolist(), labels.tolist()))

    result = evaluate(model, images, batch_size=4)  # 4 + 4 + 3

    assert result.count == 11
    assert result.loss == pytest.approx(sum(losses) / 11, rel=1e-5)
    assert result.accuracy == (logits.argmax(axis=1) == labels).mean()


def test_evaluate_uses_evaluation_mode_and_restores_every_layer():
    model = tiny_model(dropout=0.9).train()
    model[1].eval()  # somebody froze the normalisation
    seen = []
    model[5].register_forward_hook(
        lambda layer, *_: seen.append((layer.training, torch.is_grad_enabled()))
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    evaluate(model, easy_set(20), batch_size=8)
    assert set(seen) == {(False, False)}
    assert [each.training for each in model] == [True, False, True, True, True, True, True]
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_evaluate_restores_the_mode_after_an_error():
    model = nn.Sequential(nn.Conv2d(3, 10, 1)).train()
    with pytest.raises(ValueError, match=r"model .* \(1, 1, 28, 28\), .* channels"):
        evaluate(model, easy_set(4))
    assert model.training


def test_evaluate_takes_the_first_of_several_outputs():
    class Twice(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
            logits = self.inner(images)
            return logits, -logits

    plain = tiny_model()
    assert evaluate(Twice(plain), easy_set()) == evaluate(plain, easy_set())


LOGITS, LABELS = torch.zeros(2, 3), torch.tensor([0, 2])


@pytest.mark.parametrize(
    "outputs",
    [None, [], (), "", torch.zeros(2), torch.zeros(3, 3), LABELS, (LOGITS, torch.zeros(2, 4))],
    ids=str,
)
def test_a_loss_of_what_is_no_logits_is_refused(outputs: Any):
    with pytest.raises(ValueError, match=r"^outputs must be logits .*\(2, at least 1\), but"):
        joint_loss(outputs, LABELS)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (None, "None"), (torch.zeros(2), r"\(2,\) and torch.float32"), (LABELS[None], r"\(1, 2\)"),
        (torch.tensor([0, 3]), "from 0 to 2, .* from 0 to 3"),
        (torch.tensor([-100, 0]), "from -100 to 0"),  # which PyTorch leaves out in silence
    ],
)  # fmt: skip
def test_a_loss_of_other_labels_is_refused(labels: Any, said):
    with pytest.raises(ValueError, match=f"^labels must be .*{said}"):
        joint_loss(LOGITS, labels)


# --- the answers, image by image -----------------------------------------------------------


def test_predictions_are_those_that_evaluate_counts():
    model, images = tiny_model().train(), easy_set(23)
    modes = [layer.training for layer in model.modules()]
    predictions = predict(model, images, batch_size=5)
    assert predictions.dtype == torch.int64 and predictions.shape == (23,)
    accuracy = (predictions == images.labels).double().mean().item()
    assert accuracy == pytest.approx(evaluate(model, images).accuracy)
    assert torch.equal(predict(model, images.images), predictions)  # a tensor will do
    assert [layer.training for layer in model.modules()] == modes


def test_an_answer_that_is_not_a_number_is_no_class():
    """Class 0 comes first, so an argmax of NaN would be right for every image of it."""
    images = ImageDataset(torch.zeros(4, 1, 28, 28), torch.tensor([0, 0, 1, 1]))
    images.images[0] = torch.nan
    head = nn.Linear(784, 2)
    head.load_state_dict({"weight": torch.zeros(2, 784), "bias": torch.tensor([1.0, 0.0])})
    model = nn.Sequential(nn.Flatten(), head)
    assert evaluate(model, images).accuracy == 0.25
    for answer in (predict, class_probabilities):
        with pytest.raises(ValueError, match="model .* logits of 1 of 4 images are not a number"):
            answer(model, images)


def test_probabilities_equal_a_hand_computation():
    images, model = easy_set(4), nn.Sequential(nn.Flatten(), nn.Linear(784, 3))
    weight, bias = (each.detach().double() for each in model.parameters())
    powers = (images.images.flatten(1).double() @ weight.T + bias).exp()
    found = class_probabilities(model, images, batch_size=3)
    expected = (powers / powers.sum(dim=1, keepdim=True)).float()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
    assert not found.requires_grad


@pytest.mark.parametrize("answer", [predict, class_probabilities])
@pytest.mark.parametrize(
    ("images", "said"),
    [
        (None, "images .* None"), (torch.zeros(1, 28, 28), r"images .* images\[None\]"),
        (torch.zeros(28, 28), r"images .* images\[None, None\]"),
        (easy_set(3)[0], r"images .* images\[0\]\[None\]"),
        (numpy.zeros((2, 1, 28, 28), "float32"), r"images .* torch\.from_numpy\(images\)"),
        (torch.zeros(2, 1, 28, 28).byte(), r"images .*uint8.*normalised\(mean, std\)"),
        (torch.zeros(0, 1, 28, 28), r"images .*\(0, 1, 28"),
        (torch.zeros(2, 3, 28, 28), r"model .* \(1, 3, 28, 28\), but .* 3 channels"),
        (torch.zeros(2, 1, 28, 28).double(), r"model .*float64, .*float32; .*model\.to\("),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused(answer, images: Any, said):
    with pytest.raises(ValueError, match=f"^{said}"):
        answer(tiny_model(), images)


def test_a_confusion_table_counts_every_pair():
    labels, predictions = [0, 0, 1, 1, 1, 3], torch.tensor([0, 1, 1, 1, 0, 2])
    as_array: Any = numpy.array(labels)
    table = confusion_table(as_array, predictions)
    for true in range(4):
        for chosen in range(4):
            expected = sum(
                pair == (true, chosen) for pair in zip(labels, predictions.tolist(), strict=True)
            )
            assert table.loc[true, chosen] == expected
    of_a_table: Any = pandas.Series(labels, index=[*"uvwxyz"])
    assert confusion_table(of_a_table, predictions).equals(table)
    assert confusion_table(as_array[::-1], predictions.flip(0)).equals(table)
    named = confusion_table(labels, predictions, [*"abcde"])
    assert named.loc["b", "a"] == 1 and named.shape == (5, 5) and named.to_numpy().sum() == 6


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((None, [0]), "labels .* None"), (([0], [0.5]), "predictions .*float32"),
        (([True], [0]), "labels .*bool"), (([-1], [0]), "labels .* -1"),
        (([0], [10**12]), "predictions .* 1000000000000"), (([0], [0, 1]), "2 pred.* 1 labels"),
        (([], []), r"labels .* \(0,\)"), (([0], [1], ["a"]), "class_names .* 2 .* 1"),
        (([0], [1], "ab"), "class_names .* 'ab'"), (([0], [0], [1]), "class_names .* 1"),
    ],
)  # fmt: skip
def test_a_table_of_something_else_is_refused(given: Any, said):
    with pytest.raises(ValueError, match=said):
        confusion_table(*given)


# --- a model that does not fit -----------------------------------------------------------


class Answering(nn.Module):
    """A network whose answer goes through a function."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.inner, self.function = tiny_model(), function

    def forward(self, images: Tensor) -> Any:
        return self.function(self.inner(images))


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda logits: {"logits": logits}, "a dict of 1"), (lambda logits: [logits], "a list"),
        (lambda logits: (), r"\(\)"), (lambda logits: ("a", logits), "'a'"),
        (lambda logits: logits[0], r"\(10,\)"), (lambda logits: logits.argmax(1), "int64"),
    ],
)  # fmt: skip
def test_another_answer_than_logits_is_described(function, said):
    with pytest.raises(ValueError, match=rf"^model .*\(N, num_classes\).* 1 image .*{said}"):
        evaluate(Answering(function), easy_set(4))


def test_a_model_without_numbers_in_its_weights_is_refused():
    with torch.device("meta"):
        unreal = tiny_model()
    for model, said in [
        (unreal, "meta"),
        (nn.Sequential(nn.Flatten(), nn.LazyLinear(10)), "1.weight waits"),
        (tiny_model().half(), r"float32, .*float16; call model\.float\(\)"),
    ]:
        with pytest.raises(ValueError, match=f"^model must .*{said}"):
            evaluate(model, easy_set(4), device="cpu")
    not_built: Any = nn.Identity
    with pytest.raises(ValueError, match=r"^model must .*the class Identity; build .*Identity\(\)"):
        evaluate(not_built, easy_set(4))
