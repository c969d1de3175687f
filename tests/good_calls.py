"""A good call of every public function, class and method: small, and made anew each time.

The fuzz replaces their arguments one by one. What is public says the reference: the pages in
``book/api``. Whatever comes to it needs a line here.
"""

from collections.abc import Callable

import matplotlib.figure
import pandas
import torch
from fuzz import Call, good
from torch import nn

from gnet_lib import (
    augmentation,
    checkpoint,
    cost,
    data,
    design,
    device,
    diagnostics,
    evaluation,
    exercises,
    explorer,
    fashion_mnist,
    googlenet,
    history,
    identity,
    inception,
    optimizers,
    paper,
    plots,
    records,
    safeguards,
    shapes,
    timing,
    training,
    variants,
)
from gnet_lib.design import NAIVE, REDUCED, Conv
from gnet_lib.paper import InceptionWidths

WIDTHS = InceptionWidths(1, 1, 1, 1, 1, 1)
LAYER = shapes.inception_shapes()[0]
ROWS = (
    paper.Convolution("conv1", kernel_size=3, stride=2, out_channels=2),
    paper.InceptionRow("3a", WIDTHS),
)
MODULE = {"in_channels": 2, "widths": WIDTHS, "size": 4}
MAPS = torch.rand(2, 3, 5, 5)
IMAGES, LABELS = torch.rand(12, 1, 28, 28), torch.arange(12) % 10
SET = data.ImageDataset(IMAGES, LABELS)
BYTES = data.ImageDataset((255 * IMAGES).to(torch.uint8), LABELS)
MACHINE = timing.Machine(operations=1e11, bandwidth=1e10)
ROW = dict.fromkeys(history.History.COLUMNS, 0.5) | {"epoch": 1}
EVIDENCE = exercises.evidence("8.4", 1)
RECORD = records.read_record("latency")
FIGURE = matplotlib.figure.Figure((1, 1), layout="constrained")


def classifier() -> nn.Module:
    """The smallest classifier of images."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def small_network(**options) -> googlenet.GoogLeNet:
    """The smallest network of rows."""
    return googlenet.GoogLeNet(1, 10, aux=False, norm="none", image_size=28, rows=ROWS, **options)


def write_checkpoint() -> str:
    """A run of one step, stored; the same one each time, so that the file is its own."""
    device.set_seed(0)
    training.fit(
        classifier(),
        SET,
        epochs=1,
        batch_size=12,
        device="cpu",
        progress=False,
        checkpoint="run.pt",
    )
    return "run.pt"


def run_frame(**columns: object) -> pandas.DataFrame:
    """A table of one row."""
    return pandas.DataFrame([columns], index=["GoogLeNet"])


NUMBER = exercises.Number()

GOOD: dict[str, Callable[[], Call]] = {
    # --- the paper's table, designs, shapes
    "paper.InceptionWidths": lambda: good(
        InceptionWidths, c1x1=1, c3x3_reduce=1, c3x3=1, c5x5_reduce=1, c5x5=1, pool_proj=1
    ),
    "paper.Convolution": lambda: good(
        paper.Convolution, name="c", kernel_size=3, stride=1, out_channels=2
    ),
    "paper.Convolution.output_size": lambda: good(ROWS[0].output_size, size=8),
    "paper.MaxPool": lambda: good(paper.MaxPool, name="p"),
    "paper.MaxPool.output_size": lambda: good(paper.MaxPool("p").output_size, size=8),
    "paper.InceptionRow": lambda: good(paper.InceptionRow, name="3a", widths=WIDTHS),
    "paper.InceptionRow.output_size": lambda: good(ROWS[1].output_size, size=8),
    "paper.aux_pooled_size": lambda: good(paper.aux_pooled_size, size=14),
    "paper.scale_rows": lambda: good(paper.scale_rows, rows=ROWS, factor=2),
    "design.Conv": lambda: good(Conv, kernel_size=3, width="c3x3"),
    "design.Pool": lambda: good(design.Pool),
    "design.Design": lambda: good(design.Design, name="one", branches={"1x1": (Conv(1, "c1x1"),)}),
    "design.Design.variant": lambda: good(
        REDUCED.variant, name="other", branches={"1x1": (Conv(1, "c1x1"),)}
    ),
    "design.Design.layers": lambda: good(REDUCED.layers, in_channels=2, width=lambda name: 1),
    "design.Design.sized_layers": lambda: good(REDUCED.sized_layers, in_channels=2, widths=WIDTHS),
    "design.Design.branch_channels": lambda: good(
        REDUCED.branch_channels, in_channels=2, widths=WIDTHS
    ),
    "design.Design.out_channels": lambda: good(REDUCED.out_channels, in_channels=2, widths=WIDTHS),
    "shapes.layer_shapes": lambda: good(shapes.layer_shapes, rows=ROWS),
    "shapes.inception_shapes": lambda: good(shapes.inception_shapes, rows=ROWS),
    "shapes.smallest_image_size": lambda: good(shapes.smallest_image_size, rows=ROWS),
    # --- costs and times
    "cost.Cost": lambda: good(cost.Cost),
    "cost.total": lambda: good(cost.total, costs={"one": cost.Cost(1)}),
    "cost.conv_cost": lambda: good(
        cost.conv_cost, in_channels=2, out_channels=2, kernel_size=3, output_size=4
    ),
    "cost.linear_cost": lambda: good(cost.linear_cost, in_features=2, out_features=2),
    "cost.inception_cost": lambda: good(cost.inception_cost, **MODULE),
    "cost.branch_convolutions": lambda: good(
        cost.branch_convolutions, in_channels=2, widths=WIDTHS
    ),
    "cost.row_cost": lambda: good(cost.row_cost, layer=LAYER),
    "cost.network_cost": lambda: good(cost.network_cost, rows=ROWS),
    "cost.torchinfo_layers": lambda: good(
        cost.torchinfo_layers, model=classifier(), input_size=(1, 784)
    ),
    "cost.torchinfo_cost": lambda: good(
        cost.torchinfo_cost, model=classifier(), input_size=(1, 784)
    ),
    "cost.format_table": lambda: good(cost.format_table, frame=run_frame(count=1000)),
    "cost.compare_branches": lambda: good(cost.compare_branches, **MODULE),
    "cost.compare_modules": lambda: good(cost.compare_modules, rows=ROWS),
    "cost.stacked_naive_costs": lambda: good(cost.stacked_naive_costs, rows=ROWS),
    "timing.latency_ms": lambda: good(
        timing.latency_ms, model=classifier(), batch=IMAGES, repeats=1
    ),
    "timing.Machine": lambda: good(timing.Machine, operations=1e11, bandwidth=1e10),
    "timing.Machine.limit": lambda: good(MACHINE.limit, intensity=2),
    "timing.measure_machine": lambda: good(timing.measure_machine, size=8, repeats=1),
    "timing.conv_bytes": lambda: good(
        timing.conv_bytes, in_channels=2, out_channels=2, kernel_size=3, size=4
    ),
    "timing.module_bytes": lambda: good(timing.module_bytes, **MODULE),
    "timing.module_intensity": lambda: good(timing.module_intensity, **MODULE),
    "timing.peak_activation_bytes": lambda: good(timing.peak_activation_bytes, **MODULE),
    # --- networks
    "inception.conv_norm_act": lambda: good(
        inception.conv_norm_act, in_channels=2, out_channels=2, kernel_size=3
    ),
    **{
        f"inception.{kind.__name__}{what}": lambda kind=kind, what=what: (
            good(kind(3, WIDTHS), x=MAPS) if what else good(kind, in_channels=2, widths=WIDTHS)
        )
        for kind in (
            inception.InceptionBase,
            inception.Inception,
            inception.NaiveInception,
            inception.LinearInception,
        )
        for what in ("", ".forward")
    },
    **{
        f"variants.{kind.__name__}{what}": lambda kind=kind, what=what: (
            good(kind(3, WIDTHS), x=MAPS) if what else good(kind, in_channels=2, widths=WIDTHS)
        )
        for kind in (variants.NotesInception, variants.TorchvisionInception)
        for what in ("", ".forward")
    },
    "googlenet.AuxiliaryHead": lambda: good(
        googlenet.AuxiliaryHead, in_channels=2, size=5, num_classes=10
    ),
    "googlenet.AuxiliaryHead.forward": lambda: good(googlenet.AuxiliaryHead(3, 5, 10), x=MAPS),
    "googlenet.GoogLeNet": lambda: good(googlenet.GoogLeNet, aux=False, image_size=28, rows=ROWS),
    "googlenet.GoogLeNet.forward": lambda: good(small_network(), images=IMAGES),
    "googlenet.MiniGoogLeNet": lambda: good(googlenet.MiniGoogLeNet, width=0.1),
    "googlenet.MiniGoogLeNet.forward": lambda: good(
        googlenet.MiniGoogLeNet(width=0.1), images=IMAGES
    ),
    "variants.notes_variant": lambda: good(variants.notes_variant),
    "variants.torchvision_variant": lambda: good(variants.torchvision_variant),
    "variants.load_torchvision_weights": lambda: good(
        variants.load_torchvision_weights, model=small_network(), theirs=small_network()
    ),
    # --- data and device
    "data.ImageDataset": lambda: good(data.ImageDataset, images=IMAGES, labels=LABELS),
    "data.ImageDataset.from_dataset": lambda: good(
        data.ImageDataset.from_dataset, dataset=[(image, 1) for image in BYTES.images]
    ),
    "data.ImageDataset.to": lambda: good(SET.to, device="cpu"),
    "data.ImageDataset.normalised": lambda: good(BYTES.normalised, mean=0.5, std=0.5),
    "data.ImageDataset.stratified_subset": lambda: good(
        BYTES.stratified_subset, count=10, balanced=True
    ),
    "data.ImageDataset.split": lambda: good(BYTES.split, count=2, balanced=True),
    "fashion_mnist.FashionMNIST": lambda: good(
        fashion_mnist.FashionMNIST, train=SET, test=SET, origin="here", is_sample=True
    ),
    "data.batches": lambda: good(data.batches, dataset=SET, batch_size=2),
    "augmentation.shift_and_flip": lambda: good(augmentation.shift_and_flip, images=IMAGES),
    "augmentation.erase_rectangles": lambda: good(augmentation.erase_rectangles, images=IMAGES),
    "augmentation.small_first": lambda: good(augmentation.small_first, images=IMAGES, done=0.1),
    "fashion_mnist.load_fashion_mnist": lambda: good(
        fashion_mnist.load_fashion_mnist, download=False, quiet=True
    ),
    "device.pick_device": lambda: good(device.pick_device, device="cpu"),
    "device.computes_bfloat16": lambda: good(device.computes_bfloat16, device="cpu"),
    "device.set_seed": lambda: good(device.set_seed, seed=0),
    # --- training
    "optimizers.orthogonalised": lambda: good(optimizers.orthogonalised, matrix=torch.eye(3)),
    "optimizers.Muon": lambda: good(optimizers.Muon, params=list(classifier().parameters())),
    "optimizers.Muon.step": lambda: good(optimizers.Muon([torch.ones(1)]).step, closure=None),
    "optimizers.one_cycle": lambda: good(
        optimizers.one_cycle, optimizer=optimizers.Muon([torch.ones(1)]), total_steps=9
    ),
    "evaluation.joint_loss": lambda: good(
        evaluation.joint_loss, outputs=torch.zeros(12, 10), labels=LABELS
    ),
    "evaluation.predict": lambda: good(evaluation.predict, model=classifier(), images=IMAGES),
    "evaluation.class_probabilities": lambda: good(
        evaluation.class_probabilities, model=classifier(), images=SET
    ),
    "evaluation.confusion_table": lambda: good(
        evaluation.confusion_table, labels=LABELS, predictions=LABELS
    ),
    "evaluation.evaluate": lambda: good(evaluation.evaluate, model=classifier(), image_set=SET),
    "training.fit": lambda: good(
        training.fit,
        model=classifier(),
        train=SET,
        epochs=1,
        batch_size=6,
        device="cpu",
        progress=False,
        mixed_precision=False,
    ),
    "history.Evaluation": lambda: good(history.Evaluation, loss=0.1, accuracy=0.9, count=10),
    "history.History": lambda: good(history.History),
    "history.History.plot": lambda: good(history.History([ROW]).plot),
    "checkpoint.load_checkpoint": lambda: good(
        checkpoint.load_checkpoint, checkpoint=write_checkpoint()
    ),
    "identity.plain_network": lambda: good(identity.plain_network, model=classifier()),
    "identity.describe": lambda: good(identity.describe, value=1),
    "identity.describe_network": lambda: good(identity.describe_network, model=classifier()),
    "identity.describe_tensors": lambda: good(
        identity.describe_tensors, tensors=classifier().state_dict()
    ),
    "identity.describe_dataset": lambda: good(identity.describe_dataset, dataset=SET),
    "identity.differences": lambda: good(identity.differences, then={"a": 1}, now={"a": 2}),
    "safeguards.at_chance_level": lambda: good(
        safeguards.at_chance_level, losses=torch.rand(8), correct=torch.ones(8), classes=10
    ),
    # --- diagnostics and records
    "diagnostics.fan_in": lambda: good(diagnostics.fan_in, layer=nn.Linear(2, 2)),
    "diagnostics.initialise": lambda: good(diagnostics.initialise, model=classifier(), how="he"),
    "diagnostics.activation_std": lambda: good(
        diagnostics.activation_std, model=small_network(), images=IMAGES
    ),
    "diagnostics.gradient_norms": lambda: good(
        diagnostics.gradient_norms, model=small_network(), images=IMAGES, labels=LABELS
    ),
    "records.read_record": lambda: good(records.read_record, name="latency"),
    "records.provenance": lambda: good(records.provenance, record=RECORD),
    # --- figures
    "plots.branch_colour": lambda: good(plots.branch_colour, name="3x3"),
    "plots.alt_text": lambda: good(plots.alt_text, figure=FIGURE),
    "plots.show": lambda: good(plots.show, figure=FIGURE),
    "plots.svg_bytes": lambda: good(plots.svg_bytes, figure=FIGURE),
    "plots.png_bytes": lambda: good(plots.png_bytes, figure=FIGURE),
    "plots.accuracy_curves": lambda: good(
        plots.accuracy_curves,
        runs={"ours": [[{"seconds": 1.0, "epoch": 1, "accuracy": 0.7}]]},
        levels={"linear": 0.8},
    ),
    "plots.branch_cost_bars": lambda: good(plots.branch_cost_bars, **MODULE),
    "plots.change_dots": lambda: good(
        plots.change_dots, accuracies=pandas.Series({"no shifts": 0.9}), by_chance=[0.9, 0.91]
    ),
    "plots.comparison_dots": lambda: good(
        plots.comparison_dots,
        runs=run_frame(comparison="equal epochs", network="naive", accuracy=0.9),
    ),
    "plots.convolution_diagram": lambda: good(
        plots.convolution_diagram, in_channels=1, out_channels=1, kernel_size=3, size=3
    ),
    "plots.drift_lines": lambda: good(
        plots.drift_lines, differences=pandas.DataFrame({"a run": [0.0, 0.1]})
    ),
    "plots.image_grid": lambda: good(plots.image_grid, images=IMAGES[:1], titles=["a bag"]),
    "plots.inception_diagram": lambda: good(plots.inception_diagram, in_channels=2, widths=WIDTHS),
    "plots.latency_bars": lambda: good(
        plots.latency_bars, times=run_frame(naive=9.0, reduced=4.0, pooling=1.0, counted=2.4)
    ),
    "plots.lead_intervals": lambda: good(
        plots.lead_intervals, leads=run_frame(lead=0.8, low=0.5, high=1.1)
    ),
    "plots.learning_curves": lambda: good(
        plots.learning_curves, histories={"naive": history.History([ROW])}
    ),
    "plots.network_diagram": lambda: good(plots.network_diagram, rows=ROWS),
    "plots.network_map": lambda: good(
        plots.network_map,
        networks=run_frame(**{"multiply-adds": 1.6e9, "parameters": 7e6, "accuracy": 70.0}),
    ),
    "plots.price_bars": lambda: good(
        plots.price_bars,
        prices=pandas.DataFrame({"one": [1.0, 2.0], "two": [2.0, 1.0]}, index=["a", "b"]),
    ),
    "plots.rate_search": lambda: good(
        plots.rate_search, search=run_frame(network="naive", learning_rate=0.1, loss=0.3)
    ),
    "plots.reduction_lines": lambda: good(plots.reduction_lines, in_channels=2, widths=WIDTHS),
    "plots.roofline": lambda: good(
        plots.roofline,
        machine=MACHINE,
        points=run_frame(
            module="3a", kind="reduced", intensity=35.0, whole=4e10, **{"without pooling": 6e10}
        ),
    ),
    "plots.singular_values": lambda: good(
        plots.singular_values, matrices={"a gradient": torch.eye(2)}
    ),
    "plots.row_lines": lambda: good(
        plots.row_lines, panels={"He": {"plain": {"conv1": 0.1, "3a": 0.1}}}, quantity="gradient"
    ),
    "plots.start_dots": lambda: good(
        plots.start_dots,
        runs=run_frame(start="he", learning_rate=0.1, heads=True, accuracy=0.8),
        chance=0.1,
        started=0.3,
    ),
    # --- explorer and exercises
    "explorer.explorer_chart": lambda: good(explorer.explorer_chart, **MODULE),
    "explorer.module_explorer": lambda: good(explorer.module_explorer, **MODULE),
    "explorer.formula": lambda: good(
        explorer.formula, measure="channels", design=NAIVE, branch="3x3"
    ),
    "exercises.check": lambda: good(exercises.check, exercise="8.4", answer=1),
    "exercises.evidence": lambda: good(exercises.evidence, exercise="8.4", answer=1),
    "exercises.judge": lambda: good(exercises.judge, exercise="8.4", evidence=EVIDENCE),
    "exercises.checked": lambda: good(exercises.checked),
    "exercises.Exercise": lambda: good(
        exercises.Exercise, number="H.1", title="one", answer_type=NUMBER, right=lambda: 1
    ),
    "exercises.Number": lambda: good(exercises.Number),
    "exercises.Numbers": lambda: good(exercises.Numbers, names=("height", "width")),
    "exercises.Choice": lambda: good(exercises.Choice, options=("grows", "shrinks")),
    "exercises.Function": lambda: good(exercises.Function, what="one", inputs=lambda: [(1,)]),
    "exercises.Module": lambda: good(exercises.Module, shape=(1, 3, 8, 8)),
    "exercises.Satisfies": lambda: good(
        exercises.Satisfies, answer_type=NUMBER, conditions=((bool, "it is 0."),)
    ),
}
