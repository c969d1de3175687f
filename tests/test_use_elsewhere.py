"""The page "Use it elsewhere": each block runs as it stands, in order, with one set of names.

The blocks compare every tool's answer with the network's own. Beyond the page: the same
tools on the other networks and on each kind of module.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import BOOK, ROOT
from probes import on_meta
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.testing import assert_close

from gnet_lib.googlenet import GoogLeNet, MiniGoogLeNet
from gnet_lib.inception import Inception, LinearInception, NaiveInception
from gnet_lib.paper import TABLE_1, InceptionWidths, scale_rows
from gnet_lib.variants import NotesInception, notes_variant, torchvision_variant

PAGE = (BOOK / "use_elsewhere.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.py)\n")  # a block that begins so is a file of its own

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


# --- the page ----------------------------------------------------------------------------


def run_block(kind: str, code: str, folder: Path, names: dict[str, Any]) -> None:
    """A command in a shell, a file into the folder, everything else here and now."""
    if kind == "bash":
        tools = Path(sys.executable).parent
        path = os.pathsep.join([str(tools), os.environ["PATH"]])
        here = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            code, shell=True, cwd=folder, env=here, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    elif file := FILE.match(code):
        (folder / file[1]).write_text(code, encoding="utf-8")
    else:
        exec(code, names)


def test_every_block_of_the_page_runs_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    torch.compiler.reset()
    names: dict[str, Any] = {"__name__": "page"}
    for kind, code in BLOCKS:
        run_block(kind, code, tmp_path, names)
    written = {path.name for path in tmp_path.iterdir()}
    assert written >= {"weights.pt", "network.pt2", "network.onnx", "parallel.py"}


def test_the_page_compares_in_every_block_that_uses_a_tool():
    assert len(BLOCKS) == PAGE.count("```") / 2 >= 14
    for kind, code in BLOCKS[1:]:
        assert kind == "bash" or re.search(r"\bmust_equal\(|\bassert", code), code


# --- the other networks ------------------------------------------------------------------

SMALL = InceptionWidths(8, 6, 8, 4, 4, 4)


def with_heads() -> GoogLeNet:
    network = GoogLeNet(num_classes=7, image_size=80, rows=scale_rows(TABLE_1, 1 / 16))
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0  # two answers to one batch can be compared
    return network.train()


NETWORKS: dict[str, tuple[Any, tuple[int, int, int]]] = {
    **{
        kind.__name__: (lambda kind=kind: kind(6, SMALL, batch_norm=True), (6, 9, 9))
        for kind in (NaiveInception, LinearInception, NotesInception)
    },
    "heads in training": (with_heads, (3, 80, 80)),
}

TOOLS = {
    "fx": lambda network, batch: torch.fx.symbolic_trace(network),
    "script": lambda network, batch: torch.jit.script(network),
    "trace": lambda network, batch: torch.jit.trace(network, batch),
    "export": lambda network, batch: torch.export.export(
        network, (batch,), dynamic_shapes=[{0: torch.export.Dim("number")}]
    ).module(),
    "compile": lambda network, batch: torch.compile(network, fullgraph=True, backend="eager"),
}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_tool_gives_the_networks_own_answer_to_another_number_of_images(name, tool):
    torch.manual_seed(0)
    torch.compiler.reset()
    build, shape = NETWORKS[name]
    network = build()
    recorded: Any = TOOLS[tool](network, torch.randn(2, *shape))
    batch = torch.randn(3, *shape)
    expected, answer = network(batch), recorded(batch)
    assert isinstance(answer, tuple) == isinstance(expected, tuple) == (name == "heads in training")
    assert_close(tuple(answer), tuple(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("build", [MiniGoogLeNet, notes_variant, torchvision_variant])
def test_a_recorded_network_has_no_question_left_in_its_graph(build):
    graph: Any = torch.fx.symbolic_trace(on_meta(build).eval())
    called = {node.target for node in graph.graph.nodes if node.op == "call_function"}
    assert called == {torch.cat}


def test_gradients_of_each_image():
    model = MiniGoogLeNet(width=0.25).eval()
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())

    def largest(parameters: dict[str, Any], image: torch.Tensor) -> torch.Tensor:
        return functional_call(model, (parameters, buffers), (image[None],)).max()

    images = torch.randn(2, 1, 28, 28)
    of_each = vmap(grad(largest), in_dims=(None, 0))(parameters, images)
    for position, image in enumerate(images):
        model.zero_grad()
        model(image[None]).max().backward()
        for name, parameter in model.named_parameters():
            assert_close(of_each[name][position], parameter.grad, rtol=1e-4, atol=1e-5)


def test_gradients_of_gradients_pass_the_concatenation():
    module = Inception(6, SMALL).to(memory_format=torch.channels_last)
    x = torch.randn(2, 6, 5, 5).to(memory_format=torch.channels_last).requires_grad_()
    (gradient,) = torch.autograd.grad(module(x).square().sum(), x, create_graph=True)
    gradient.square().sum().backward()
    assert x.grad is not None and x.grad.abs().max() > 0
