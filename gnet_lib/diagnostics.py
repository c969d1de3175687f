"""Look at a network's signal and gradient, row by row, and choose how its weights begin.

Three questions of chapter 6: how far does the difference between two images get, how
large is the gradient that comes back, and which first weights keep both alive?
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gnet_lib._check import require_choice, require_instance, require_model, shown
from gnet_lib._modes import training_mode_without_traces
from gnet_lib.evaluation import joint_loss
from gnet_lib.googlenet import GoogLeNet
from gnet_lib.inception import require_maps
from gnet_lib.paper import AUX_WEIGHT

Model = TypeVar("Model", bound=nn.Module)

# --- the first weights -------------------------------------------------------------------


def fan_in(layer: nn.Conv2d | nn.Linear) -> int:
    """How many inputs one output of a layer is computed from.

    Args:
        layer: a convolution or a linear layer.

    Returns:
        The number of weights of one output; of a convolution input channels times kernel
        area, of a linear layer its input features.

    Raises:
        ValueError: for another layer, or one whose weights have no shape yet.

    Example:
        >>> fan_in(nn.Conv2d(16, 32, kernel_size=5))
        400
    """
    require_instance("layer", layer, (nn.Conv2d, nn.Linear), "an nn.Conv2d or an nn.Linear")
    _require_shapes("layer", layer)
    return layer.weight[0].numel()


def _pytorch(layer: nn.Conv2d | nn.Linear) -> None:
    layer.reset_parameters()


def _he(layer: nn.Conv2d | nn.Linear) -> None:
    nn.init.normal_(layer.weight, std=math.sqrt(2 / fan_in(layer)))


def _xavier(layer: nn.Conv2d | nn.Linear) -> None:
    bound = math.sqrt(3 / fan_in(layer))  # a uniform draw of this bound has variance 1 / fan_in
    nn.init.uniform_(layer.weight, -bound, bound)


INITIALISATIONS: dict[str, Callable[[nn.Conv2d | nn.Linear], None]] = {
    "pytorch": _pytorch,
    "xavier": _xavier,
    "he": _he,
}


def initialise(model: Model, how: str) -> Model:
    """Draw the weights of every convolution and linear layer anew.

    With n the inputs of one output (``fan_in``), the weights' variance is

    - ``"pytorch"``: 1 / (3 n), uniform, and biases drawn the same way. What PyTorch's
      layers do by themselves; LeCun et al., "Efficient BackProp", 1998, is where the
      scale of 1 / sqrt(n) comes from.
    - ``"xavier"``: 1 / n, uniform, biases 0. After Glorot and Bengio, "Understanding the
      difficulty of training deep feedforward neural networks", AISTATS 2010, in the form
      that counts inputs only, as Caffe's filler of this name does.
    - ``"he"``: 2 / n, normal, biases 0. He et al., arXiv 1502.01852, section 2.2: the 2
      makes up for the half of the signal that a ReLU removes.

    The random numbers come from PyTorch's global generator; call ``set_seed`` first to
    make them repeatable. Batch normalisation is left as it is.

    Args:
        model: any network; changed in place.
        how: one of the three names.

    Returns:
        The same model.

    Raises:
        ValueError: for another name, or a model that is none or not complete.

    Example:
        >>> layer = initialise(nn.Linear(10_000, 10), "he")
        >>> round(layer.weight.std().item(), 3)  # sqrt(2 / 10,000)
        0.014
    """
    require_choice("how", how, INITIALISATIONS)
    _require_shapes("model", require_model("model", model))
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            if how != "pytorch" and layer.bias is not None:
                nn.init.zeros_(layer.bias)
            INITIALISATIONS[how](layer)
    return model


def _require_shapes(name: str, model: nn.Module) -> None:
    """Refuse a lazy layer that has seen no batch: its weights have no shape yet."""
    for each, parameter in model.named_parameters():
        if is_lazy(parameter):
            raise ValueError(
                f"{name} must know the shapes of its weights, but {each} has none before the "
                f"first batch; send one through it"
            )


# --- what goes forwards, what comes back ---------------------------------------------------


def activation_std(model: GoogLeNet, images: Tensor) -> dict[str, float]:
    """How much the output of each row differs from one image to the next.

    For every position of a row's output the standard deviation over the images is taken;
    the result is the root of the mean of their squares. What is the same for all images,
    such as a bias, does not count: a network can tell images apart only by what differs.
    Batch normalisation works as in training; the model is left as it was.

    Args:
        model: a GoogLeNet.
        images: (N, in_channels, H, W), at least two.

    Returns:
        Name of the row (``"images"`` first) -> scale, in the order of the network.

    Raises:
        ValueError: for a model without rows, fewer than two images, or images that are not
            of the type and on the device of the model's weights.

    Example:
        >>> from gnet_lib import MiniGoogLeNet
        >>> scales = activation_std(MiniGoogLeNet(), torch.randn(2, 1, 28, 28))
        >>> list(scales)[:2], list(scales)[-1]
        (['images', 'conv1'], '4b')
    """
    _require_images(images, _require_rows(model))
    if len(images) < 2:
        raise ValueError(
            f"images must be at least two, to differ at all, but there is {len(images)}"
        )
    scales = {"images": _difference(images)}
    # In training mode batch normalisation goes by the batch itself.
    with training_mode_without_traces(model), torch.no_grad():
        x = images
        for name, row in model.body.items():
            x = row(x)
            scales[name] = _difference(x)
    return scales


def _difference(maps: Tensor) -> float:
    """Root mean square of the standard deviations over the batch."""
    return maps.double().var(dim=0, correction=0).mean().sqrt().item()


def gradient_norms(
    model: GoogLeNet, images: Tensor, labels: Tensor, aux_weight: float = AUX_WEIGHT
) -> dict[str, float]:
    """The size of the gradient that reaches the weights of each row.

    One pass forwards and backwards in training mode, as ``fit`` does it. For each row
    the norm is taken over all its weights together (biases and normalisation left out):
    the root of the sum of the squared derivatives. Afterwards the model is as it was:
    no gradient is left, and no running average has moved. Dropout draws from PyTorch's
    global generator.

    Args:
        model: a GoogLeNet, with or without auxiliary classifiers.
        images: (N, in_channels, H, W).
        labels: class numbers (N,).
        aux_weight: weight of each auxiliary classifier's loss.

    Returns:
        Name of the row -> norm, for each row that has weights to train, in the order of
        the network; ``"fc"``, the last linear layer, at the end.

    Raises:
        ValueError: for a model without rows or without weights to train, images or labels
            that do not fit it, or a bad ``aux_weight``.

    Example:
        >>> from gnet_lib import MiniGoogLeNet
        >>> norms = gradient_norms(MiniGoogLeNet(), torch.randn(4, 1, 28, 28), torch.arange(4))
        >>> list(norms)
        ['conv1', '3a', '3b', '4a', '4b', 'fc']

    Source: section 5 gives the gradient as one reason for the auxiliary classifiers.
    """
    _require_images(images, _require_rows(model))
    if not len(images):
        raise ValueError("images must be at least one, but there are none")
    weights = {
        name: [each for each in row.parameters() if each.dim() > 1 and each.requires_grad]
        for name, row in [*model.body.items(), ("fc", model.fc)]
    }
    weights = {name: some for name, some in weights.items() if some}
    everything = [each for some in weights.values() for each in some]
    if not everything:
        raise ValueError("model must have weights to train, but all of them are frozen")
    with training_mode_without_traces(model), torch.enable_grad():
        loss = joint_loss(model(images), labels, aux_weight)
        # Returns the gradients and does not store them in the parameters.
        gradients = iter(torch.autograd.grad(loss, everything))
    return {
        name: math.sqrt(sum(next(gradients).double().square().sum().item() for _ in some))
        for name, some in weights.items()
    }


def _require_rows(model: Any) -> GoogLeNet:
    if not isinstance(getattr(model, "body", None), nn.ModuleDict):
        raise ValueError(
            f"model must be a GoogLeNet, whose rows are in model.body, but it is {shown(model)}"
        )
    return model


def _require_images(images: Tensor, model: GoogLeNet) -> None:
    require_maps(images, model.in_channels, name="images")
    weight = next(model.parameters())
    if (images.dtype, images.device) != (weight.dtype, weight.device):
        raise ValueError(
            f"images must be {weight.dtype} on {weight.device}, as the model's weights are, but "
            f"they are {images.dtype} on {images.device}; use images.to(model.fc.weight)"
        )
