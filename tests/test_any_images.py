"""Images of any size, in colour, of any number of classes: from a data set to a trained network.

Truth from outside: torchvision's own transforms, PyTorch's DataLoader and Normalize, sums
written out in float64.
"""

import copy
import math
import pickle
import re
import shutil
from fractions import Fraction
from functools import partial
from typing import Any

import nbformat
import numpy
import pytest
import torch
from conftest import BOOK
from PIL import Image
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    IterableDataset,
    Subset,
    TensorDataset,
    random_split,
)
from torchvision import transforms
from torchvision.datasets import FakeData, ImageFolder
from torchvision.transforms.functional import pil_to_tensor

from gnet_lib import GoogLeNet, MiniGoogLeNet, evaluate, fit, plots, scale_rows, torchinfo_cost
from gnet_lib.augmentation import shift_and_flip
from gnet_lib.cost import network_cost, total
from gnet_lib.data import ImageDataset, batches
from gnet_lib.googlenet import MINI_ROWS, GoogLeNetOutputs
from gnet_lib.paper import TABLE_1


def some_images(shape: tuple[int, ...], classes: int, **more: Any) -> ImageDataset:
    """Images of noise; the labels are 0, 1, 2, ... in turn."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, shape, generator=generator).to(torch.uint8)
    return ImageDataset(images, torch.arange(shape[0]) % classes, **more)


def same(first: ImageDataset, second: ImageDataset) -> bool:
    return (
        torch.equal(first.images, second.images)
        and torch.equal(first.labels, second.labels)
        and first.class_names == second.class_names
        and first.num_classes == second.num_classes
    )


def raises(*words: str):
    """A ValueError that says all of these, in this order."""
    return pytest.raises(ValueError, match="(?s)" + ".*".join(map(re.escape, words)))


# --- the dataset -------------------------------------------------------------------------


def test_classes_stay_with_every_part():
    names = tuple(f"class {number}" for number in range(7))
    for more in ({"class_names": names}, {"num_classes": 7}):
        whole = some_images((40, 3, 8, 6), 4, **more)
        assert len(whole.labels.unique()) == 4
        normalised = whole.normalised(0.5, 0.5)
        parts = [whole.to("cpu"), normalised, *whole.split(8), whole.stratified_subset(8)]
        parts += [whole[3:4], whole[::2], copy.deepcopy(whole)]
        for part in parts:
            assert (part.class_names, part.num_classes) == (more.get("class_names"), 7)
    assert some_images((10, 1, 4, 4), 5).num_classes == 5
    assert some_images((10, 1, 4, 4), 5)[:2].num_classes == 5  # and only labels 0 and 1 in it
    assert ImageDataset(torch.zeros(1, 1, 2, 2), torch.tensor([3]), list("abcd")).class_names == (
        "a", "b", "c", "d"
    )  # fmt: skip


def test_print_shows_shape_and_classes():
    assert repr(some_images((2, 3, 64, 48), 1)) == (
        "ImageDataset(2 images of 3x64x48 in 1 class, torch.uint8, on cpu)"
    )


def test_index_slice_and_iteration():
    whole = some_images((7, 3, 4, 5), 3)
    for index in (0, 6, -1, -7, numpy.int64(3), torch.tensor(3)):
        image, label = whole[index]  # pyright: ignore[reportArgumentType, reportCallIssue]
        assert torch.equal(image, whole.images[index]) and label == whole.labels[index]
        assert type(label) is int
    for index in (7, -8):
        with pytest.raises(IndexError, match=f"index must .* -7 to 6, .*{index}"):
            whole[index]
    for index in (1.5, "1", None, (1, 2), ["1"], [1.5], slice(1.5), slice(0, 7, 0), [True]):
        with raises("index must", repr(index)):
            whole[index]  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert torch.equal(whole[::-2].images, whole.images[[6, 4, 2, 0]])
    assert torch.equal(whole[1:6:2].labels, torch.tensor([1, 0, 2]))
    with raises("index must", "slice(7, None, None)"):
        whole[7:]
    pairs = list(whole)
    assert len(pairs) == 7 and [label for _, label in pairs] == whole.labels.tolist()
    assert torch.equal(torch.stack([image for image, _ in pairs]), whole.images)


def test_a_part_by_places_or_by_a_mask():
    whole = some_images((7, 3, 4, 5), 3, num_classes=9)
    for index in ([5, -1, 5], torch.tensor([5, 6, 5], dtype=torch.uint8), numpy.array([5, 6, 5])):
        part = whole[index]  # pyright: ignore[reportArgumentType, reportCallIssue]
        assert torch.equal(part.images, whole.images[[5, 6, 5]]) and part.num_classes == 9
        assert torch.equal(part.labels, whole.labels[[5, 6, 5]])
    mask = whole.labels == 1
    for index in (mask, mask.tolist(), mask.numpy()):
        part = whole[index]  # pyright: ignore[reportArgumentType, reportCallIssue]
        assert torch.equal(part.images, whole.images[mask]) and set(part.labels.tolist()) == {1}
    with pytest.raises(IndexError, match="index must be from -7 to 6, but is 7"):
        whole[[0, 7]]
    for index in ([], whole.labels == 8):
        with raises("index must choose an image"):
            whole[index]
    for index in (mask[:3], torch.zeros(2, 2).long(), torch.zeros(2)):
        with raises("index must", "for 7 images"):
            whole[index]


def test_data_loader_gives_the_batches():
    whole = some_images((10, 3, 4, 5), 3)
    loader = DataLoader(whole, batch_size=4)
    for (images, labels), (ours, our_labels) in zip(loader, batches(whole, 4), strict=True):
        assert torch.equal(images, ours) and torch.equal(labels, our_labels)
        assert labels.dtype == torch.int64


def test_copies():
    whole = some_images((5, 3, 4, 4), 2, class_names=("cat", "dog"))
    assert same(pickle.loads(pickle.dumps(whole)), whole)
    copied = copy.deepcopy(whole)
    copied.images.zero_()
    assert whole.images.any() and copied.labels is not whole.labels
    with pytest.raises(AttributeError):
        whole.num_classes = 3  # pyright: ignore[reportAttributeAccessIssue]


def test_statistics_of_channels_are_exact():
    whole = some_images((9, 3, 5, 4), 2)
    whole.images[:, 1] //= 3
    means, stds = whole.channel_mean_and_std()
    for channel in range(3):
        values = [Fraction(value, 255) for value in whole.images[:, channel].flatten().tolist()]
        mean = sum(values) / len(values)
        variance = sum((value - mean) ** 2 for value in values) / len(values)
        assert math.isclose(means[channel], mean, rel_tol=1e-14)
        assert math.isclose(stds[channel], math.sqrt(variance), rel_tol=1e-14)
    grey = some_images((9, 1, 5, 4), 2)
    assert grey.channel_mean_and_std() == tuple((value,) for value in grey.mean_and_std())


def test_normalising_by_channel_as_torchvision_does():
    whole = some_images((4, 3, 5, 6), 2)
    means, stds = whole.channel_mean_and_std()
    theirs = transforms.Normalize(means, stds)(whole.images / 255)
    for kind in (tuple, list, torch.tensor, numpy.array):
        ours = whole.normalised(kind(means), kind(stds))  # pyright: ignore[reportArgumentType]
        torch.testing.assert_close(ours.images, theirs, rtol=0, atol=2e-6)
    one = whole.normalised(means[0], torch.tensor(stds[0])).images  # one number for all channels
    torch.testing.assert_close(one, (whole.images / 255 - means[0]) / stds[0])
    torch.testing.assert_close(ours.images.mean(dim=(0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "bad", [None, math.nan, "", [], (0.5, 0.5), (0.5, 0.5, None), torch.zeros(2), [[0.5] * 3], dict]
)
def test_statistics_that_do_not_fit(bad):
    whole = some_images((4, 3, 5, 6), 2)
    with raises("mean must"):
        whole.normalised(bad, 0.5)
    with raises("std must"):
        whole.normalised(0.5, bad)
    with raises("mean must", "scale 0..1", "72.9", "by 255"):
        whole.normalised(72.9, 0.5)
    with raises("std must", "scale 0..1", "90", "by 255"):
        whole.normalised(0.5, (0.2, 90.0, 0.2))
    with raises("mean must", "-0.1"):
        whole.normalised(-0.1, 0.5)
    with raises("std must", "above 0", "-1"):
        whole.normalised(0.5, (0.5, -1, 0.5))


@pytest.mark.parametrize("device", [None, "abacus", -1, [], "cuda:77"])
def test_devices_that_do_not_fit(device):
    with raises("device must", repr(device)):
        some_images((1, 1, 2, 2), 1).to(device)


def test_balance_over_the_classes_that_are_there():
    labels = torch.tensor([0, 6]).repeat(100)
    images = torch.arange(200, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 3, 2)
    whole = ImageDataset(images, labels, num_classes=10)
    some = whole.stratified_subset(100)
    assert some.labels.bincount().tolist() == [50, 0, 0, 0, 0, 0, 50]
    assert torch.equal(some.images[:, 0, 0, 0] % 2, some.labels // 6)  # images keep their labels
    assert whole.stratified_subset(3).labels.tolist().count(0) == 2
    rest, held_out = whole.split(50)
    assert held_out.labels.bincount()[[0, 6]].tolist() == [25, 25] and rest.num_classes == 10
    few = ImageDataset(images[:60], torch.tensor([1] * 55 + [2] * 5), ("a", "b", "dog"))
    assert few.stratified_subset(10).labels.bincount().tolist() == [0, 5, 5]
    with raises("count=12 needs 6", "class 2 (dog)", "has 5", "10 or fewer"):
        few.stratified_subset(12)


def test_split_of_classes_of_different_sizes():
    images = torch.arange(202, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 3, 2)
    whole = ImageDataset(images, torch.tensor([0] * 100 + [1] * 100 + [2] * 2), list("abc"))
    with raises("count=6 needs 2", "class 2 (c)", "has 2", "3 or fewer", "balanced=False"):
        whole.split(6)  # the rest would have no c at all
    assert [part.labels.bincount().tolist() for part in whole.split(3)] == [[99, 99, 1], [1] * 3]
    # 40 of 202 are 19.8 of a hundred and 0.4 of two; 110 are 54.5 and 1.1.
    for count, expected in ((40, [20, 20]), (110, [55, 54, 1]), (199, [99, 99, 1])):
        rest, held_out = whole.split(count, balanced=False)
        assert held_out.labels.bincount().tolist() == expected
        places = torch.cat([rest.images, held_out.images])[:, 0, 0, 0]
        assert sorted(places.tolist()) == list(range(202)) and len(rest.labels.unique()) == 3
    with raises("count must be at most 199", "200"):
        whole.split(200, balanced=False)
    some = whole.stratified_subset(101, balanced=False)
    assert some.labels.bincount().tolist() == [50, 50, 1]
    assert len(whole.stratified_subset(202, balanced=False)) == 202
    with raises("balanced must"):
        whole.split(3, balanced=1)  # pyright: ignore[reportArgumentType]


def test_labels_that_begin_at_1_are_told_so():
    with raises("labels must be from 0 to 2", "from 1 to 3", "labels - 1"):
        ImageDataset(torch.zeros(3, 1, 2, 2), torch.tensor([1, 2, 3]), list("abc"))


# --- reading a data set ------------------------------------------------------------------

SIZES = {"cat": (20, 30), "dog": (40, 25)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of two sizes in a folder a class, as a reader has them."""
    root = tmp_path_factory.mktemp("pictures")
    generator = numpy.random.default_rng(0)
    for name, (width, height) in SIZES.items():
        (root / name).mkdir()
        for number in range(3):
            pixels = generator.integers(0, 256, (height, width, 3), dtype=numpy.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


ALIKE = transforms.Compose([transforms.Resize(16), transforms.CenterCrop(16)])


def test_folder_of_pictures(folder):
    files = ImageFolder(folder, transform=ALIKE)
    whole = ImageDataset.from_dataset(files)
    assert repr(whole) == "ImageDataset(6 images of 3x16x16 in 2 classes, torch.uint8, on cpu)"
    assert whole.class_names == ("cat", "dog")
    for index in range(6):
        image, label = files[index]
        assert torch.equal(whole.images[index], pil_to_tensor(image))
        assert whole.labels[index] == label
    # The same by tensors of bytes, and out of order through a Subset.
    bytes_of = transforms.Compose([ALIKE, transforms.PILToTensor()])
    assert same(ImageDataset.from_dataset(ImageFolder(folder, transform=bytes_of)), whole)
    part = ImageDataset.from_dataset(Subset(files, [5, 0]))
    assert same(part, ImageDataset(whole.images[[5, 0]], torch.tensor([1, 0]), ("cat", "dog")))


def test_a_folder_that_lacks_a_class_is_numbered_by_name(folder):
    files = ImageFolder(folder, transform=ALIKE)  # cat is 0 and dog is 1 there
    for names, expected in (
        (["ant", "cat", "cow", "dog"], [1, 3]), (["dog", "cat"], [1, 0]), (["Kat", "Hund"], [0, 1])
    ):  # fmt: skip
        whole = ImageDataset.from_dataset(files, class_names=names)
        assert whole.labels.tolist() == [expected[label] for label in files.targets]
        assert whole.class_names == tuple(names)
    for names in (["cat"], ["cat", "cow", "fox"]):
        with raises("class_names must", "('cat', 'dog')", repr(names)):
            ImageDataset.from_dataset(files, class_names=names)


def test_other_data_sets():
    images = some_images((6, 3, 5, 4), 3)
    pairs = TensorDataset(images.images, images.labels)
    assert same(ImageDataset.from_dataset(pairs), images)
    assert same(ImageDataset.from_dataset(list(images)), images)
    assert same(ImageDataset.from_dataset(images), images)
    parts = random_split(images, [2, 4], generator=torch.Generator().manual_seed(0))
    assert [ImageDataset.from_dataset(part).num_classes for part in parts] == [3, 3]
    both = ImageDataset.from_dataset(ConcatDataset(parts))
    assert sorted(both.labels.tolist()) == sorted(images.labels.tolist())
    floats = ImageDataset.from_dataset([(torch.rand(1, 4, 4), numpy.int64(1))])
    assert floats.images.dtype == torch.float32
    grey = ImageDataset.from_dataset([(Image.new("L", (6, 4), color=7), torch.tensor([2]))])
    assert grey.images.shape == (1, 1, 4, 6) and grey.images.unique().tolist() == [7]
    assert ImageDataset.from_dataset(FakeData(2, (1, 5, 5), num_classes=9)).num_classes == 9
    named = ImageDataset.from_dataset(FakeData(2, (1, 5, 5), num_classes=2), list("ab"))
    assert named.class_names == ("a", "b")


def test_names_that_may_be_those_of_other_labels_are_left_out(folder):
    turned = ImageFolder(folder, transform=ALIKE, target_transform=lambda label: 1 - label)
    assert ImageDataset.from_dataset(turned).class_names is None
    assert ImageDataset.from_dataset(turned, ["dog", "cat"]).class_names == ("dog", "cat")
    straight = ImageFolder(folder, transform=ALIKE)
    assert ImageDataset.from_dataset(ConcatDataset([straight, turned])).class_names is None
    other = some_images((2, 3, 16, 16), 2, class_names=("dog", "cat"))
    with raises("dataset must", "same classes", "'cat', 'dog'", "'dog', 'cat'"):
        ImageDataset.from_dataset(ConcatDataset([straight, other]))


def test_a_transform_that_draws_is_named(folder):
    by_chance = transforms.Compose([ALIKE, transforms.RandomHorizontalFlip()])
    with pytest.warns(UserWarning, match="RandomHorizontalFlip.*augment") as caught:
        ImageDataset.from_dataset(Subset(ImageFolder(folder, transform=by_chance), [0]))
    assert caught[0].filename == __file__


def test_bar_of_a_large_set(capsys):
    pair = (torch.zeros(1, 2, 2, dtype=torch.uint8), 0)
    ImageDataset.from_dataset([pair] * 999)
    assert capsys.readouterr().err == ""
    ImageDataset.from_dataset([pair] * 1200)
    assert "reading" in capsys.readouterr().err


class Stream(IterableDataset):
    def __iter__(self):
        return iter(())


PAIRS = some_images((4, 3, 5, 4), 3)


@pytest.mark.parametrize(
    "dataset, words",
    [
        (None, ["None", "ImageFolder"]),
        ("pictures/", ["'pictures/'", "ImageFolder"]),
        ({"train": PAIRS}, ["ImageFolder"]),
        (FakeData, ["the class FakeData"]),
        (PAIRS.images, ["Tensor", "ImageDataset(images, labels)"]),
        (DataLoader(PAIRS), ["DataLoader", "loader.dataset"]),
        (Stream(), ["IterableDataset", "list(dataset)"]),
        ([], ["empty"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_data_set(dataset, words):
    with raises("dataset must", *words):
        ImageDataset.from_dataset(dataset)


def picture(mode: str, width: int = 4, height: int = 5) -> Image.Image:
    return Image.new(mode, (width, height))


IMAGE = torch.zeros(3, 5, 4, dtype=torch.uint8)


@pytest.mark.parametrize(
    "item, words",
    [
        (IMAGE, ["pair", "a Tensor of shape (3, 5, 4) and torch.uint8"]),
        ({"image": IMAGE, "label": 1}, ["pair", "dict"]),
        ((IMAGE, 1, 1), ["pair", "a tuple of a Tensor of shape (3, 5, 4)", ", 1, 1"]),
        ((picture("RGBA"), 0), ["RGBA", "convert('RGB')"]),
        ((picture("P"), 0), ["P", "convert('RGB')"]),
        ((picture("I;16"), 0), ["I;16", "0..255"]),
        ((picture("L"), 0), ["(1, 5, 4)", "(3, 5, 4)", "convert('RGB')"]),
        ((picture("RGB", 6), 0), ["(3, 5, 6)", "(3, 5, 4)", "Resize", "CenterCrop"]),
        ((IMAGE.float(), 0), ["torch.float32", "torch.uint8", "same transform"]),
        ((IMAGE.double(), 0), ["(C, H, W)", "torch.float64"]),
        ((IMAGE[0], 0), ["(C, H, W)", "(5, 4)"]),
        ((IMAGE.numpy(), 0), ["ndarray", "PILToTensor"]),
        ((IMAGE, "cat"), ["label", "'cat'", "names.index"]),
        ((IMAGE, torch.tensor([0, 1, 0])), ["label", "(3,) and torch.int64", "argmax"]),
        ((IMAGE, 2.0), ["label", "2.0", "target_transform=int"]),
        ((IMAGE, True), ["label", "True", "target_transform=int"]),
        ((IMAGE, None), ["label", "None"]),
        ((IMAGE, -1), ["label", "-1"]),
    ],
    ids=range(18),
)
def test_item_that_does_not_fit_is_named(item, words):
    with raises("item 1 of dataset", *words):
        ImageDataset.from_dataset([(IMAGE, 0), item])


def test_file_that_cannot_be_read_is_named(folder, tmp_path):
    (tmp_path / "cat").mkdir()
    good, bad = tmp_path / "cat" / "0.png", tmp_path / "cat" / "1.png"
    good.write_bytes((folder / "cat" / "0.png").read_bytes())
    bad.write_bytes(b"cut short")
    files = ImageFolder(tmp_path)
    for dataset, index in ((files, 1), (Subset(files, [0, 0, 1]), 2)):
        with raises(f"item {index} of dataset", str(bad), "cannot be read", "UnidentifiedImage"):
            ImageDataset.from_dataset(dataset)


def test_floats_of_to_tensor_are_not_called_normalised(folder):
    floats = transforms.Compose([ALIKE, transforms.ToTensor()])
    whole = ImageDataset.from_dataset(ImageFolder(folder, transform=floats))
    as_bytes = ImageDataset(torch.tensor([0.0, 255.0]).view(2, 1, 1, 1), torch.zeros(2).long())
    with raises("look like bytes", "images.to(torch.uint8)"):
        as_bytes.normalised(0.5, 0.5)
    for method in (
        whole.mean_and_std,
        whole.channel_mean_and_std,
        partial(whole.normalised, 0.5, 0.5),
    ):
        with raises("uint8", "float32", "ToTensor", "PILToTensor"):
            method()


# --- arguments of batches and shift_and_flip ---------------------------------------------

untyped: Any = batches
untyped_shift: Any = shift_and_flip


@pytest.mark.parametrize("bad", [None, math.nan, -1, "", [], torch.zeros(3), 2.0, dict])
def test_arguments_that_do_not_fit(bad):
    images = torch.zeros(2, 3, 8, 6)
    calls = {
        "dataset": lambda: untyped(bad, 2),
        "batch_size": lambda: untyped(PAIRS, bad),
        "images": lambda: untyped_shift(bad),
        "max_shift": lambda: untyped_shift(images, bad),
    }
    if bad is not None:
        calls["generator"] = lambda: untyped_shift(images, generator=bad)
        calls["generator "] = lambda: untyped(PAIRS, 2, generator=bad)
    for name, call in calls.items():
        with raises(f"{name.strip()} must"):
            call()
    with raises("drop_last must"):
        untyped(PAIRS, 2, drop_last=bad)
    assert len(list(batches(PAIRS, numpy.int32(3)))) == 2  # pyright: ignore[reportArgumentType]


# --- a network's way through -------------------------------------------------------------


def test_colour_images_of_100_classes_from_data_to_result():
    whole = some_images((200, 3, 32, 32), 100)
    train = whole.normalised(*whole.channel_mean_and_std())
    torch.manual_seed(0)
    model = MiniGoogLeNet(in_channels=3, num_classes=whole.num_classes)
    history = fit(
        model, train, train[:50], epochs=2, batch_size=50, augment=shift_and_flip,
        device="cpu", progress=False,
    )  # fmt: skip
    assert len(history.rows) == 2
    result = evaluate(model, train)
    by_hand = torch.nn.functional.cross_entropy(model(train.images), train.labels).item()
    assert result.count == 200 and math.isclose(result.loss, by_hand, rel_tol=1e-4)
    counted = torchinfo_cost(model, (1, 3, 32, 32))
    formula = total(network_cost(MINI_ROWS, in_channels=3, num_classes=100, image_size=32))
    assert (counted.weights, counted.multiply_adds) == (formula.weights, formula.multiply_adds)
    with raises("train must hold labels from 0 to 9", "label 99", "num_classes=100"):
        fit(MiniGoogLeNet(3), train, epochs=1, progress=False)


def test_one_step_of_the_papers_network_in_colour():
    rows = scale_rows(TABLE_1, 0.125)
    small = some_images((2, 3, 224, 224), 2).normalised(0.5, 0.25)
    torch.manual_seed(0)
    model = GoogLeNet(num_classes=2, rows=rows)
    assert isinstance(model(small.images), GoogLeNetOutputs)
    before = model.heads["4a"].fc2.weight.clone()  # pyright: ignore
    fit(model, small, epochs=1, batch_size=2, device="cpu", progress=False)
    assert not torch.equal(before, model.heads["4a"].fc2.weight)  # pyright: ignore
    by_formula = total(network_cost(rows, image_size=224, num_classes=2))
    assert torchinfo_cost(model, (1, 3, 224, 224)).multiply_adds == by_formula.multiply_adds


def test_images_that_are_not_square():
    whole = some_images((40, 1, 64, 48), 4)
    train = whole.normalised(*whole.mean_and_std())
    torch.manual_seed(0)
    model = MiniGoogLeNet(num_classes=4)
    fit(model, train, epochs=1, batch_size=20, augment=shift_and_flip, device="cpu", progress=False)
    assert evaluate(model, train).count == 40
    # Twice as many pixels in every map are twice as many multiply-adds in front of the pooling.
    tall, square = (torchinfo_cost(model, (1, 1, height, 48)) for height in (96, 48))
    last = model.fc.weight.numel()
    assert tall.multiply_adds - last == 2 * (square.multiply_adds - last)
    with raises("image_size must", "(64, 48)", "torchinfo_cost"):
        network_cost(image_size=(64, 48))  # pyright: ignore[reportArgumentType]


def test_pictures_in_colour_and_not_square():
    whole = some_images((6, 3, 64, 48), 3)
    for images in (whole.images, whole.normalised(0.5, 0.2).images):
        figure = plots.image_grid(images, list("abcdef"), columns=3)
        shown = figure.axes[0].images[0].get_array()
        assert shown is not None and shown.shape == (64, 48, 3)
        if images.dtype == torch.uint8:
            assert numpy.array_equal(shown, images[0].permute(1, 2, 0).numpy())
        else:  # stretched from its darkest to its brightest value
            assert (shown.min(), shown.max()) == (0, 1)
    for bad in (None, torch.zeros(3, 28, 28), torch.zeros(2, 2, 5, 5), []):
        with raises("images must"):
            plots.image_grid(bad, [])  # pyright: ignore[reportArgumentType]


def test_the_page_goes_through_with_a_folder_of_ones_own(folder, tmp_path):
    """Its code up to the new picture: two classes, the path in quotation marks, no photograph."""
    for part in ("training", "test"):
        shutil.copytree(folder, tmp_path / part)
    cells = nbformat.read(BOOK / "your_own_pictures.ipynb", as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code" and "gnet" not in cell.metadata]
    chosen = "\nfolder = None"
    names: dict[str, Any] = {"__name__": "page"}
    for cell in code[1:]:  # the first one sets the notebook up
        source = cell.source.replace(chosen, f"\nfolder = {str(tmp_path)!r}")
        source = source.replace("subset(18)", "subset(4)").replace("size=20", "size=2")
        exec(source, names)
    assert sum(chosen in cell.source for cell in code) == 1
    assert names["train"].class_names == ("cat", "dog") and len(names["probabilities"]) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"training", "test"}
