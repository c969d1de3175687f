"""Tests of gnet_lib.data, on the small images of Fashion-MNIST.

Truth from outside: the replicate padding of torch.
"""

import doctest
import math
import re
from typing import Any

import pytest
import torch

from gnet_lib import data
from gnet_lib.data import ImageDataset, batches
from gnet_lib.fashion_mnist import load_sample

# --- datasets ----------------------------------------------------------------------------


def small_dataset(count: int = 40) -> ImageDataset:
    """Images that all differ, with the labels 0 to 9 in turn."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (count, 1, 28, 28), generator=generator)
    return ImageDataset(images.to(torch.uint8), torch.arange(count) % 10)


def numbered_dataset() -> ImageDataset:
    """Forty images; every pixel of image i is i."""
    numbers = torch.arange(40, dtype=torch.uint8)[:, None, None, None]
    return ImageDataset(numbers.repeat(1, 1, 28, 28), torch.arange(40) % 10)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"images": [1, 2]}, r"images must .*\[1, 2\]"),
        ({"images": [10**5000]}, "images must .* of type list"),  # Python does not write it
        ({"images": torch.zeros(4, 28, 28)}, r"images must .*\(4, 28, 28\)"),
        ({"images": torch.zeros(4, 28, 28, 3)}, r"\(4, 28, 28, 3\).*permute\(0, 3, 1, 2\)"),
        ({"images": torch.zeros(0, 1, 28, 28)}, r"images must .*\(0, 1, 28, 28\)"),
        ({"images": torch.zeros(4, 1, 28, 28).double()}, "images must .*torch.float64"),
        ({"images": torch.zeros(3, 1, 28, 28)}, "3 images and 4 labels"),
        ({"labels": (1, 2)}, r"labels must .*\(1, 2\)"),
        ({"labels": torch.zeros(4, 1).long()}, r"labels must .*\(4, 1\)"),
        ({"labels": torch.zeros(4)}, "labels must .*torch.float32"),
        ({"labels": torch.tensor([0, 3, 4, 1]), "num_classes": 4}, "to 3, .*from 0 to 4"),
        ({"labels": torch.tensor([0, 3, 2, 1]), "class_names": ["a", "b"]}, "to 1, .*from 0 to 3"),
        ({"labels": -torch.ones(4).long()}, "labels must .*at least 0.*from -1 to -1"),
        ({"class_names": "ab"}, "class_names must .*'ab'"),
        ({"class_names": []}, "class_names must hold at least 1 "),
        ({"class_names": ["a", 1]}, "class_names must hold only texts.* 1$"),
        ({"class_names": ["a"], "num_classes": 2}, "num_classes must .* 1, .* 2"),
        ({"num_classes": 0}, "num_classes must .* 0"),
        ({"labels": torch.tensor([0, 3, -1, 1])}, "labels must .*from -1 to 3"),
        ({"labels": torch.zeros(4, device="meta").long()}, "on cpu and labels on meta"),
    ],
)
def test_dataset_refuses(change, message):
    parts: dict[str, Any] = {"images": torch.zeros(4, 1, 28, 28), "labels": torch.zeros(4).long()}
    ImageDataset(**parts)  # is fine
    with pytest.raises(ValueError, match=message):
        ImageDataset(**{**parts, **change})


def test_dataset_is_short_in_print():
    assert repr(small_dataset()) == (
        "ImageDataset(40 images of 1x28x28 in 10 classes, torch.uint8, on cpu)"
    )
    assert len(small_dataset()) == 40


def test_mean_and_std_by_hand():
    whole = small_dataset()
    scaled = whole.images.double() / 255
    mean, std = whole.mean_and_std()
    assert math.isclose(mean, scaled.mean().item(), rel_tol=1e-12)
    assert math.isclose(std, scaled.std(unbiased=False).item(), rel_tol=1e-12)


def test_normalising():
    whole = small_dataset()
    before = whole.images.clone()
    normalised = whole.normalised(0.25, 0.5)
    assert normalised.images.dtype == torch.float32
    torch.testing.assert_close(normalised.images, (before / 255 - 0.25) / 0.5)
    assert torch.equal(whole.images, before)  # the original is untouched
    with pytest.raises(ValueError, match=r"mean_and_std\(\).* torch.float32"):
        normalised.mean_and_std()
    with pytest.raises(ValueError, match=r"normalised\(\).* torch.float32"):
        normalised.normalised(0.25, 0.5)
    for std in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"std must .*above 0.* {std}"):
            whole.normalised(0.25, std)
    with pytest.raises(ValueError, match="mean must .* nan"):
        whole.normalised(math.nan, 1)


def test_stratified_subset_is_balanced_random_and_repeatable():
    whole = load_sample().train
    some = whole.stratified_subset(200)
    assert some.labels.bincount().tolist() == [20] * 10
    assert torch.equal(some.images, whole.stratified_subset(200).images)
    assert not torch.equal(some.images, whole.stratified_subset(200, seed=1).images)
    assert whole.stratified_subset(13).labels.bincount().tolist() == [2, 2, 2] + [1] * 7
    assert torch.equal(whole.stratified_subset(3000).images, whole.images)  # the order is kept


def test_stratified_subset_keeps_images_and_labels_together():
    some = numbered_dataset().stratified_subset(20)
    assert torch.equal(some.images[:, 0, 0, 0] % 10, some.labels)


def test_split_is_a_partition():
    whole = numbered_dataset()
    rest, held_out = whole.split(10)
    assert held_out.labels.bincount().tolist() == [1] * 10
    numbers = torch.cat([rest.images, held_out.images])[:, 0, 0, 0]
    assert sorted(numbers.tolist()) == list(range(40))
    assert torch.equal(held_out.images, whole.split(10)[1].images)
    assert not torch.equal(held_out.images, whole.split(10, seed=1)[1].images)


def test_counts_that_do_not_fit():
    whole = small_dataset()
    for count in (0, 41, 2.0):
        with pytest.raises(ValueError, match=f"count must .* 1 to 40.* {count}"):
            whole.stratified_subset(count)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="count must .* 1 to 39.* 40"):
        whole.split(40)
    with pytest.raises(ValueError, match="at least 2 .* 1"):
        small_dataset(1).split(1)


@pytest.mark.parametrize("seed", [None, -1, 1.5, "0", [], 2**32, math.nan, True])
def test_seeds_that_do_not_fit(seed):
    for method in (small_dataset().stratified_subset, small_dataset().split):
        with pytest.raises(ValueError, match=re.escape("seed must") + f".*{re.escape(repr(seed))}"):
            method(10, seed=seed)


# --- batches -----------------------------------------------------------------------------


def test_batches_in_order():
    whole = small_dataset()
    parts = list(batches(whole, 16))
    assert [len(labels) for _, labels in parts] == [16, 16, 8]
    assert torch.equal(torch.cat([images for images, _ in parts]), whole.images)
    assert torch.equal(torch.cat([labels for _, labels in parts]), whole.labels)
    kept = list(batches(whole, 16, drop_last=True))
    assert [len(labels) for _, labels in kept] == [16, 16]
    assert len(list(batches(whole, 20, drop_last=True))) == 2
    assert len(list(batches(whole, 100))) == 1


def test_batches_shuffled():
    whole = small_dataset()

    def epoch(generator) -> tuple[torch.Tensor, torch.Tensor]:
        parts = list(batches(whole, 16, generator=generator))
        images, labels = zip(*parts, strict=True)
        return torch.cat(images), torch.cat(labels)

    generator = torch.Generator().manual_seed(3)
    images, labels = epoch(generator)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(3))
    assert torch.equal(images, whole.images[order])
    assert torch.equal(labels, whole.labels[order])
    assert not torch.equal(images, epoch(generator)[0])  # the next epoch differs


def test_batches_refuses_at_the_call():
    for batch_size in (0, -1, 2.5):
        with pytest.raises(ValueError, match=f"batch_size must .* {batch_size}"):
            batches(small_dataset(), batch_size)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="batch_size must .* 1 to 40.* 41"):
        batches(small_dataset(), 41, drop_last=True)


# --- the room ----------------------------------------------------------------------------


def test_examples_in_the_docstrings():
    result = doctest.testmod(data)
    assert result.failed == 0
    assert result.attempted >= 15
