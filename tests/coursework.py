"""What a student writes. Every line is right, so no type checker may complain (test_public_api)."""

import torch
from torch import Tensor, nn

from gnet_lib import (
    CLASS_NAMES,
    REDUCED,
    WIDTHS,
    Conv,
    History,
    ImageDataset,
    Inception,
    InceptionBase,
    InceptionWidths,
    MiniGoogLeNet,
    check,
    compare_branches,
    conv_cost,
    evaluate,
    fit,
    load_fashion_mnist,
    pick_device,
    plots,
    set_seed,
    shift_and_flip,
)
from gnet_lib.cost import Cost, format_table


class Residual(Inception):
    """An Inception module with a shortcut."""

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class NoPooling(InceptionBase):
    """A design of one's own."""

    design = REDUCED.variant("no pooling", {"pool": (Conv(1, "pool_proj"),)})


class Small(nn.Module):
    """One module of the paper and a classifier."""

    def __init__(self, in_channels: int = 1) -> None:
        super().__init__()
        self.inception = NoPooling(in_channels, WIDTHS["3a"])
        self.fc = nn.Linear(self.inception.out_channels, len(CLASS_NAMES))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.inception(x).mean(dim=(2, 3)))


set_seed(0)
device: torch.device = pick_device()
data = load_fashion_mnist(quiet=True)
mean, std = data.train.mean_and_std()
train: ImageDataset = data.train.normalised(mean, std).stratified_subset(40)
test = data.test.normalised(mean, std).stratified_subset(40)
histories: dict[str, History] = {}
for name, model in (("small", Small()), ("mini", MiniGoogLeNet(width=0.25))):
    histories[name] = fit(
        model, train, test, epochs=1, batch_size=20, augment=shift_and_flip, progress=False
    )
    accuracy: float = evaluate(model, test).accuracy
    print(f"{name}: {accuracy:.0%} on {device}")
print(plots.alt_text(plots.learning_curves(histories)))

module = Residual(192, InceptionWidths(48, 64, 80, 16, 32, 32))
shape: torch.Size = module(torch.zeros(1, 192, 28, 28)).shape
cost: Cost = conv_cost(in_channels=192, out_channels=64, kernel_size=1, output_size=28)
print(shape, cost.multiply_adds, format_table(compare_branches(192, WIDTHS["3a"], 28)))
right: bool = bool(check("8.4", 8.19))
