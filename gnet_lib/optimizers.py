"""What takes the steps of a training: the optimiser Muon, and a one-cycle learning rate."""

from collections.abc import Callable, Iterable
from typing import Any, Literal, overload

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from gnet_lib._check import (
    require_callable,
    require_choice,
    require_instance,
    require_number,
    require_whole_number,
    shown,
)

# --- Muon ----------------------------------------------------------------------------------

# One step of a Newton-Schulz iteration takes a singular value s to a s + b s^3 + c s^5. With
# these numbers three steps bring whatever is from a fiftieth to 1 to between 0.68 and 1.21; they
# are those of https://kellerjordan.github.io/posts/muon
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonalised(matrix: Tensor, steps: int = 3) -> Tensor:
    """The nearest matrix that turns without stretching, about: all singular values near 1.

    A gradient has a few large singular values and many small ones, so a plain step changes a
    layer in a few directions and hardly in the others. Here all get a step of one size. A
    singular value decomposition would do it exactly; a few products of matrices come near
    enough, in less time.

    Args:
        matrix: (rows, columns), not all 0.
        steps: of the iteration; more bring small singular values nearer to 1, too.

    Returns:
        A matrix of the same shape and type. After three steps its singular values lie between
        0.68 and 1.21 wherever those of ``matrix`` are at least a fiftieth of its norm.

    Raises:
        ValueError: if it is no matrix of floats, or a bad number of steps.

    Example:
        >>> turned = orthogonalised(torch.tensor([[3.0, 0.0], [0.0, -1.0]]))
        >>> [round(value, 2) for value in turned.diagonal().tolist()]
        [0.68, -1.04]

    Source: Jordan and others 2024, "Muon: an optimizer for hidden layers in neural networks".
    """
    require_instance("matrix", matrix, Tensor, "a Tensor of two dimensions")
    if matrix.dim() != 2 or not matrix.is_floating_point():
        raise ValueError(
            "matrix must be floats (rows, columns), but it is "
            f"{tuple(matrix.shape)} of {matrix.dtype}"
        )
    return _orthogonalised(matrix, require_whole_number("steps", steps))


def _orthogonalised(matrix: Tensor, steps: int) -> Tensor:
    a, b, c = NEWTON_SCHULZ
    is_tall = len(matrix) > matrix.shape[1]
    x = matrix.mT if is_tall else matrix  # x @ x.mT is as small as can be
    x = x / x.norm().clamp(min=1e-7)  # no singular value is above 1 now
    for _ in range(steps):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if is_tall else x


class Muon(Optimizer):
    """Orthogonalised steps for the filters of convolutions, SGD for everything else.

    For a convolution's weight, seen as a matrix with a row for each output channel, the
    momentum is orthogonalised before it becomes the step, and the weight is brought back to a
    norm of one for each filter. That is meant for convolutions with a normalisation behind
    them, which undoes any change of scale; a weight decay would do nothing there, and so there
    is none. Every other parameter (biases, normalisation, linear layers) takes a step of SGD
    with Nesterov momentum.

    Args:
        params: parameters, or groups of them, as every optimiser takes. In a group of its own
            ``lr`` is that of the filters, ``sgd_lr`` that of the rest.
        lr: learning rate of the filters: how long a step is, beside a filter of length 1.
        momentum: share of the last filters' step that stays, from 0 to below 1.
        weight_decay: of what takes steps of SGD.
        sgd_lr: learning rate of everything else.
        sgd_momentum: momentum of everything else.
        steps: of the iteration that orthogonalises.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten())
        >>> optimizer = Muon(model.parameters())
        >>> [(group["orthogonal"], group["lr"]) for group in optimizer.param_groups]
        [(True, 0.12), (False, 0.1)]

    Source: Jordan and others 2024, https://kellerjordan.github.io/posts/muon; momentum, steps
    and the norm of the filters as in https://github.com/KellerJordan/cifar10-airbench.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.12,
        momentum: float = 0.6,
        weight_decay: float = 5e-4,
        *,
        sgd_lr: float = 0.1,
        sgd_momentum: float = 0.9,
        steps: int = 3,
    ) -> None:
        filters = {
            "lr": require_number("lr", lr, above=0),
            "momentum": require_number("momentum", momentum, at_least=0, below=1),
            "weight_decay": 0.0,
        }
        rest = {
            "lr": require_number("sgd_lr", sgd_lr, above=0),
            "momentum": require_number("sgd_momentum", sgd_momentum, at_least=0, below=1),
            "weight_decay": require_number("weight_decay", weight_decay, at_least=0),
        }
        self.steps = require_whole_number("steps", steps)
        groups = [part for group in _as_groups(params) for part in _parted(group, filters, rest)]
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay})

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Change every parameter that has a gradient.

        Args:
            closure: computes the loss anew; None, as ``fit`` calls it, where it is computed.

        Returns:
            What the closure returned, or None.

        Raises:
            ValueError: if the closure cannot be called.
        """
        loss = None
        if closure is not None:
            require_callable("closure", closure, "None, or called as closure()")
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step(parameter, parameter.grad, group)
        return loss

    def _step(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        gradient = gradient.add(parameter, alpha=group["weight_decay"])
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].mul_(group["momentum"]).add_(gradient)
        change = gradient.add(state["momentum"], alpha=group["momentum"])  # Nesterov's look ahead
        if group["orthogonal"]:
            parameter.mul_(len(parameter) ** 0.5 / parameter.norm())
            change = _orthogonalised(change.flatten(1), self.steps).view_as(change)
        parameter.sub_(change, alpha=group["lr"])


def _as_groups(params: Iterable[Any]) -> list[dict[str, Any]]:
    listed = list(params) if isinstance(params, Iterable) and not isinstance(params, Tensor) else []
    if listed and all(isinstance(each, dict) and "params" in each for each in listed):
        return listed
    if not listed or not all(isinstance(each, Tensor) for each in listed):
        raise ValueError(
            "params must be parameters, as model.parameters() gives them, or dicts with the key "
            f"params, but it is {shown(params)}"
        )
    return [{"params": listed}]


def _parted(
    group: dict[str, Any], filters: dict[str, Any], rest: dict[str, Any]
) -> list[dict[str, Any]]:
    """A group as two: the filters of convolutions, and what else is in it."""
    params = group["params"]
    params = [params] if isinstance(params, Tensor) else list(params)
    rates = {"lr": group.get("sgd_lr", rest["lr"])}
    decay = {"weight_decay": group.get("weight_decay", rest["weight_decay"])}
    both = [
        {**filters, "lr": group.get("lr", filters["lr"]), "orthogonal": True, "params": []},
        {**rest, **rates, **decay, "orthogonal": False, "params": []},
    ]
    for parameter in params:
        both[0 if parameter.dim() >= 3 else 1]["params"].append(parameter)
    return [part for part in both if part["params"]]


# --- its learning rate ---------------------------------------------------------------------


def one_cycle(
    optimizer: Optimizer,
    total_steps: int,
    warm_up: float = 0.3,
    shape: Literal["cos", "linear"] = "cos",
) -> LRScheduler:
    """A learning rate that climbs to its height, then falls to almost 0, over the whole run.

    For ``fit``: ``schedule=functools.partial(one_cycle, warm_up=0.1, shape="linear")``.

    Args:
        optimizer: each of its groups brings its own height, its ``lr``. The climb begins at a
            twenty-fifth of it.
        total_steps: of the run.
        warm_up: share of the steps that climb, above 0 and below 1.
        shape: ``"cos"``, slow at both ends and steep between, or ``"linear"``.

    Returns:
        The scheduler; it takes a step after each step of the training.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
        >>> schedule = one_cycle(optimizer, total_steps=100, warm_up=0.1)
        >>> round(schedule.get_last_lr()[0], 3)
        0.02

    Source: Smith and Topin 2017, "Super-Convergence" (arXiv 1708.07120).
    """
    require_instance("optimizer", optimizer, Optimizer, "an optimizer of torch")
    require_choice("shape", shape, ("cos", "linear"))
    total_steps = require_whole_number("total_steps", total_steps)
    warm_up = require_number("warm_up", warm_up, above=0, below=1)
    if warm_up * total_steps == 1:
        warm_up *= 1.001  # PyTorch divides by the number of climbing steps less one
    return OneCycleLR(
        optimizer,
        max_lr=[float(group["lr"]) for group in optimizer.param_groups],
        total_steps=total_steps,
        pct_start=warm_up,
        anneal_strategy=shape,
        cycle_momentum=False,  # else it would overrule the optimiser's own momentum
    )
