"""An answer in one process, its judgement in another: for those who grade other people's code.

written = evidence("8.4", answer)      # where the answer is
result = judge("8.4", written)         # where nobody has changed `check`
"""

import base64
import json
from dataclasses import astuple
from typing import Any

import gnet_lib as lib
from gnet_lib._check import require_instance, shown
from gnet_lib.exercises._judging import find, judged, read
from gnet_lib.exercises._surroundings import plain_surroundings
from gnet_lib.exercises.checking import Result
from gnet_lib.exercises.exercise import Exercise


def evidence(exercise: str | Exercise, answer: Any) -> str:
    """Write an answer down in plain numbers and texts, without judging it.

    Of a function these are its results for the exercise's inputs, of a module its output with
    known weights.

    Args:
        exercise: the exercise's number, or an ``Exercise``, as for ``check``.
        answer: the answer.

    Returns:
        A line of JSON for ``judge``.

    Raises:
        ValueError: if there is no such exercise; if its type of answer is one of your own, and
            reads answers as something else than numbers, texts, tensors and tuples of these.

    Example:
        >>> evidence("2.2", "the pooling")
        '{"given": "the pooling"}'
    """
    found = find(exercise)
    with plain_surroundings():
        given, refusal = read(found, answer)
    if refusal:
        return json.dumps({"refused": refusal})
    try:
        return json.dumps({"given": _written(given)})
    except TypeError as error:
        raise ValueError(
            f"answer_type of exercise {found.number} must read answers as plain numbers, texts, "
            f"tensors or tuples of these, but {error}"
        ) from None


def judge(exercise: str | Exercise, evidence: str) -> Result:
    """Judge an answer that ``evidence`` wrote down; nothing of the answer's code is run.

    Args:
        exercise: the exercise's number, or an ``Exercise``, as for ``check``.
        evidence: what the function of this name gave.

    Returns:
        The ``Result``, as ``check`` gives it. Nothing is printed.

    Raises:
        ValueError: if there is no such exercise, or if ``evidence`` is none for it.

    Example:
        >>> judge("8.3", evidence("8.3", (281, 187))).message
        '8.3: right.'
    """
    found = find(exercise)
    require_instance("evidence", evidence, str, "a text from evidence()")
    with plain_surroundings():
        try:
            said = json.loads(evidence)
            refusal = str(said.get("refused", ""))
            given = None if refusal else _restored(said["given"])
        except Exception as error:  # whatever stands there in place of evidence
            raise ValueError(
                f"evidence must be a text from evidence(), but it is {shown(evidence)}"
            ) from error
        return Result(*judged(found, given, refusal))


def _written(value: Any) -> Any:
    """A plain value as JSON has it. Numbers are written so that none is rounded."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return {"int": hex(value)}
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, (tuple, list)):
        return list(map(_written, value))
    if isinstance(value, lib.InceptionWidths):
        return {"widths": list(astuple(value))}
    import torch  # numbers and texts need none

    if isinstance(value, torch.Tensor):
        numbers = value.double().contiguous().numpy().tobytes()
        return {"shape": list(value.shape), "float64": base64.b64encode(numbers).decode()}
    raise TypeError(f"there is a {type(value).__name__}")


def _restored(value: Any) -> Any:
    """What was written; lists as tuples."""
    if isinstance(value, list):
        return tuple(map(_restored, value))
    if not isinstance(value, dict):
        return value
    if "int" in value:
        return int(value["int"], 16)
    if "float" in value:
        return float.fromhex(value["float"])
    if "widths" in value:
        return lib.InceptionWidths(*value["widths"])
    import torch

    numbers = bytearray(base64.b64decode(value["float64"]))
    tensor = torch.frombuffer(numbers, dtype=torch.float64) if numbers else torch.zeros(0)
    return tensor.double().reshape(value["shape"])
