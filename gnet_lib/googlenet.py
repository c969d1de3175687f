"""Whole networks, built row by row from a table: GoogLeNet and its small sibling."""

from collections import OrderedDict
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor, nn

from gnet_lib._check import (
    require_bool,
    require_choice,
    require_number,
    require_whole_number,
    shown,
)
from gnet_lib.inception import (
    Inception,
    InceptionBase,
    conv_norm_act,
    is_recorded,
    is_scripting,
    require_maps,
)
from gnet_lib.paper import (
    AUX_AFTER,
    AUX_CHANNELS,
    AUX_DROPOUT,
    AUX_POOL,
    AUX_STRIDE,
    AUX_UNITS,
    DROPOUT,
    LARGEST_FACTOR,
    TABLE_1,
    Convolution,
    InceptionRow,
    InceptionWidths,
    MaxPool,
    Row,
    aux_pooled_size,
    scale_rows,
)
from gnet_lib.shapes import LayerShape, layer_shapes, require_heads, smallest_image_size

NORMS = ("lrn", "batch", "none")

MINI_ROWS: tuple[Row, ...] = (
    Convolution("conv1", kernel_size=3, stride=1, out_channels=32),
    MaxPool("pool1"),
    InceptionRow("3a", InceptionWidths(16, 16, 32, 8, 16, 16)),
    InceptionRow("3b", InceptionWidths(24, 24, 48, 8, 24, 24)),
    MaxPool("pool3"),
    InceptionRow("4a", InceptionWidths(48, 48, 96, 16, 32, 32)),
    InceptionRow("4b", InceptionWidths(64, 64, 128, 16, 48, 48)),
)
"""A GoogLeNet for 28x28 images, made of a stem and four modules, two at 14x14 and two at 7x7."""


def _for_small_images(row: Row) -> Row:
    return replace(row, stride=1) if row.name == "conv1" else row


DEEP_ROWS: tuple[Row, ...] = scale_rows(
    tuple(_for_small_images(row) for row in TABLE_1 if row.name != "pool2"), 1 / 8
)
"""The paper's whole depth for 28x28 images, an eighth as wide.

Two of the stem's halvings are left out (the stride of conv1 and pool2), so that the nine
modules see maps of 14, 7 and 3 pixels and both auxiliary classifiers still fit.
"""


class GoogLeNetOutputs(NamedTuple):
    """What GoogLeNet returns in training: three sets of logits, each (N, num_classes).

    Args:
        logits: the network's own answer.
        aux_4a: answer of the auxiliary classifier behind module 4a.
        aux_4d: answer of the auxiliary classifier behind module 4d.

    Example:
        >>> GoogLeNetOutputs._fields
        ('logits', 'aux_4a', 'aux_4d')
    """

    logits: Tensor
    aux_4a: Tensor
    aux_4d: Tensor


class AuxiliaryHead(nn.Module):
    """An auxiliary classifier: a small network that classifies from the middle of the big one.

    Args:
        in_channels: channels of the map that it reads.
        size: height and width of that map, at least 5; 14 in the paper.
        num_classes: number of classes.
        dropout: dropout in front of the last layer, at least 0 and below 1.
        batch_norm: whether its convolution is followed by batch normalisation.

    Attributes:
        pool: the average pooling.
        conv: the 1x1 convolution, as ``conv_norm_act`` makes it.
        fc1: the first linear layer.
        relu: the ReLU behind it.
        dropout: the dropout in front of the last layer.
        fc2: the last linear layer.
        in_channels: channels of the map that it reads.
        size: height and width of that map.

    Shape:
        (N, in_channels, size, size) -> logits (N, num_classes)

    Raises:
        ValueError: for a bad argument, or maps of another shape.

    Example:
        >>> head = AuxiliaryHead(in_channels=512, size=14, num_classes=1000)
        >>> sum(parameter.numel() for parameter in head.parameters())
        3188840

    Source: section 5: average pooling 5x5 with stride 3, 128 1x1 convolutions, a linear
    layer of 1024 units, dropout of 70 %, a linear layer.
    """

    def __init__(
        self,
        in_channels: int,
        size: int,
        num_classes: int,
        dropout: float = AUX_DROPOUT,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        num_classes = require_whole_number("num_classes", num_classes)
        _require_dropout(dropout)
        size = require_whole_number("size", size)
        if size < AUX_POOL:
            raise ValueError(
                f"size must be at least {AUX_POOL}, the side of the average pooling's window, "
                f"but it is {size}"
            )
        self.in_channels = require_whole_number("in_channels", in_channels)
        self.size = size
        pooled = aux_pooled_size(size)  # 14 -> 4
        self.pool = nn.AvgPool2d(kernel_size=AUX_POOL, stride=AUX_STRIDE)
        self.conv = conv_norm_act(in_channels, AUX_CHANNELS, 1, batch_norm=batch_norm)
        self.fc1 = nn.Linear(AUX_CHANNELS * pooled * pooled, AUX_UNITS)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(AUX_UNITS, num_classes)

    def forward(self, x: Tensor) -> Tensor:  # (N, 512, 14, 14) behind 4a
        """Classify from the maps in the middle of the network.

        Args:
            x: maps (N, in_channels, size, size).

        Returns:
            Logits (N, num_classes).

        Raises:
            ValueError: for maps of another shape.
        """
        self._require_maps(x)
        x = self.conv(self.pool(x))  # (N, 128, 4, 4)
        x = self.relu(self.fc1(x.flatten(1)))  # (N, 1024)
        return self.fc2(self.dropout(x))  # (N, num_classes)

    def _require_maps(self, x: Tensor) -> None:
        if is_scripting() or is_recorded(x):
            return
        require_maps(x, self.in_channels)
        if tuple(x.shape[2:]) != (self.size, self.size):
            raise ValueError(
                f"x must have maps of {self.size}x{self.size} pixels, for which the head was "
                f"built, but they are {x.shape[2]}x{x.shape[3]}"
            )


class GoogLeNet(nn.Module):
    """GoogLeNet: a stem, nine Inception modules, global average pooling and one linear layer.

    Args:
        in_channels: channels of the images.
        num_classes: number of classes.
        aux: whether to build the two auxiliary classifiers. They answer in training only.
        norm: ``"lrn"`` (the paper's local response normalisation in the stem), ``"batch"``
            (batch normalisation behind every convolution, 2015's answer) or ``"none"``.
        module: ``Inception``, ``NaiveInception`` or another subclass of ``InceptionBase``.
        image_size: height and width of the images. Only the auxiliary classifiers depend
            on it; without them the network takes any image that is not too small.
        dropout: dropout in front of the last linear layer.
        rows: the table to build from, or rows of your own. ``aux=True`` needs modules that
            are called 4a and 4d among them.

    Attributes:
        body: the layers by the name of their row, in their order: ``body["3a"]`` is a
            module. With ``norm="lrn"``, ``body["norm_pool1"]`` and ``body["norm_conv2"]``
            stand behind these two rows.
        heads: the auxiliary classifiers, ``heads["4a"]`` and ``heads["4d"]``; empty
            without ``aux``.
        pool: the global average pooling.
        dropout: the dropout behind it.
        fc: the last linear layer.
        in_channels: channels of the images.
        image_size: height and width that the auxiliary classifiers were built for.
        smallest_image_size: height and width that an image must have at least.

    Shape:
        images (N, in_channels, H, W) -> logits (N, num_classes); in training with ``aux``
        a ``GoogLeNetOutputs`` of three such logits.

    Raises:
        ValueError: for a bad argument, an image too small, or a batch of another shape.

    Example:
        >>> model = GoogLeNet(aux=False, norm="none")
        >>> sum(parameter.numel() for parameter in model.parameters())
        6998552
        >>> model.body["3a"].out_channels, model.fc.in_features
        (256, 1024)

    Source: section 5, Table 1 and Figure 3.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 1000,
        *,
        aux: bool = True,
        norm: str = "lrn",
        module: type[InceptionBase] = Inception,
        image_size: int = 224,
        dropout: float = DROPOUT,
        rows: tuple[Row, ...] = TABLE_1,
    ) -> None:
        super().__init__()
        require_choice("norm", norm, NORMS)
        _require_module(module)
        dropout = _require_dropout(dropout)
        num_classes = require_whole_number("num_classes", num_classes)
        self.in_channels = require_whole_number("in_channels", in_channels)
        self.image_size = require_whole_number("image_size", image_size)
        require_bool("aux", aux)
        if aux:
            require_heads(rows, image_size)
        self.smallest_image_size = smallest_image_size(rows)
        batch_norm = norm == "batch"
        layers = layer_shapes(rows, in_channels, image_size, module.design)

        self.body = nn.ModuleDict()
        for layer in layers:
            self.body[layer.row.name] = _build_row(layer, module, batch_norm)
            if norm == "lrn" and layer.row.name in ("pool1", "conv2"):
                self.body[f"norm_{layer.row.name}"] = _local_response_norm()
        self.heads = nn.ModuleDict()
        if aux:
            self.heads = _build_heads(layers, num_classes, batch_norm)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(layers[-1].out_channels, num_classes)

    def forward(self, images: Tensor) -> Tensor | GoogLeNetOutputs:
        """Classify a batch of images.

        Args:
            images: (N, in_channels, H, W).

        Returns:
            Logits (N, num_classes); in training with auxiliary classifiers
            ``GoogLeNetOutputs``.

        Raises:
            ValueError: for images of another shape, or too small.
        """
        self._require_images(images)
        aux_logits = []
        x = images  # (N, 3, 224, 224)
        for name, layer in self.body.items():
            x = layer(x)  # (N, 192, 28, 28) after the stem, (N, 1024, 7, 7) after 5b
            for after, head in self.heads.items():
                if self.training and after == name:
                    aux_logits.append(head(x))  # (N, num_classes)
        x = self.pool(x).flatten(1)  # (N, 1024)
        logits = self.fc(self.dropout(x))  # (N, num_classes)
        if len(aux_logits) == 2:
            return GoogLeNetOutputs(logits, aux_logits[0], aux_logits[1])
        return logits

    def _require_images(self, images: Tensor) -> None:
        if is_scripting() or is_recorded(images):
            return
        require_maps(images, self.in_channels, name="images")
        height, width = images.shape[2:]
        if min(height, width) < self.smallest_image_size:
            raise ValueError(
                f"images must be at least {self.smallest_image_size} pixels high and wide, "
                f"but they are {height}x{width}"
            )
        if self.training and len(self.heads) and (height, width) != (self.image_size,) * 2:
            raise ValueError(
                f"images must be {self.image_size}x{self.image_size} pixels, because the "
                f"auxiliary classifiers were built for that size, but they are "
                f"{height}x{width}; build the network with image_size={height} or aux=False"
            )


class MiniGoogLeNet(GoogLeNet):
    """A small GoogLeNet for 28x28 images, made of the same parts.

    It has batch normalisation and no auxiliary classifiers, and is described by
    ``MINI_ROWS``. ``module=NaiveInception`` gives its naive twin of the same widths. Its
    attributes are those of ``GoogLeNet``.

    Args:
        in_channels: channels of the images.
        num_classes: number of classes.
        module: ``Inception``, ``NaiveInception`` or another subclass of ``InceptionBase``.
        dropout: dropout in front of the last linear layer.
        width: what every width is multiplied by; 2 gives about four times the parameters
            and the multiply-adds.

    Shape:
        images (N, in_channels, 28, 28) -> logits (N, num_classes)

    Raises:
        ValueError: for a bad argument, an image too small, or a batch of another shape.

    Example:
        >>> model = MiniGoogLeNet()
        >>> sum(parameter.numel() for parameter in model.parameters())
        240618
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        *,
        module: type[InceptionBase] = Inception,
        dropout: float = 0.0,
        width: float = 1.0,
    ) -> None:
        super().__init__(
            in_channels,
            num_classes,
            aux=False,
            norm="batch",
            module=module,
            image_size=28,
            dropout=dropout,
            rows=scale_rows(
                MINI_ROWS, require_number("width", width, above=0, at_most=LARGEST_FACTOR)
            ),
        )


def _require_module(module: type[InceptionBase]) -> type[InceptionBase]:
    if not (isinstance(module, type) and issubclass(module, InceptionBase)):
        raise ValueError(
            "module must be Inception or NaiveInception, or another subclass of InceptionBase, "
            f"but it is {shown(module)}"
        )
    return module


def _require_dropout(dropout: float) -> float:
    return require_number("dropout", dropout, at_least=0, below=1)


def _build_row(layer: LayerShape[Row], module: type[InceptionBase], batch_norm: bool) -> nn.Module:
    row = layer.row
    if isinstance(row, MaxPool):
        return nn.MaxPool2d(row.kernel_size, row.stride, row.padding, ceil_mode=row.ceil_mode)
    if isinstance(row, InceptionRow):
        return module(layer.in_channels, row.widths, batch_norm=batch_norm)
    if row.reduce is None:
        return _stem_conv(layer.in_channels, row, batch_norm)
    return nn.Sequential(
        OrderedDict(
            reduce=conv_norm_act(layer.in_channels, row.reduce, 1, batch_norm=batch_norm),
            conv=_stem_conv(row.reduce, row, batch_norm),
        )
    )


def _stem_conv(in_channels: int, row: Convolution, batch_norm: bool) -> nn.Sequential:
    return conv_norm_act(in_channels, row.out_channels, row.kernel_size, row.stride, batch_norm)


def _local_response_norm() -> nn.LocalResponseNorm:
    # Figure 3 shows where it stands; its constants are not printed. These are the ones
    # that Caffe's GoogLeNet uses.
    return nn.LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=1.0)


def _build_heads(
    layers: list[LayerShape[Row]], num_classes: int, batch_norm: bool
) -> nn.ModuleDict:
    heads = nn.ModuleDict()
    for layer in layers:
        if layer.row.name in AUX_AFTER:
            heads[layer.row.name] = AuxiliaryHead(
                layer.out_channels, layer.out_size, num_classes, batch_norm=batch_norm
            )
    return heads
