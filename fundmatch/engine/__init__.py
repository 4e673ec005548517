"""fundmatch: how the complementary money is shared, exact to the cent.

Pure Python, no Django, no database; NumPy makes it faster when it is there and
changes nothing. The text that it follows is fundmatch/1 (docs/calculation.md).

    from fundmatch.engine import InputError, compute
    result = compute({"spec": "fundmatch/1", "projects": […], "contributions": […], "pots": […]})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .difference import first_difference
from .dossier import (
    DossierInfo,
    Verification,
    pseudonym,
    pseudonymise,
    receipt_leaves,
    receipt_proof,
    verify_dossier,
    verify_receipt,
    write_dossier,
)
from .errors import DossierError, InputError
from .merkle import Leaf, Proof, Tree, check_receipt, receipt
from .reading import read_columns, read_input
from .result import compute_problem
from .threshold import Progress

__all__ = [
    "DossierError",
    "DossierInfo",
    "InputError",
    "Leaf",
    "Proof",
    "Tree",
    "Verification",
    "check_receipt",
    "compute",
    "compute_columns",
    "pseudonym",
    "pseudonymise",
    "receipt",
    "receipt_leaves",
    "receipt_proof",
    "verify",
    "verify_dossier",
    "verify_receipt",
    "write_dossier",
]


def compute(value: object, *, progress: Progress | None = None) -> dict[str, Any]:
    """Return the result of an input (the decoded JSON of fundmatch/1, section 2).

    Amounts are integer cents. Raises `InputError`, which names the row.
    """
    return compute_problem(read_input(value), progress)


def compute_columns(
    frame: Mapping[str, Any],
    *,
    donors: Sequence[str],
    donor: Sequence[int],
    project_ids: Sequence[str],
    project: Sequence[int],
    cents: Sequence[int],
    matchable: Sequence[bool] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return the result for gifts that are already columns, in time order (the door of databases).

    `frame` is an input without `contributions`. Row k is: the donor
    `donors[donor[k]]` gave `cents[k]` cents to the project `project_ids[project[k]]`.
    Lists and NumPy arrays of integers are both fine. Raises `InputError`.
    """
    problem = read_columns(
        frame,
        donors=donors,
        donor=donor,
        project_ids=project_ids,
        project=project,
        cents=cents,
        matchable=matchable,
    )
    return compute_problem(problem, progress)


def verify(value: object, result: object) -> str | None:
    """Return where a published result first differs from the one of its input, or None.

    `engine` is not compared: another version may well find the same. Raises
    `InputError` when the input cannot be computed.
    """
    if not isinstance(result, dict):
        return "result: not an object"
    computed = compute(value)
    return first_difference(
        {key: item for key, item in result.items() if key != "engine"},
        {key: item for key, item in computed.items() if key != "engine"},
    )
