"""An answer in one process, its judgement in another: for those who grade other people's code.

written = evidence("8.4", answer)      # where the answer is
result = judge("8.4", written)         # where nobody has changed `check`
"""

import json
from typing import Any

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
        >>> judge("8.3", evidence("8.3", (28, 140))).message
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
    """A plain value as JSON has it; JSON rounds no number."""
    if value is None or isinstance(value, (bool, str, int, float)):
        return value
    if isinstance(value, (tuple, list)):
        return list(map(_written, value))
    import torch  # numbers and texts need none

    if isinstance(value, torch.Tensor):
        return {"shape": list(value.shape), "values": value.flatten().tolist()}
    raise TypeError(f"there is a {type(value).__name__}")


def _restored(value: Any) -> Any:
    """What was written; lists as tuples."""
    if isinstance(value, list):
        return tuple(map(_restored, value))
    if not isinstance(value, dict):
        return value
    import torch

    return torch.tensor(value["values"], dtype=torch.float64).reshape(value["shape"])
