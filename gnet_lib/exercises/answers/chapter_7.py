"""The exercises of Chapter 7: data and device."""

from typing import Any

from gnet_lib.exercises.answer_types import ANY, Function, Numbers
from gnet_lib.exercises.exercise import Exercise


def bytes_of(dtype: str, images: int = 60_000) -> int:
    """Bytes that so many images of 28x28 pixels take."""
    import torch

    return images * 28 * 28 * getattr(torch, dtype).itemsize


def images_and_means() -> list[tuple]:
    """Whole numbers from 0 to 255, as images have them, and means to compare them with."""
    import torch

    generator = torch.Generator().manual_seed(0)
    return [
        (
            torch.randint(0, 256, (count, 1, size, size), generator=generator, dtype=torch.uint8),
            255 * torch.rand((classes, 1, size, size), generator=generator, dtype=torch.float64),
        )
        for count, classes, size in ((40, 10, 4), (5, 3, 28), (1, 2, 1))
    ]


def nearest_mean(images: Any, means: Any, power: float = 2.0, farthest: bool = False) -> Any:
    """The number of the nearest mean, for each image."""
    import torch

    distances = torch.cdist(images.flatten(1).double(), means.flatten(1), p=power)
    return distances.argmax(dim=1) if farthest else distances.argmin(dim=1)


def neighbours_and_counts() -> list[tuple]:
    """Labels of neighbours, nearest first, without a tie; and how many of them vote."""
    import torch

    labels = torch.tensor(
        [
            [7, 3, 3, 7, 7, 0, 0, 0, 0],
            [1, 2, 2, 2, 9, 9, 9, 9, 9],
            [5, 5, 5, 6, 6, 6, 6, 6, 6],
        ]
    )
    return [(labels, count) for count in (1, 3, 5, 9)]


def vote(labels: Any, count: int) -> Any:
    """The most frequent of the first labels in every row."""
    return labels[:, :count].mode(dim=1).values


EXERCISES = (
    Exercise(
        "7.1",
        "bytes of the training images",
        Numbers(("bytes as uint8", "bytes after normalised", "bytes in nearest")),
        right=lambda: tuple(map(bytes_of, ("uint8", "float32", "float64"))),
        mistakes=(
            (
                lambda: (bytes_of("uint8", images=70_000), ANY, ANY),
                "the first number includes the test images.",
            ),
            (
                lambda: (8 * bytes_of("uint8"), ANY, ANY),
                "the first number is bits. Eight of them are a byte.",
            ),
            (
                lambda: (ANY, 32 * bytes_of("uint8"), ANY),
                "the second number is bits. Eight of them are a byte.",
            ),
            (
                lambda: (ANY, ANY, 64 * bytes_of("uint8")),
                "the third number is bits. Eight of them are a byte.",
            ),
            (
                lambda: (ANY, bytes_of("float64"), ANY),
                "the second number is for float64. What does `normalised` give?",
            ),
            (
                lambda: (ANY, ANY, bytes_of("float32")),
                "the third number is for float32. In which format does `nearest` compute?",
            ),
        ),
    ),
    Exercise(
        "7.2",
        "the nearest mean image",
        Function(
            "a function of images and means that gives a label for each image", images_and_means
        ),
        right=lambda: nearest_mean,
        mistakes=(
            (
                lambda: lambda images, means: nearest_mean(images, means, farthest=True),
                "it gives the mean that is farthest away.",
            ),
            (
                lambda: lambda images, means: nearest_mean(images, means, power=1.0),
                "it adds up the differences themselves. This chapter's distance squares them.",
            ),
            (
                lambda: (
                    lambda images, means: nearest_mean(
                        images.double().mean(dim=(2, 3)), means.mean(dim=(2, 3))
                    )
                ),
                "it compares the brightness alone. Every pixel counts.",
            ),
        ),
        hint=(
            "It has to give one whole number for each image, also where the pixels come as uint8."
        ),
    ),
    Exercise(
        "7.3",
        "a vote of neighbours",
        Function(
            "a function of labels and a count that gives a label for each row",
            neighbours_and_counts,
        ),
        right=lambda: vote,
        mistakes=(
            (
                lambda: lambda labels, count: vote(labels, labels.shape[1]),
                "all neighbours vote. Only the first `count` of them should.",
            ),
            (
                lambda: lambda labels, count: labels[:, 0],
                "it takes the label of the nearest one. The others should vote as well.",
            ),
            (
                lambda: lambda labels, count: labels[:, :count].double().mean(dim=1).round(),
                "the mean of class numbers is no vote: between a bag and a trouser there is no "
                "class.",
            ),
            (
                lambda: lambda labels, count: labels[:, :count].median(dim=1).values,
                "the median of class numbers is no vote: their order means nothing.",
            ),
            (
                lambda: lambda labels, count: labels[:, count - 1],
                "it takes the label of the last of them. All of the first `count` should vote.",
            ),
        ),
    ),
)
