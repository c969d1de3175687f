"""What a network costs: parameters and multiply-adds, counted twice.

Once by closed formula from the widths alone, once from the layers that torchinfo sees at
work in the real network. The two must agree, and the tests say so.

What is counted: a *multiply-add* is one weight of a convolution or linear layer used
once, for one image. Additions of biases are counted apart. Pooling, activations,
normalisation and concatenation are not counted. A FLOP count that takes a multiply-add
as two operations is twice as large.
"""

from dataclasses import dataclass, fields
from math import prod
from numbers import Integral, Real
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gnet_lib._check import (
    require_bool,
    require_instance,
    require_mapping,
    require_model,
    require_table,
    require_whole_number,
    shown,
)
from gnet_lib._modes import left_as_it_was
from gnet_lib.design import (
    NAIVE,
    REDUCED,
    Conv,
    Design,
    kernel_pair,
    require_design,
    require_designs,
)
from gnet_lib.paper import (
    AUX_AFTER,
    AUX_CHANNELS,
    AUX_UNITS,
    PRINTED,
    TABLE_1,
    Convolution,
    InceptionRow,
    InceptionWidths,
    Row,
    aux_pooled_size,
    require_widths,
)
from gnet_lib.shapes import (
    LayerShape,
    inception_shapes,
    layer_shapes,
    require_heads,
)

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Cost:
    """What a layer, a branch or a network costs for one image.

    Args:
        weights: weights of convolutions and linear layers.
        biases: their biases.
        multiply_adds: multiply-adds of the weights.
        bias_additions: additions of biases, one an output value.

    Raises:
        ValueError: if a number is not a whole one of at least 0.

    Example:
        >>> Cost(9, 1, 9000, 1000) + Cost(1, 1, 10, 10)
        Cost(weights=10, biases=2, multiply_adds=9010, bias_additions=1010)
    """

    weights: int = 0
    biases: int = 0
    multiply_adds: int = 0
    bias_additions: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            value = require_whole_number(field.name, value, at_least=0, at_most=None)
            object.__setattr__(self, field.name, value)  # the way to assign in a frozen class

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.weights + other.weights,
            self.biases + other.biases,
            self.multiply_adds + other.multiply_adds,
            self.bias_additions + other.bias_additions,
        )

    @property
    def parameters(self) -> int:
        """Weights and biases together."""
        return self.weights + self.biases


def total(costs: dict[str, Cost]) -> Cost:
    """The sum of named costs.

    Args:
        costs: name of a branch, row or layer -> its cost.

    Returns:
        All of them together.

    Raises:
        ValueError: for anything but costs by name.

    Example:
        >>> total({"one": Cost(weights=9, biases=1), "two": Cost(weights=1, biases=1)})
        Cost(weights=10, biases=2, multiply_adds=0, bias_additions=0)
    """
    return sum(require_mapping("costs", costs, Cost, "a Cost").values(), Cost())


# --- by closed formula -------------------------------------------------------------------


def conv_cost(
    in_channels: int,
    out_channels: int,
    kernel_size: int | tuple[int, int],
    output_size: int,
) -> Cost:
    """Cost of a convolution with a bias.

    Every one of ``output_size**2 * out_channels`` output values is a sum of
    ``kernel_size**2 * in_channels`` products, or of ``height * width * in_channels`` where the
    kernel is not a square.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        kernel_size: side of the kernel, or its (height, width).
        output_size: height and width of the output map in pixels.

    Returns:
        The cost for one image.

    Raises:
        ValueError: if an argument is not a whole number of at least 1.

    Example:
        >>> conv_cost(192, 128, kernel_size=3, output_size=28).multiply_adds
        173408256
    """
    in_channels = require_whole_number("in_channels", in_channels)
    out_channels = require_whole_number("out_channels", out_channels)
    height, width = (require_whole_number("kernel_size", side) for side in kernel_pair(kernel_size))
    output_size = require_whole_number("output_size", output_size)
    weights = height * width * in_channels * out_channels
    pixels = output_size**2
    return Cost(weights, out_channels, weights * pixels, out_channels * pixels)


def linear_cost(in_features: int, out_features: int) -> Cost:
    """Cost of a linear layer with a bias.

    Args:
        in_features: values that come in.
        out_features: values that go out.

    Returns:
        The cost for one image.

    Raises:
        ValueError: if an argument is not a whole number of at least 1.

    Example:
        >>> linear_cost(1024, 1000).parameters
        1025000
    """
    in_features = require_whole_number("in_features", in_features)
    out_features = require_whole_number("out_features", out_features)
    weights = in_features * out_features
    return Cost(weights, out_features, weights, out_features)


def inception_cost(
    in_channels: int, widths: InceptionWidths, size: int, design: Design = REDUCED
) -> dict[str, Cost]:
    """Cost of one Inception module, branch by branch.

    Args:
        in_channels: channels of the module's input.
        widths: the module's widths.
        size: height and width of the map in pixels.
        design: which module to count, for instance ``NAIVE``.

    Returns:
        Branch name -> ``Cost``, in the order of the design, from 1x1 to pool.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> costs = inception_cost(192, InceptionWidths(64, 96, 128, 16, 32, 32), size=28)
        >>> total(costs).parameters
        163696
    """
    size = require_whole_number("size", size)
    return {
        branch: sum((conv_cost(*convolution, size) for convolution in convolutions), Cost())
        for branch, convolutions in branch_convolutions(in_channels, widths, design).items()
    }


def branch_convolutions(
    in_channels: int, widths: InceptionWidths, design: Design = REDUCED
) -> dict[str, list[tuple[int, int, int | tuple[int, int]]]]:
    """The convolutions of each branch as (in_channels, out_channels, kernel_size), in order.

    Args:
        in_channels: channels of the module's input.
        widths: the module's widths.
        design: which module to list, for instance ``NAIVE``.

    Returns:
        Branch name -> its convolutions, from the input on.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> branch_convolutions(192, InceptionWidths(64, 96, 128, 16, 32, 32))["3x3"]
        [(192, 96, 1), (96, 128, 3)]
    """
    in_channels = require_whole_number("in_channels", in_channels)
    layers = require_design(design).sized_layers(in_channels, require_widths(widths))
    return {
        branch: [
            (placed.in_channels, placed.out_channels, placed.layer.kernel_size)
            for placed in placed_layers
            if isinstance(placed.layer, Conv)
        ]
        for branch, placed_layers in layers.items()
    }


def row_cost(layer: LayerShape[Row], design: Design = REDUCED) -> Cost:
    """Cost of one row of a table at its place in the network.

    Args:
        layer: what ``layer_shapes`` or ``inception_shapes`` gave.
        design: the design as which a module is counted.

    Returns:
        The cost for one image; nothing for a pooling.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> row_cost(inception_shapes()[0]).weights
        163328
    """
    require_instance("layer", layer, LayerShape, "a LayerShape, as layer_shapes gives it")
    require_design(design)
    row = layer.row
    if isinstance(row, InceptionRow):
        return total(inception_cost(layer.in_channels, row.widths, layer.out_size, design))
    if not isinstance(row, Convolution):
        return Cost()
    if row.reduce is None:
        return conv_cost(layer.in_channels, row.out_channels, row.kernel_size, layer.out_size)
    # The 1x1 convolution in front works on the map that comes in.
    return conv_cost(layer.in_channels, row.reduce, 1, layer.in_size) + conv_cost(
        row.reduce, row.out_channels, row.kernel_size, layer.out_size
    )


def network_cost(
    rows: tuple[Row, ...] = TABLE_1,
    *,
    in_channels: int = 3,
    num_classes: int = 1000,
    image_size: int = 224,
    design: Design = REDUCED,
    aux: bool = False,
) -> dict[str, Cost]:
    """Cost of a whole network without normalisation, row by row.

    Only the table and the design are counted. What a subclass changes besides them is not
    seen here; ``torchinfo_cost`` sees it.

    Args:
        rows: the table of the network.
        in_channels: channels of the images.
        num_classes: number of classes.
        image_size: height and width of the images in pixels.
        design: the design of all modules, for instance ``NAIVE``.
        aux: whether to count the two auxiliary classifiers, which work in training only.

    Returns:
        Row name -> ``Cost``; the last linear layer is ``"linear"``, a head is
        ``"aux 4a"`` or ``"aux 4d"``.

    Raises:
        ValueError: for a bad argument, or where ``GoogLeNet`` could not be built.

    Example:
        >>> total(network_cost()).parameters, total(network_cost()).multiply_adds
        (6998552, 1582671872)
        >>> total(network_cost(aux=True)).parameters
        13378280
    """
    num_classes = require_whole_number("num_classes", num_classes)
    require_bool("aux", aux)
    if aux:
        require_heads(rows, image_size)
    layers = layer_shapes(rows, in_channels, image_size, design)
    costs = {layer.row.name: row_cost(layer, design) for layer in layers}
    costs["linear"] = linear_cost(layers[-1].out_channels, num_classes)
    if aux:
        for layer in layers:
            if layer.row.name in AUX_AFTER:
                costs[f"aux {layer.row.name}"] = _head_cost(layer, num_classes)
    return costs


def _head_cost(layer: LayerShape[Row], num_classes: int) -> Cost:
    pooled = aux_pooled_size(layer.out_size)
    return (
        conv_cost(layer.out_channels, AUX_CHANNELS, 1, pooled)
        + linear_cost(AUX_CHANNELS * pooled**2, AUX_UNITS)
        + linear_cost(AUX_UNITS, num_classes)
    )


# --- by torchinfo ------------------------------------------------------------------------

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
COUNTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED)
"""The layers whose multiply-adds are counted."""

FREE = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.SyncBatchNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.RMSNorm,
    nn.PReLU,
)
"""Normalisations and activations that have parameters, but are not counted."""


COLUMNS = (
    "layer", "kind", "output_shape", "weights", "biases", "multiply_adds", "bias_additions",
    "torchinfo",
)  # fmt: skip


def torchinfo_layers(model: nn.Module, input_size: tuple[int, ...]) -> "pandas.DataFrame":
    """Every layer that torchinfo saw at work, with what it costs.

    Afterwards the model is as it was: ``torchinfo.summary`` puts it into evaluation mode and
    runs it, which draws random numbers and changes what its layers keep.

    torchinfo finds the layers at work and the shapes of their maps. The multiply-adds are
    worked out from these, since torchinfo's own figure is another one: it adds the biases,
    and takes a linear layer as used once an image, also at the end of longer shapes.

    What torchinfo cannot see would be missing without a word: weights that work outside the
    call of their layer, as in ``F.conv2d(x, layer.weight)``, and products of a model's own
    code. So PyTorch's counter runs beside it, and a model that multiplies more often than
    its layers explain is refused. (Only ``x * layer.weight``, value by value, is in neither.)

    Args:
        model: the network, in any floating-point type; the batch comes in the same.
        input_size: shape of one batch; use a batch of 1 for counts of one image.

    Returns:
        One row for each time that a layer works. Its columns are ``layer``, ``kind``,
        ``output_shape``, ``weights`` and ``biases`` (0 where they were counted in a row before),
        ``multiply_adds`` (of the weights of convolutions and linear layers),
        ``bias_additions`` (of the same layers) and ``torchinfo`` (its own column
        "Mult-Adds").

    Raises:
        ValueError: if ``model`` is no network, if ``input_size`` is not a tuple of whole
            numbers of at least 1, if the model cannot compute with such a batch, if it has a
            layer with weights of a kind that is not counted here, or if weights work outside
            their layers.

    Example:
        >>> layers = torchinfo_layers(nn.Conv2d(192, 128, 3, padding=1), (1, 192, 28, 28))
        >>> layers[["kind", "weights", "biases", "multiply_adds"]].values.tolist()
        [['Conv2d', 221184, 128, 173408256]]
    """
    import pandas
    import torchinfo

    input_size = _require_input_size(input_size)
    _require_countable(require_model("model", model))
    parameter = next(model.parameters(), torch.empty(0))
    with (
        left_as_it_was(model),
        torch.random.fork_rng(),
        FlopCounterMode(display=False) as counter,
    ):
        try:
            summary = torchinfo.summary(
                model,
                input_data=torch.rand(input_size, device=parameter.device).to(parameter.dtype),
                device=parameter.device,
                mode="eval",
                verbose=0,
            )
        except Exception as error:  # whatever a reader's model does
            reason = error.__cause__ or error  # torchinfo hides what the model said
            raise ValueError(
                f"input_size must be the shape of a batch that the model takes, but with "
                f"{input_size} it stops: {reason}"
            ) from error
    names = {id(module): name for name, module in model.named_modules()}
    seen: set[int] = set()
    rows = [
        {"layer": names[id(info.module)], **_layer_row(info, seen)}
        for info in summary.summary_list
        if info.executed and (info.is_leaf_layer or isinstance(info.module, COUNTED))
    ]
    # The counter takes a multiply-add as two operations.
    _require_all_seen(model, rows, counter.get_total_flops() // 2)
    return pandas.DataFrame(rows, columns=COLUMNS)


def _require_input_size(input_size: tuple[int, ...]) -> tuple[int, ...]:
    if not isinstance(input_size, (tuple, list)) or not input_size:
        raise ValueError(
            "input_size must be the shape of a batch, for instance (1, 3, 224, 224), "
            f"but it is {shown(input_size)}"
        )
    return tuple(
        require_whole_number(f"input_size[{position}]", value)
        for position, value in enumerate(input_size)
    )


def _require_countable(model: nn.Module) -> None:
    """Refuse a layer whose weights would be passed over in silence.

    Only weights and biases of ``COUNTED`` layers are in the table, so nobody else may have
    parameters, apart from the layers that are ``FREE`` by the definition of a multiply-add.
    """
    for name, module in model.named_modules():
        kind = f"{type(module).__name__} {name!r}"
        own = [parameter for parameter, _ in module.named_parameters(recurse=False)]
        if any(nn.parameter.is_lazy(parameter) for parameter in module.parameters(recurse=False)):
            raise ValueError(
                f"model must know its sizes, but {kind} waits for its first batch; run one "
                "through the model first"
            )
        # Quantised and scripted layers hold weights where no parameter shows them.
        if isinstance(module, torch.jit.ScriptModule) or "quantized" in type(module).__module__:
            raise ValueError(
                f"model must be an ordinary one, but {kind} hides its weights; count the model "
                "from which it was made"
            )
        if isinstance(module, COUNTED):
            own = [each for each in own if not each.startswith(("weight", "bias"))]
        if own and not isinstance(module, FREE):
            raise ValueError(
                f"model must have its weights in convolutions and linear layers, but "
                f"{kind} has weights of its own, and they are not counted"
            )


def _require_all_seen(model: nn.Module, rows: list[dict], multiply_adds: int) -> None:
    """Refuse a model that multiplies where no layer's call shows it."""
    counted = sum(row["multiply_adds"] for row in rows)
    if multiply_adds <= counted:
        return
    at_work = {row["layer"] for row in rows}
    idle = [
        repr(name)
        for name, module in model.named_modules()
        if isinstance(module, COUNTED) and name not in at_work
    ]
    raise ValueError(
        f"model must multiply in the calls of its convolutions and linear layers, which make "
        f"{counted:,} multiply-adds, but PyTorch counts {multiply_adds:,}; the others are in its "
        "own code (F.conv2d, F.linear, @, or a layer's forward called by name), and are not "
        f"counted. Layers that were never called: {', '.join(idle) or 'none'}"
    )


def _layer_row(info, seen: set[int]) -> dict:
    """What one layer did; ``seen`` holds the parameters that were counted before."""
    module = info.module
    row = {
        "kind": info.class_name,
        "output_shape": tuple(info.output_size),
        "weights": 0,
        "biases": 0,
        "multiply_adds": 0,
        "bias_additions": 0,
        "torchinfo": info.macs,
    }
    if isinstance(module, COUNTED):
        row["weights"] = _count_once(module.weight, seen)
        row["biases"] = _count_once(module.bias, seen)
        # Every weight is used once at each place of the map that the layer writes. Only a
        # transposed convolution uses it at each place of the map that it reads.
        shape = info.input_size if isinstance(module, TRANSPOSED) else info.output_size
        channels_of_that_map = module.weight.shape[0]
        places = prod(shape) // channels_of_that_map
        row["multiply_adds"] = module.weight.numel() * places
        row["bias_additions"] = 0 if module.bias is None else prod(info.output_size)
    return row


def _count_once(parameter: torch.Tensor | None, seen: set[int]) -> int:
    if parameter is None or id(parameter) in seen:
        return 0
    seen.add(id(parameter))
    return parameter.numel()


def torchinfo_cost(model: nn.Module, input_size: tuple[int, ...]) -> Cost:
    """Cost of a model's convolutions and linear layers, by the layers torchinfo sees at work.

    Only layers at work in evaluation are counted. Those that work in training alone, such as
    the auxiliary classifiers', are left out with their weights.

    Args:
        model: the network, in any floating-point type.
        input_size: shape of one batch, for instance ``(1, 3, 224, 224)``.

    Returns:
        The cost of one pass of this batch.

    Raises:
        ValueError: as ``torchinfo_layers`` does.

    Example:
        >>> torchinfo_cost(nn.Conv2d(192, 128, 3, padding=1), (1, 192, 28, 28))
        Cost(weights=221184, biases=128, multiply_adds=173408256, bias_additions=100352)
    """
    columns = ["weights", "biases", "multiply_adds", "bias_additions"]
    sums = torchinfo_layers(model, input_size)[columns].sum()
    return Cost(*(int(number) for number in sums.tolist()))


# --- tables ------------------------------------------------------------------------------


def format_table(frame: "pandas.DataFrame") -> "pandas.DataFrame":
    """The table as text: whole numbers with thousands separators, others to three digits.

    Args:
        frame: a table of numbers and words.

    Returns:
        A table of the same shape and names, in which everything is text.

    Raises:
        ValueError: for anything but a table.

    Example:
        >>> import pandas
        >>> format_table(pandas.DataFrame({"multiply-adds": [128049152], "fraction": [0.40123]}))
          multiply-adds fraction
        0   128,049,152    0.401
    """
    return require_table("frame", frame, at_least=0).map(_readable_value)


def _readable_value(value) -> str:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, Integral):
        return f"{value:,}"
    if isinstance(value, Real):
        text = f"{value:.3g}"
        # Asked of the rounded number, because 999.7 has three digits as 1,000.
        return text if abs(float(text)) < 1000 else f"{value:,.0f}"
    return str(value)


def compare_branches(
    in_channels: int,
    widths: InceptionWidths,
    size: int,
    designs: tuple[Design, ...] = (NAIVE, REDUCED),
) -> "pandas.DataFrame":
    """Naive beside reduced, branch by branch, with a last line for the module.

    Args:
        in_channels: channels of the modules' input.
        widths: the widths of all modules.
        size: height and width of the map in pixels.
        designs: what to compare, each with a name of its own.

    Returns:
        One row a branch and one for the module; the columns are parameters (with biases)
        and multiply-adds (of weights, one image) of each design.

    Raises:
        ValueError: for a bad argument, or two designs of one name.

    Example:
        >>> from gnet_lib import WIDTHS
        >>> int(compare_branches(192, WIDTHS["3a"], 28).loc["module", "reduced multiply-adds"])
        128049152
    """
    require_designs(designs)
    costs = {design.name: inception_cost(in_channels, widths, size, design) for design in designs}
    return _side_by_side(costs, index="branch", last="module")


def compare_modules(
    rows: tuple[Row, ...] = TABLE_1,
    image_size: int = 224,
    designs: tuple[Design, ...] = (NAIVE, REDUCED),
) -> "pandas.DataFrame":
    """Naive beside reduced for every module of a table, each with the *same* input.

    Every module here receives the input that it has in the reduced network, so only the
    module itself differs. ``stacked_naive_costs`` says what happens when naive modules are
    stacked. The last line is the sum.

    Args:
        rows: the table of the network.
        image_size: height and width of the image in pixels.
        designs: what to compare, each with a name of its own.

    Returns:
        One row a module and one for all; the columns are those of ``compare_branches``.

    Raises:
        ValueError: as ``layer_shapes`` does, or for two designs of one name.

    Example:
        >>> every = compare_modules().loc["all"]
        >>> int(every["naive parameters"]), int(every["reduced parameters"])
        (23723664, 5849136)
    """
    require_designs(designs)
    layers = inception_shapes(rows, image_size)
    costs = {
        design.name: {layer.row.name: row_cost(layer, design) for layer in layers}
        for design in designs
    }
    return _side_by_side(costs, index="module", last="all")


def _side_by_side(costs: dict[str, dict[str, Cost]], index: str, last: str) -> "pandas.DataFrame":
    """Columns for each design, a row for each name, and the sums in a last row."""
    import pandas

    names = dict.fromkeys(name for parts in costs.values() for name in parts)
    columns = {}
    for counted in ("parameters", "multiply-adds"):
        for design, parts in costs.items():
            # A branch that only another design has costs nothing here.
            whole = {name: parts.get(name, Cost()) for name in names} | {last: total(parts)}
            columns[f"{design} {counted}"] = {
                name: getattr(cost, counted.replace("-", "_")) for name, cost in whole.items()
            }
    return pandas.DataFrame(columns).rename_axis(index)


def stacked_naive_costs(
    rows: tuple[Row, ...] = TABLE_1, image_size: int = 224
) -> "pandas.DataFrame":
    """The modules of a table, naive and stacked: each receives what the one before puts out.

    Args:
        rows: the table of the network.
        image_size: height and width of the image in pixels.

    Returns:
        One row a module, with its map size in pixels, channels in and out, parameters (with
        biases) and multiply-adds (of weights, one image). The last row is the sum over the
        modules, without stem and classifier.

    Raises:
        ValueError: as ``layer_shapes`` does.

    Example:
        >>> int(stacked_naive_costs().loc["5b", "out_channels"])
        4944
    """
    import pandas

    layers = inception_shapes(rows, image_size, NAIVE)
    costs = {layer.row.name: row_cost(layer, NAIVE) for layer in layers}
    frame = pandas.DataFrame(
        {
            "size": {layer.row.name: f"{layer.out_size}x{layer.out_size}" for layer in layers},
            "in_channels": {layer.row.name: layer.in_channels for layer in layers},
            "out_channels": {layer.row.name: layer.out_channels for layer in layers},
            "parameters": {name: cost.parameters for name, cost in costs.items()},
            "multiply-adds": {name: cost.multiply_adds for name, cost in costs.items()},
        }
    )
    frame.loc["all"] = [
        "",
        layers[0].in_channels,
        layers[-1].out_channels,
        total(costs).parameters,
        total(costs).multiply_adds,
    ]
    return frame.rename_axis("module")


def compare_with_table_1() -> "pandas.DataFrame":
    """The paper's Table 1, printed beside computed, for the rows that have weights.

    Returns:
        One row a row of the paper. The columns are the printed parameters and operations as
        text, the weights without biases (which the printed figures seem to count), and the
        multiply-adds of one 224x224 image.

    Example:
        >>> row = compare_with_table_1().loc["3a"]
        >>> row["printed parameters"], int(row["computed weights"])
        ('159K', 163328)
    """
    import pandas

    costs = {name: cost for name, cost in network_cost().items() if cost.weights}
    frame = pandas.DataFrame(
        {
            "printed parameters": {name: PRINTED[name].parameters for name in costs},
            "computed weights": {name: cost.weights for name, cost in costs.items()},
            "printed operations": {name: PRINTED[name].operations for name in costs},
            "computed multiply-adds": {name: cost.multiply_adds for name, cost in costs.items()},
        }
    )
    return frame.rename_axis("row")
