"""The result of fundmatch/1, section 5, with its two digests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from . import problem as p
from .canonical import canonical_bytes, digest, digest_chunks
from .gifts import Gifts
from .problem import SPEC, Pot, Problem
from .roots import decimal_text
from .sharing.funders import funders_matrix
from .sharing.water import lowest_terms
from .statistics import Statistics
from .threshold import Progress, Settlement, settle
from .version import engine_name


def compute_problem(problem: Problem, progress: Progress | None = None) -> dict[str, Any]:
    """Return the whole result of a valid problem."""
    settlement = settle(problem, progress)
    return assemble(problem, settlement, input_digest(problem))


def input_digest(problem: Problem) -> str:
    """Return the SHA-256 of the input in canonical form."""
    return digest_chunks(input_chunks(problem))


def input_chunks(problem: Problem) -> Iterator[bytes]:
    """Yield the input in canonical form, in pieces: the bytes that `input_sha256` covers."""
    rest = input_frame(problem)
    if isinstance(problem.money, Statistics):
        yield canonical_bytes(rest | {"statistics": problem.money.rows})
        return
    gifts = cast(Gifts, problem.money)
    in_time_order = any(pot.order == p.FCFS for pot in problem.pots)
    # "contributions" is the first key of the canonical object.
    yield b'{"contributions":'
    yield from gifts.canonical_rows(in_time_order=in_time_order)
    yield b"," + canonical_bytes(rest)[1:]


def input_frame(problem: Problem) -> dict[str, Any]:
    """Return the canonical input without its gifts."""
    return {
        "spec": SPEC,
        "projects": [
            {"id": project.id} | ({} if project.goal_cents is None else {"goal_cents": project.goal_cents})
            for project in problem.projects
        ],
        "pots": [pot.canonical for pot in problem.pots],
        "threshold": None if problem.threshold is None else problem.threshold.canonical,
    }


def assemble(problem: Problem, settlement: Settlement, input_sha256: str) -> dict[str, Any]:
    """Return the result of a settlement, digests included."""
    result = {
        "spec": SPEC,
        "input_sha256": input_sha256,
        "projects": _projects(problem, settlement),
        "pots": {pot.id: _pot(problem, settlement, pot) for pot in problem.pots},
        "eliminated": _eliminated(problem, settlement),
    }
    return {"engine": engine_name(), "result_sha256": digest(result)} | result


def result_digest(result: dict[str, Any]) -> str:
    """Return the SHA-256 of a result, without its `engine` and `result_sha256`."""
    return digest({key: value for key, value in result.items() if key not in ("engine", "result_sha256")})


def _projects(problem: Problem, settlement: Settlement) -> dict[str, Any]:
    citizens, donors = problem.money.citizens(), problem.money.donors()
    pots = [(pot, settlement.allocations[pot.id].cents, settlement.raw[pot.id]) for pot in problem.pots]
    found = {}
    for rank, project in enumerate(problem.projects):
        covering = [item for item in pots if item[0].projects is None or project.id in item[0].projects]
        row: dict[str, Any] = {"citizens_cents": citizens[rank], "donors": donors[rank]}
        if rank in settlement.alive:
            match = {pot.id: cents[rank] for pot, cents, _ in covering}
            row |= {
                "funded": True,
                "match_cents": match,
                "total_cents": citizens[rank] + sum(match.values()),
                "raw": {
                    pot.id: str(raw[rank]) if pot.scale == 1 else decimal_text(raw[rank], 6)
                    for pot, _, raw in covering
                },
            }
        else:
            row |= {
                "funded": False,
                "match_cents": {pot.id: 0 for pot, _, _ in covering},
                "total_cents": 0,
                "raw": {},
            }
        found[project.id] = row
    return found


def _pot(problem: Problem, settlement: Settlement, pot: Pot) -> dict[str, Any]:
    allocation = settlement.allocations[pot.id]
    shown: dict[str, Any] = {
        "spent_cents": allocation.spent_cents,
        "unspent_cents": pot.budget_cents - allocation.spent_cents,
        "lambda": lowest_terms(allocation.level),
    }
    if pot.funders:
        matrix = funders_matrix(pot.funders, allocation.cents)
        shown["funders"] = {
            funder: {
                "spent_cents": sum(cells.values()),
                "projects": {problem.projects[rank].id: cents for rank, cents in cells.items()},
            }
            for funder, cells in matrix.items()
        }
    return shown


def _eliminated(problem: Problem, settlement: Settlement) -> list[dict[str, Any]]:
    citizens = problem.money.citizens()
    found = []
    for item in settlement.eliminated:
        entry: dict[str, Any] = {
            "project": problem.projects[item.rank].id,
            "base_cents": item.base_cents,
            "needed_cents": item.needed_cents,
            "refund_total_cents": citizens[item.rank],
        }
        if problem.money.individual:
            entry["refunds"] = cast(Gifts, problem.money).refunds(item.rank)
        found.append(entry)
    return found
