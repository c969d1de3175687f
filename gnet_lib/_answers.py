"""The exercises of the book, chapter by chapter: what ``gnet_lib.exercises.check`` compares with.

If you are here to learn, close this file and try first.

Right answers are computed from the library wherever they can be, and so are the mistakes.
Each chapter begins with the few functions that its exercises share.
"""

import copy
import functools
import math
from typing import Any

import gnet_lib as lib
from gnet_lib.exercises import (
    ANY,
    Choice,
    Exercise,
    Function,
    Satisfies,
    Module,
    Number,
    Numbers,
    Widths,
)

# Chapter 1: why deeper, and why cheaply


def real_products(kernel_size: int, size: int) -> int:
    """Products with real pixels in a padded convolution of one channel, added up by PyTorch."""
    import torch

    pixels, kernel = torch.ones(1, 1, size, size), torch.ones(1, 1, kernel_size, kernel_size)
    return int(torch.nn.functional.conv2d(pixels, kernel, padding=kernel_size // 2).sum())


def first_layer(**changes: int) -> Any:
    """conv1 of the paper, or with a mistake."""
    layer = {"in_channels": 3, "out_channels": 64, "kernel_size": 7, "output_size": 112}
    return lib.conv_cost(**layer | changes)


CHAPTER_1 = (
    Exercise(
        "1.1", "multiply-adds of the first layer", Number(),
        right=lambda: first_layer().multiply_adds,
        mistakes=(
            (lambda: first_layer(output_size=224).multiply_adds,
             "that takes every pixel of the image. The stride makes the map smaller: count the "
             "pixels of the output."),
            (lambda: first_layer().weights,
             "those are the weights. Each of them is used at every pixel of the output."),
            (lambda: first_layer().multiply_adds + first_layer().bias_additions,
             "that includes the additions of the biases, which are no multiply-adds."),
            (lambda: 2 * first_layer().multiply_adds,
             "off by a factor of two: one multiply-add is one multiplication and one addition."),
            (lambda: first_layer(in_channels=1).multiply_adds,
             "an output value reads all the channels of the image, not one of them."),
            (lambda: first_layer(kernel_size=1).multiply_adds * 7,
             "the kernel is seven pixels high and seven wide."),
        ),
        hint="Count the output values, and the products in each.",
    ),
    Exercise(
        "1.2", "products that meet a real pixel", Numbers(("rest of the 864", "rest of the 1,225")),
        right=lambda: (2 * 3 * real_products(3, 4), real_products(5, 7)),
        mistakes=(
            (lambda: (2 * 3 * 2 * 2 * 9, ANY),
             "the first number leaves out every place where the kernel meets the border. Only the "
             "products with the border go."),
            (lambda: (ANY, 3 * 3 * 25),
             "the second number leaves out every place where the kernel meets the border. Only "
             "the products with the border go."),
            (lambda: (real_products(3, 4), ANY),
             "the first number is for one pair of channels. There are two channels in and three "
             "out."),
            (lambda: (864 * 10 // 12, ANY),
             "the first number has lost the rows of the border, or its columns, but not both."),
            (lambda: (ANY, 5 * 7 * 29),
             "the second number has lost the rows of the border, or its columns, but not both."),
            (lambda: (864 - 2 * 3 * real_products(3, 4), ANY),
             "the first number counts the products with the border."),
            (lambda: (ANY, 1225 - real_products(5, 7)),
             "the second number counts the products with the border."),
        ),
        hint="Let the innermost loop count only where its row and its column both lie inside.",
    ),
    Exercise(
        "1.3", "a layer that changes in two ways", Number(tolerance=0.001),
        right=lambda: (
            lib.conv_cost(192, 192, 3, 14).multiply_adds
            / lib.conv_cost(128, 128, 3, 28).multiply_adds
        ),
        mistakes=(
            (lambda: 1.5**2, "that is the channels alone. The image has become smaller, too."),
            (lambda: 1.5 / 4, "channels come in and go out: both numbers have grown."),
            (lambda: 1.5 / 2, "channels come in and go out, and a map has height and width."),
            (lambda: 1.5**2 / 2, "a map has height and width: both have been halved."),
            (lambda: 4 / 1.5**2, "that is the old cost over the new one."),
        ),
        hint="Write down how the cost depends on each of the four numbers.",
    ),
)  # fmt: skip


# Chapter 2: the naive module


FIVE_PATHS = ("1x1", "3x3", "5x5", "7x7", "pool")


def naive_with_seven(order: tuple[str, ...] = FIVE_PATHS, relu: bool = True) -> Any:
    """The naive 3a with a path of 7x7 and 16 channels."""
    from gnet_lib.inception import conv_norm_act

    module = lib.NaiveInception(192, lib.WIDTHS["3a"])
    path = conv_norm_act(192, 16, kernel_size=7)
    module.branches["7x7"] = path if relu else path.conv
    module.concat_order = order
    return module


CHAPTER_2 = (
    Exercise(
        "2.1", "a 7x7 path with 16 channels", Numbers(("padding", "multiply-adds")),
        right=lambda: ((7 - 1) // 2, lib.conv_cost(192, 16, 7, 28).multiply_adds),
        mistakes=(
            (lambda: (7 - 1, ANY),
             "the padding is put on every side, so only half of what the kernel takes away is "
             "needed."),
            (lambda: (ANY, lib.conv_cost(192, 16, 7, 28).weights),
             "the second number is the weights. Each of them is used at every pixel."),
            (lambda: (ANY, lib.conv_cost(192, 16, 7, 28).parameters * 28**2),
             "the second number includes the additions of the biases, which are no multiply-adds."),
            (lambda: (ANY, lib.conv_cost(1, 16, 7, 28).multiply_adds),
             "every path reads all the channels of the module's input."),
            (lambda: (ANY, lib.conv_cost(192, 16, 7, 28 - 6).multiply_adds),
             "the multiply-adds are those of a smaller map. With its padding the path keeps the "
             "map's size."),
            (lambda: (ANY, lib.conv_cost(416, 16, 7, 28).multiply_adds),
             "that reads the channels that leave the module. The path reads those that come in."),
            (lambda: (ANY, 2 * lib.conv_cost(192, 16, 7, 28).multiply_adds),
             "off by a factor of two: one multiply-add is one multiplication and one addition."),
        ),
    ),
    Exercise(
        "2.2", "a pooling with stride 2", Choice(("the pooling", "torch.cat", "the next module")),
        right=lambda: "torch.cat",
        mistakes=(
            (lambda: "the pooling",
             "by itself a pooling with stride 2 is a sound layer; the poolings between the stages "
             "are of this kind."),
            (lambda: "the next module", "nothing gets that far. Try it out."),
        ),
    ),
    Exercise(
        "2.3", "the share of the 5x5 path on a smaller image",
        Choice(("it grows", "it stays", "it shrinks")),
        right=lambda: "it stays",
        mistakes=(
            (lambda: "it grows",
             "write the share as a fraction. Which factors stand above the line, and which below?"),
            (lambda: "it shrinks",
             "write the share as a fraction. Which of its factors does the size of the map "
             "change?"),
        ),
    ),
    Exercise(
        "2.4", "a naive module with five paths", Module((1, 192, 9, 9)),
        right=naive_with_seven,
        mistakes=(
            (lambda: naive_with_seven(relu=False), "there is no ReLU behind the 7x7 convolution."),
            (lambda: naive_with_seven(order=("1x1", "3x3", "5x5", "pool", "7x7")),
             "the pooling path is asked for as the last of the five."),
            (lambda: naive_with_seven(order=FIVE_PATHS[::-1]),
             "the paths are concatenated in reverse. That is not wrong in itself, but not what is "
             "asked for here."),
            (lambda: lib.NaiveInception(192, lib.WIDTHS["3a"]),
             "the output of the new path is missing."),
        ),
        hint="All widths but the new one are those of 3a.",
    ),
)  # fmt: skip


# Chapter 3: the 1x1 convolution


def in_channels_of(name: str) -> int:
    """Channels that a module of GoogLeNet reads."""
    return next(layer.in_channels for layer in lib.inception_shapes() if layer.row.name == name)


def break_even(name: str = "5b", kernel_size: int = 5) -> float:
    """The width at which a reduction in front of a module's path costs as much as it saves."""
    widths, channels = lib.WIDTHS[name], in_channels_of(name)
    outputs = {3: widths.c3x3, 5: widths.c5x5}[kernel_size]
    direct = lib.conv_cost(channels, outputs, kernel_size, 1).weights
    for_each = lib.conv_cost(channels, 1, 1, 1) + lib.conv_cost(1, outputs, kernel_size, 1)
    return direct / for_each.weights


def merged(first: Any, second: Any, bias: str = "both") -> tuple:
    """Weight and bias of the one convolution that does what a 1x1 and a second one do."""
    import torch

    weight, middle = second.weight.detach(), second.kernel_size[0] // 2
    passed_on = {
        "both": weight.sum(dim=(2, 3)) @ first.bias,
        "second": 0,
        "centre": weight[:, :, middle, middle] @ first.bias,
    }[bias]
    product = torch.einsum("mrhw,rc->mchw", weight, first.weight[:, :, 0, 0])
    return product.detach(), (second.bias + passed_on).detach()


def pairs_of_convolutions() -> list[tuple]:
    """A 1x1 convolution and another one behind it, three times."""
    import torch

    torch.default_generator.manual_seed(0)
    return [
        (torch.nn.Conv2d(c, r, 1), torch.nn.Conv2d(r, m, k, padding=k // 2))
        for c, r, m, k in ((6, 4, 3, 5), (5, 2, 7, 3), (3, 3, 2, 1))
    ]


CHAPTER_3 = (
    Exercise(
        "3.1", "the break-even of 5b's 5x5 path", Number(tolerance=0.001),
        right=break_even,
        mistakes=(
            (lambda: 5 * 832 * 128 / (832 + 5 * 128),
             "a kernel has height and width: its side comes into the formula as a square."),
            (lambda: break_even(kernel_size=3), "that is the 3x3 path of the same module."),
            (lambda: 25 * 832 * 48 / (832 + 25 * 48),
             "m stands for the outputs of the path, not for the width of the reduction."),
            (lambda: 48,
             "that is the width that the paper chose. Up to which one would it have saved?"),
        ),
    ),
    Exercise(
        "3.2", "the break-even when the second layer is very wide", Number(tolerance=0.001),
        right=lambda: in_channels_of("5b"),
        mistakes=(
            (lambda: 25 * 832, "m stands above and below the fraction's line."),
            (lambda: math.inf,
             "the numerator grows, and so does the denominator. Divide both by m."),
            (lambda: 0, "the denominator grows, and so does the numerator. Divide both by m."),
            (break_even, "that is with 5b's own outputs. Let m grow without limit."),
        ),
    ),
    Exercise(
        "3.3", "two convolutions merged into one",
        Function(
            "a function of two convolutions that gives a weight and a bias", pairs_of_convolutions
        ),
        right=lambda: merged,
        mistakes=(
            (lambda: lambda first, second: merged(first, second, bias="second"),
             "the weight is right, but the bias of the first convolution is lost. What does the "
             "second one do with it?"),
            (lambda: lambda first, second: merged(first, second, bias="centre"),
             "the weight is right, but the first bias meets only the middle of the second kernel. "
             "It stands at every pixel."),
        ),
        hint=(
            "It has to give both, in this order, with the shapes that a single convolution would "
            "have."
        ),
    ),
)  # fmt: skip


# Chapter 4: the reduced module


def saved(layer: Any, share: bool = False) -> float:
    """Multiply-adds that the reductions save in a module; as a factor on demand."""
    place = layer.in_channels, layer.row.widths, layer.out_size
    naive = lib.cost.total(lib.inception_cost(*place, naive=True)).multiply_adds
    reduced = lib.cost.total(lib.inception_cost(*place)).multiply_adds
    return naive / reduced if share else naive - reduced


def without_projections(projection_counted: bool = False) -> tuple[int, int]:
    """Channels behind 5b and multiply-adds of nine modules that hand on what they pool."""
    paths = ("1x1", "3x3", "5x5", "pool") if projection_counted else ("1x1", "3x3", "5x5")
    channels, multiply_adds = 192, 0
    for layer in lib.inception_shapes():
        costs = lib.inception_cost(channels, layer.row.widths, layer.out_size)
        multiply_adds += sum(costs[path].multiply_adds for path in paths)
        channels = layer.row.widths.naive_out_channels(channels)
    return channels, multiply_adds


def nine_modules(naive: bool) -> int:
    """Multiply-adds of GoogLeNet's modules, each with the output of the one before it."""
    costs = lib.network_cost(naive=naive)
    return sum(costs[name].multiply_adds for name in lib.WIDTHS)


def work_of(widths: Any) -> int:
    """Multiply-adds of a module of these widths at the place of 3a."""
    return lib.cost.total(lib.inception_cost(192, widths, 28)).multiply_adds


CHAPTER_4 = (
    Exercise(
        "4.1", "the module that saves most",
        Choice(("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")),
        right=lambda: max(lib.inception_shapes(), key=saved).row.name,
        mistakes=(
            (lambda: max(lib.inception_shapes(), key=lambda layer: saved(layer, share=True)).row.name,
             "that one saves most by factor. The question asks for absolute numbers."),
            (lambda: min(lib.inception_shapes(), key=saved).row.name,
             "that one saves least of all nine."),
        ),
        hint="Subtract the two columns of `compare_modules()`.",
    ),
    Exercise(
        "4.2", "reductions, but no projections", Numbers(("channels", "multiply-adds")),
        right=without_projections,
        mistakes=(
            (lambda: (lib.WIDTHS["5b"].out_channels, ANY),
             "that many channels leave 5b with the projections. Without them a module hands on "
             "all that it pools."),
            (lambda: (ANY, nine_modules(naive=False)),
             "those are the multiply-adds with the projections. Without them every module reads "
             "more channels."),
            (lambda: (ANY, nine_modules(naive=True)),
             "those are the multiply-adds without the reductions. They are to stay in front of "
             "the 3x3 and the 5x5."),
            (lambda: (ANY, without_projections(projection_counted=True)[1]),
             "the multiply-adds still include the projections."),
        ),
        hint="Walk through the modules with a number of channels that grows.",
    ),
    Exercise(
        "4.3", "widths for half of 3a's work",
        Satisfies(Widths(), (
            (lambda widths: widths.out_channels == 256,
             "its four paths do not put out 256 channels together."),
            (lambda widths: 2 * work_of(widths) <= work_of(lib.WIDTHS["3a"]),
             "256 channels come out, but it needs more than half of 3a's multiply-adds. "
             "`compare_branches` shows which path takes them."),
        )),
        right=lambda: lib.InceptionWidths(128, 48, 64, 12, 32, 32),
    ),
)  # fmt: skip


# Chapter 5: GoogLeNet


def depth_of(rows: tuple, in_a_module: int = 2, poolings: int = 0) -> int:
    """Layers with parameters on the longest path, and the last linear layer."""
    from gnet_lib.paper import Convolution, InceptionRow

    layers = 1
    for row in rows:
        if isinstance(row, InceptionRow):
            layers += in_a_module
        elif isinstance(row, Convolution):
            layers += 1 if row.reduce is None else 2
        else:
            layers += poolings
    return layers


def at_448() -> Any:
    """The network's cost at twice the height and width."""
    return lib.cost.total(lib.network_cost(image_size=448))


def naive_network(**choices: bool) -> Any:
    """The cost of the network with naive modules."""
    return lib.cost.total(lib.network_cost(naive=True, **choices))


CHAPTER_5 = (
    Exercise(
        "5.1", "multiply-adds of a larger image", Number(),
        right=lambda: at_448().multiply_adds,
        mistakes=(
            (lambda: lib.cost.total(lib.network_cost()).multiply_adds,
             "that is for 224x224 pixels. You are asked for twice the sides."),
            (lambda: 4 * lib.cost.total(lib.network_cost()).multiply_adds,
             "nearly: that multiplies every layer by four. Does every layer see more pixels?"),
            (lambda: 2 * lib.cost.total(lib.network_cost()).multiply_adds,
             "height and width are doubled, so the number of pixels is not."),
            (lambda: 2 * at_448().multiply_adds,
             "off by a factor of two: one multiply-add is one multiplication and one addition."),
            (lambda: at_448().multiply_adds + at_448().bias_additions,
             "that includes the additions of the biases, which are no multiply-adds."),
        ),
    ),
    Exercise(
        "5.2", "parameters of the naive network",
        Numbers(("parameters of the network", "parameters of the last layer")),
        right=lambda: (
            naive_network().parameters, lib.network_cost(naive=True)["linear"].parameters
        ),
        mistakes=(
            (lambda: (naive_network(aux=True).parameters, ANY),
             "the first number includes the auxiliary classifiers: use aux=False."),
            (lambda: (naive_network().weights, ANY),
             "the first number is the weights alone; biases are parameters, too."),
            (lambda: (lib.cost.total(lib.network_cost()).parameters, ANY),
             "the first number is the reduced network's."),
            (lambda: (ANY, lib.network_cost()["linear"].parameters),
             "the second number is the reduced network's. More channels leave the naive 5b."),
            (lambda: (ANY, lib.network_cost(naive=True)["linear"].weights),
             "the second number is the weights alone; biases are parameters, too."),
        ),
    ),
    Exercise(
        "5.3", "the depth of the small network", Number(),
        right=lambda: depth_of(lib.googlenet.MINI_ROWS),
        mistakes=(
            (lambda: depth_of(lib.googlenet.MINI_ROWS, in_a_module=6),
             "that counts all convolutions. Those that stand side by side count once: take the "
             "longest path."),
            (lambda: depth_of(lib.googlenet.MINI_ROWS, in_a_module=1),
             "a module has two convolutions behind each other on its longest path."),
            (lambda: depth_of(lib.googlenet.MINI_ROWS, poolings=1),
             "that includes the poolings, which have no parameters."),
            (lambda: depth_of(lib.googlenet.MINI_ROWS) - 1,
             "one layer is missing: the first one or the last one?"),
        ),
        hint="`MINI_ROWS` lists its rows.",
    ),
)  # fmt: skip


# Chapter 5b: Table 1


def printed_range(printed: str, half: float = 0.5, unit: int = 10**6) -> tuple[int, int]:
    """The smallest and the largest count that is printed like this."""
    value = float(printed[:-1])
    return round((value - half) * unit), round((value + half) * unit)


CHAPTER_5B = (
    Exercise(
        "5b.1", "the operations that 25K parameters ask for", Number(),
        right=lambda: 25 * 1024 * 28**2,
        mistakes=(
            (lambda: 25 * 1000 * 28**2,
             "the table counts its parameters in another unit: how much is a K?"),
            (lambda: 25 * 1024,
             "those are the parameters. Each is used at every pixel of the map."),
            (lambda: 25 * 1024 * 28, "a map of 28x28 has more than 28 pixels."),
            (lambda: 2 * 25 * 1024 * 28**2,
             "off by a factor of two: an operation of the table is a multiply-add."),
        ),
    ),
    Exercise(
        "5b.2", "what is printed as 73M",
        Numbers(("smallest count", "largest count"), within=1),
        right=lambda: printed_range(lib.PRINTED["4a"].operations),
        mistakes=(
            (lambda: (printed_range("73M", half=1)[0], ANY),
             "that is a whole unit below. Which counts are nearest to what is printed?"),
            (lambda: (ANY, printed_range("73M", half=1)[1]),
             "that is a whole unit above. Which counts are nearest to what is printed?"),
            (lambda: (73 * 10**6, ANY),
             "that takes the printed number as exact or as rounded down."),
            (lambda: (ANY, 73 * 10**6),
             "that takes the printed number as exact or as rounded up."),
            (lambda: printed_range("73M", unit=2**20),
             "the operations are printed in millions of ten to the power of six."),
        ),
    ),
)  # fmt: skip


# Chapter 5c: torchvision's network


@functools.cache
def torchvisions_layers() -> dict[str, tuple[str, int]]:
    """Kind and number of parameters of every layer of torchvision's network with its heads."""
    import torch

    with torch.device("meta"):
        model = lib.torchvision_variant()
    return {
        name: (type(layer).__name__, sum(each.numel() for each in layer.parameters(recurse=False)))
        for name, layer in model.named_modules()
    }


def in_torchvisions(kinds: str = "", heads: bool = True) -> int:
    """Parameters of the layers of some kinds in torchvision's network."""
    return sum(
        parameters
        for name, (kind, parameters) in torchvisions_layers().items()
        if kind.startswith(kinds) and (heads or not name.startswith("heads"))
    )


def max_pooling(**changes: Any) -> Any:
    """The paper's pooling between 4e and 5a, or another one."""
    import torch

    row = next(row for row in lib.TABLE_1 if row.name == "pool4")
    choices = {"kernel_size": row.kernel_size, "stride": row.stride, "ceil_mode": row.ceil_mode}
    return torch.nn.MaxPool2d(**choices | changes)


def in_3a(kernel_size: int, in_channels: int = 16) -> Any:
    """The larger convolution of 3a's 5x5 path."""
    return lib.conv_cost(in_channels, 32, kernel_size, output_size=28)


CHAPTER_5C = (
    Exercise(
        "5c.1", "torchvision's parameters",
        Numbers(("parameters of the network", "parameters of batch normalisation")),
        right=lambda: (in_torchvisions(), in_torchvisions("BatchNorm")),
        mistakes=(
            (lambda: (in_torchvisions(heads=False), ANY),
             "the first number leaves out the two heads."),
            (lambda: (ANY, in_torchvisions("BatchNorm", heads=False)),
             "the second number leaves out the two heads, which normalise as well."),
            (lambda: (ANY, in_torchvisions("BatchNorm") // 2),
             "the second number has one parameter a channel. Batch normalisation scales and "
             "shifts."),
            (lambda: (ANY, 2 * in_torchvisions("BatchNorm")),
             "the second number includes the running averages, which are no parameters."),
            (lambda: (lib.cost.total(lib.network_cost(aux=True)).parameters, ANY),
             "the first number is the paper's network's."),
        ),
    ),
    Exercise(
        "5c.2", "what a 3x3 kernel saves in 3a", Number(),
        right=lambda: in_3a(5).multiply_adds - in_3a(3).multiply_adds,
        mistakes=(
            (lambda: in_3a(5).weights - in_3a(3).weights,
             "those are the weights. Each of them is used at every pixel."),
            (lambda: in_3a(5, 192).multiply_adds - in_3a(3, 192).multiply_adds,
             "the larger convolution reads what the reduction in front of it puts out, not the "
             "module's input."),
            (lambda: in_3a(3).multiply_adds,
             "that is what the smaller kernel needs. How much does it save?"),
            (lambda: in_3a(5).multiply_adds,
             "that is what the larger kernel needs. How much does the smaller one save?"),
        ),
    ),
    Exercise(
        "5c.3", "the paper's pooling between 4e and 5a", Module((1, 8, 14, 14)),
        right=max_pooling,
        mistakes=(
            (lambda: max_pooling(kernel_size=2), "that is torchvision's own pooling, of 2x2."),
            (lambda: max_pooling(ceil_mode=False),
             "its map is too small: it rounds down, and the poolings of this network round up."),
            (lambda: max_pooling(ceil_mode=False, padding=1),
             "padded, and rounded down: the size is right, but its windows lie elsewhere. The "
             "poolings of this network round up."),
            (lambda: max_pooling(stride=1), "it does not halve the map."),
        ),
    ),
)  # fmt: skip


# Chapter 6: auxiliary classifiers


def first_linear(pooled: int, channels: int = 128) -> Any:
    """The first linear layer of an auxiliary classifier."""
    return lib.linear_cost(channels * pooled**2, lib.paper.AUX_UNITS)


def undecided_loss(classes: int = 100, heads: int = 2, aux_weight: float = 0.3) -> float:
    """The joint loss of classifiers that give every class the same probability."""
    import torch

    undecided = torch.zeros(1, classes)
    return lib.joint_loss((undecided,) * (heads + 1), torch.tensor([0]), aux_weight).item()


def small_networks() -> list[tuple]:
    """Networks with convolutions, normalisation and linear layers, each with a value."""
    import torch
    from torch import nn

    torch.default_generator.manual_seed(0)
    flat = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Linear(8, 3))
    nested = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.Sequential(nn.Conv2d(2, 2, 1)))
    return [(flat, 0.2), (nested, -1.0), (nn.Linear(4, 2), 0.5)]


def with_biases(model: Any, value: float, kinds: tuple[str, ...] = ("Conv2d", "Linear")) -> Any:
    """Set the biases of layers of some kinds."""
    import torch

    for layer in model.modules():
        if type(layer).__name__ in kinds and layer.bias is not None:
            torch.nn.init.constant_(layer.bias, value)
    return model


CHAPTER_6 = (
    Exercise(
        "6.1", "a head on a larger map", Number(),
        right=lambda: first_linear(lib.paper.aux_pooled_size(28)).parameters,
        mistakes=(
            (lambda: first_linear(lib.paper.aux_pooled_size(14)).parameters,
             "that is the head of 224x224 images."),
            (lambda: first_linear(9).parameters,
             "the pooling's windows have to fit into the map: round down."),
            (lambda: first_linear(28).parameters, "the head begins with a pooling."),
            (lambda: first_linear(8, channels=512).parameters,
             "a 1x1 convolution to fewer channels stands in front of it."),
            (lambda: first_linear(8).weights,
             "those are the weights alone; biases are parameters, too."),
            (lambda: first_linear(8).parameters + lib.linear_cost(512, 128).parameters
             + lib.linear_cost(1024, 1000).parameters,
             "that is the whole head. The question is about its first linear layer."),
        ),
    ),
    Exercise(
        "6.2", "the joint loss of those who know nothing", Number(tolerance=0.001),
        right=undecided_loss,
        mistakes=(
            (lambda: undecided_loss(heads=0),
             "that is one classifier. The two heads count as well, with their weight."),
            (lambda: undecided_loss(heads=1), "that is one head; the network has two."),
            (lambda: undecided_loss(aux_weight=1), "the losses of the heads are weighted."),
            (lambda: undecided_loss(classes=10), "that is for ten classes."),
            (lambda: undecided_loss(classes=1000),
             "that is for the thousand classes of ImageNet."),
            (lambda: undecided_loss() / math.log(10),
             "the cross-entropy takes the natural logarithm."),
        ),
    ),
    Exercise(
        "6.3", "other first biases",
        Function("a function of a model and a value that gives the model", small_networks),
        right=lambda: with_biases,
        mistakes=(
            (lambda: functools.partial(with_biases, kinds=("Conv2d", "Linear", "BatchNorm2d")),
             "it changes the batch normalisation too. Only convolutions and linear layers are "
             "asked for."),
            (lambda: functools.partial(with_biases, kinds=("Conv2d",)),
             "linear layers have biases as well."),
            (lambda: lambda model, value: with_biases(model, 0.2),
             "it sets 0.2 whatever value is given."),
            (lambda: lambda model, value: model, "it gives the model back unchanged."),
        ),
        hint="All weights have to stay, and a layer may have no bias.",
    ),
)  # fmt: skip


# Chapter 7: data and device


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


CHAPTER_7 = (
    Exercise(
        "7.1", "bytes of the training images",
        Numbers(("bytes as uint8", "bytes after normalised", "bytes in nearest")),
        right=lambda: tuple(map(bytes_of, ("uint8", "float32", "float64"))),
        mistakes=(
            (lambda: (bytes_of("uint8", images=70_000), ANY, ANY),
             "the first number includes the test images."),
            (lambda: (8 * bytes_of("uint8"), ANY, ANY),
             "the first number is bits. Eight of them are a byte."),
            (lambda: (ANY, 32 * bytes_of("uint8"), ANY),
             "the second number is bits. Eight of them are a byte."),
            (lambda: (ANY, ANY, 64 * bytes_of("uint8")),
             "the third number is bits. Eight of them are a byte."),
            (lambda: (ANY, bytes_of("float64"), ANY),
             "the second number is for float64. What does `normalised` give?"),
            (lambda: (ANY, ANY, bytes_of("float32")),
             "the third number is for float32. In which format does `nearest` compute?"),
        ),
    ),
    Exercise(
        "7.2", "the nearest mean image",
        Function(
            "a function of images and means that gives a label for each image", images_and_means
        ),
        right=lambda: nearest_mean,
        mistakes=(
            (lambda: lambda images, means: nearest_mean(images, means, farthest=True),
             "it gives the mean that is farthest away."),
            (lambda: lambda images, means: nearest_mean(images, means, power=1.0),
             "it adds up the differences themselves. This chapter's distance squares them."),
            (lambda: lambda images, means: nearest_mean(
                images.double().mean(dim=(2, 3)), means.mean(dim=(2, 3))
            ),
             "it compares the brightness alone. Every pixel counts."),
        ),
        hint=(
            "It has to give one whole number for each image, also where the pixels come as "
            "uint8."
        ),
    ),
    Exercise(
        "7.3", "a vote of neighbours",
        Function(
            "a function of labels and a count that gives a label for each row",
            neighbours_and_counts,
        ),
        right=lambda: vote,
        mistakes=(
            (lambda: lambda labels, count: vote(labels, labels.shape[1]),
             "all neighbours vote. Only the first `count` of them should."),
            (lambda: lambda labels, count: labels[:, 0],
             "it takes the label of the nearest one. The others should vote as well."),
            (lambda: lambda labels, count: labels[:, :count].double().mean(dim=1).round(),
             "the mean of class numbers is no vote: between a bag and a trouser there is no "
             "class."),
            (lambda: lambda labels, count: labels[:, :count].median(dim=1).values,
             "the median of class numbers is no vote: their order means nothing."),
            (lambda: lambda labels, count: labels[:, count - 1],
             "it takes the label of the last of them. All of the first `count` should vote."),
        ),
    ),
)  # fmt: skip


# Chapter 8: training


def rising_steps(steps: int = 936) -> int:
    """How many of its steps a one-cycle learning rate rises."""
    return round(0.3 * steps)


CHAPTER_8 = (
    Exercise(
        "8.3", "how long the learning rate rises",
        Numbers(("steps of rising", "steps from the peak to the end of the epoch"), within=2),
        right=lambda: (rising_steps(), 60_000 // 128 - rising_steps()),
        mistakes=(
            (lambda: (rising_steps(60_000 // 128), ANY),
             "the first number is 30 % of one epoch. The schedule is laid over the whole "
             "training."),
            (lambda: (936 - rising_steps(), ANY), "the first number is how long the rate falls."),
            (lambda: (ANY, 936 - rising_steps()),
             "the second number goes to the end of the training, not of the first epoch."),
        ),
        hint="An epoch has 60,000 images in batches of 128.",
    ),
    Exercise(
        "8.4", "test images for a standard error of 0.1 percentage points",
        Number(tolerance=0.005),
        right=lambda: 0.91 * 0.09 / 0.001**2,
        mistakes=(
            (lambda: 0.91 * 0.09 / 0.1**2, "0.1 percentage points are 0.001, not 0.1."),
            (lambda: 0.91 * 0.09 / 0.001,
             "under the root stands n, so its error has to be squared when you solve for n."),
            (lambda: 0.91 / 0.001**2, "the variance of a single image is p(1 - p), not p."),
        ),
        hint="Solve the standard error of an accuracy, in the text above, for n.",
    ),
)  # fmt: skip


# Chapter 8b: a fair comparison


def parameters_at(width: float, **choices: Any) -> int:
    """Parameters of the small network of this width."""
    import torch

    with torch.device("meta"):
        model = lib.MiniGoogLeNet(width=width, **choices)
    return sum(parameter.numel() for parameter in model.parameters())


def compared_with_naive(width: float) -> float:
    """Parameters of the reduced network of this width, as a share of the naive one's."""
    return parameters_at(width) / parameters_at(1.0, module=lib.NaiveInception)


def naive_with_projection(relu: bool = True, in_front: bool = False) -> Any:
    """The naive 3a with a projection behind the pooling."""
    from gnet_lib.inception import conv_norm_act

    module = lib.Inception(192, lib.WIDTHS["3a"])
    module.branches["3x3"] = conv_norm_act(192, 128, kernel_size=3)
    module.branches["5x5"] = conv_norm_act(192, 32, kernel_size=5)
    if not relu:
        module.branches["pool"].project = module.branches["pool"].project.conv
    if in_front:
        module.branches["pool"] = module.branches["pool"][::-1]
    return module


CHAPTER_8B = (
    Exercise(
        "8b.2", "a reduced network with the parameters of the naive one",
        Satisfies(Number(tolerance=0.01), (
            (lambda width: 0 < width < 10,
             "a width is a factor for all channels: it has to be above 0, and need not be above "
             "10."),
            (lambda width: compared_with_naive(width) > 0.97,
             "the reduced network still has fewer parameters than the naive one."),
            (lambda width: compared_with_naive(width) < 1.03,
             "the reduced network has more parameters than the naive one. They grow faster than "
             "the width."),
        )),
        right=lambda: 2.4,
    ),
    Exercise(
        "8b.3", "a naive module with a projection", Module((1, 192, 7, 7)),
        right=naive_with_projection,
        mistakes=(
            (lambda: lib.NaiveInception(192, lib.WIDTHS["3a"]),
             "the pooling path still hands on all it pools: there is no projection."),
            (lambda: lib.Inception(192, lib.WIDTHS["3a"]),
             "the 3x3 and the 5x5 path still have their reductions."),
            (lambda: naive_with_projection(in_front=True),
             "the projection stands in front of the pooling, not behind it."),
            (lambda: naive_with_projection(relu=False), "there is no ReLU behind the projection."),
        ),
        hint="Build it without batch normalisation.",
    ),
)  # fmt: skip


# What torchinfo counts


def norm_by_torchinfo() -> int:
    """What torchinfo prints for the multiply-adds of a batch normalisation."""
    import torch

    return int(lib.torchinfo_layers(torch.nn.BatchNorm2d(8), (1, 8, 10, 10))["torchinfo"].sum())


def some_costs() -> list[tuple]:
    """A network, a layer, and one whose biases are easy to tell apart."""
    network = lib.cost.total(lib.network_cost())
    return [(network,), (lib.conv_cost(3, 64, 7, 112),), (lib.Cost(9, 1, 9000, 1000),)]


PAGE_T = (
    Exercise(
        "T.1", "a batch normalisation", Numbers(("count by torchinfo", "fair count")),
        right=lambda: (norm_by_torchinfo(), 8 * 10 * 10),
        mistakes=(
            (lambda: (2 * 8 * 10 * 10, ANY),
             "the first number is not what torchinfo prints: it takes these parameters once an "
             "image, not once a pixel."),
            (lambda: (8, ANY),
             "the first number is the weights alone. There is a shift for each channel as well."),
            (lambda: (ANY, 2 * 8 * 10 * 10),
             "the second number is twice too large: to scale and to shift a value is one product "
             "and one addition."),
            (lambda: (ANY, 10 * 10), "the second number is for one channel."),
            (lambda: (0, ANY),
             "the first number: does torchinfo know that the layer has parameters?"),
        ),
    ),
    Exercise(
        "T.2", "torchinfo's count from ours", Function("a function of a Cost", some_costs),
        right=lambda: lambda cost: cost.multiply_adds + cost.bias_additions,
        mistakes=(
            (lambda: lambda cost: cost.multiply_adds,
             "that is this book's count. torchinfo has a little more."),
            (lambda: lambda cost: cost.multiply_adds + cost.biases,
             "every bias is added more than once."),
            (lambda: lambda cost: cost.parameters, "those are the parameters, not the work."),
            (lambda: lambda cost: 2 * cost.multiply_adds,
             "torchinfo does not count a multiply-add as two."),
        ),
    ),
)  # fmt: skip


# Spot the bug


def concatenated_along(dimension: int) -> tuple[int, ...]:
    """The shape of four maps of 64 channels, concatenated."""
    import torch

    return tuple(torch.cat([torch.empty(1, 64, 28, 28, device="meta")] * 4, dim=dimension).shape)


def pairs_of_modules() -> list[tuple]:
    """(module, module, input): the same, or with a mistake in the second; all weights differ."""
    import torch

    widths = lib.InceptionWidths(3, 4, 6, 2, 5, 4)
    torch.default_generator.manual_seed(0)
    sound = [lib.Inception(8, widths) for _ in range(6)]
    x = torch.rand(2, 8, 9, 9)
    sound[3].branches["pool"] = sound[3].branches["pool"][::-1]
    sound[5].branches["3x3"].reduce.relu = torch.nn.Identity()
    return [(sound[0], sound[1], x), (sound[2], sound[3], x), (sound[4], sound[5], x)]


def agree(mine: Any, theirs: Any, x: Any) -> bool:
    """Whether two modules give the same output once they have the same weights."""
    import torch

    theirs = copy.deepcopy(theirs)
    with torch.no_grad():
        for ours, other in zip(mine.parameters(), theirs.parameters(), strict=True):
            other.copy_(ours)
        return torch.allclose(mine(x), theirs(x), atol=1e-5)


PAGE_S = (
    Exercise(
        "S.1", "a thirteenth puzzle", Numbers(("images", "channels", "height", "width")),
        right=lambda: concatenated_along(2),
        mistakes=(
            (lambda: concatenated_along(1),
             "that is the sound module: its maps are put side by side as channels."),
            (lambda: concatenated_along(3),
             "the last dimension is the width. Dimensions are counted from zero."),
            (lambda: concatenated_along(0),
             "the first dimension is the images. Dimensions are counted from zero."),
        ),
    ),
    Exercise(
        "S.3", "a test that finds it",
        Function("a function of two modules and an input", pairs_of_modules),
        right=lambda: agree,
        mistakes=(
            (lambda: lambda mine, theirs, x: True,
             "it takes all pairs for equal, and two of the pairs have a mistake. Shapes and "
             "parameters cannot show it."),
            (lambda: lambda mine, theirs, x: False,
             "it takes no pair for equal, not even two sound modules. Do both have the same "
             "weights when you compare?"),
            (lambda: lambda mine, theirs, x: not agree(mine, theirs, x),
             "it says True where the modules differ. It should be the other way round."),
        ),
        hint="It has to give True or False.",
    ),
)  # fmt: skip


EXERCISES: dict[str, Exercise] = {
    exercise.number: exercise
    for chapter in (
        CHAPTER_1, CHAPTER_2, CHAPTER_3, CHAPTER_4, CHAPTER_5, CHAPTER_5B, CHAPTER_5C, CHAPTER_6,
        CHAPTER_7, CHAPTER_8, CHAPTER_8B, PAGE_S, PAGE_T,
    )
    for exercise in chapter
}  # fmt: skip
