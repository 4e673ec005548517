"""The shadow rules, the envelope ballots and the JavaScript verifier: `python -m bench.shadow [--large]`.

Same arrangement as bench.calculation: each contestant in a process of its own, in turn, medians; only
ratios count. `--large` adds the pairwise amounts of 10^6 gifts (a minute or two). The election is read
from ABONDE_DATA_DIR (or ../shared/data); pabutools lives in the virtual environment of the peers.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.calculation import (
    ROOT,
    Row,
    _dossier,
    as_markdown,
    frame,
    gifts_file,
    matrix_product,
    pairwise,
    peers_python,
    verify_file,
)

DATA = Path(os.environ.get("ABONDE_DATA_DIR", ROOT.parent / "shared" / "data"))
WARSZAWA = DATA / "pabulib" / "Poland_Warszawa_2026.pb"
SWIECIE = DATA / "pabulib" / "Poland_Swiecie_2023.pb"


# ---- contestants, each in its process ----------------------------------------------------------------


def _election(path: Path) -> tuple[Callable[[], Any], int]:
    """Return how to count the ballots of an election, and its budget. Counting is part of our time."""
    from fundmatch.engine.ballots import Ballots
    from fundmatch.engine.pabulib import read_pb

    election = read_pb(path)
    return lambda: Ballots(election.costs_cents, election.votes.values()), election.budget_cents


def greedy_ballots(path: Path) -> Callable[[], object]:
    """Elect by number of votes."""
    from fundmatch.engine.ballots import greedy

    count, budget = _election(path)
    return lambda: greedy(count(), budget)


def equal_shares_ballots(path: Path) -> Callable[[], object]:
    """Elect by equal shares."""
    from fundmatch.engine.ballots import equal_shares

    count, budget = _election(path)
    return lambda: equal_shares(count(), budget)


def add1_ballots(path: Path) -> Callable[[], object]:
    """Elect by equal shares, raised one unit per voter at a time."""
    from fundmatch.engine.ballots import ADD1, COST, equal_shares

    count, budget = _election(path)
    return lambda: equal_shares(count(), budget, COST, ADD1, increment=100)


def _pabutools(path: Path) -> tuple[Any, Any]:
    from pabutools.election import parse_pabulib

    instance, profile = parse_pabulib(str(path))
    return instance, profile


def pabutools_greedy(path: Path) -> Callable[[], object]:
    """The peer, on its own profile."""
    from pabutools.election import Cost_Sat
    from pabutools.rules import greedy_utilitarian_welfare

    instance, profile = _pabutools(path)
    return lambda: greedy_utilitarian_welfare(instance, profile, sat_class=Cost_Sat)


def pabutools_equal_shares(path: Path) -> Callable[[], object]:
    """The peer, on its own profile."""
    from pabutools.election import Cost_Sat
    from pabutools.rules import method_of_equal_shares

    instance, profile = _pabutools(path)
    return lambda: method_of_equal_shares(instance, profile, sat_class=Cost_Sat)


def pabutools_add1(path: Path) -> Callable[[], object]:
    """The peer, on its own profile."""
    from pabutools.election import Cost_Sat
    from pabutools.rules import method_of_equal_shares

    instance, profile = _pabutools(path)
    return lambda: method_of_equal_shares(instance, profile, sat_class=Cost_Sat, voter_budget_increment=1)


def pairwise_few(path: Path) -> Callable[[], object]:
    """Pairwise amounts over 200 projects."""
    return pairwise(path, 200)


def product_few(path: Path) -> Callable[[], object]:
    """Half of the matrix donors × donors alone, in blocks."""
    return matrix_product(path, 200)


def leave_one_out(path: Path) -> Callable[[], object]:
    """The range of every project over all donors taken out one by one."""
    from fundmatch.engine.reading import read_with_csv
    from fundmatch.engine.shadow import leave_one_donor_out

    problem = read_with_csv(frame(200), path)
    ids = [project.id for project in problem.projects]
    return lambda: leave_one_donor_out(problem, ids)


def one_settlement(path: Path) -> Callable[[], object]:
    """One calculation of the same gifts."""
    from fundmatch.engine.reading import read_with_csv
    from fundmatch.engine.threshold import settle

    problem = read_with_csv(frame(200), path)
    return lambda: settle(problem)


def python_verifier(path: Path) -> Callable[[], object]:
    """Verify a dossier in Python."""
    return verify_file(path, 200)


def javascript_verifier(path: Path) -> Callable[[], object]:
    """Verify the same dossier in Node, the start of Node included."""
    _, dossier = _dossier(path, 200)
    script = ROOT / "fundmatch" / "static" / "fundmatch" / "verify.mjs"
    node = shutil.which("node") or "node"
    return lambda: subprocess.run([node, script, dossier], check=True, capture_output=True)


PEERS = {"pabutools_greedy", "pabutools_equal_shares", "pabutools_add1"}
CONTESTANTS: dict[str, Callable[[Path], Callable[[], object]]] = {
    contestant.__name__: contestant
    for contestant in (
        greedy_ballots,
        equal_shares_ballots,
        add1_ballots,
        pabutools_greedy,
        pabutools_equal_shares,
        pabutools_add1,
        pairwise_few,
        product_few,
        leave_one_out,
        one_settlement,
        python_verifier,
        javascript_verifier,
    )
}


def work(name: str, path: Path, repeats: int) -> None:
    """Run one contestant (in its own process) and print its median time and its memory peak."""
    run = CONTESTANTS[name](path)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps({"seconds": statistics.median(seconds), "peak_mb": peak}))


# ---- duels -------------------------------------------------------------------------------------------


def measured(name: str, path: Path, repeats: int) -> dict[str, float] | None:
    """Return the time and the peak of one contestant, None where it cannot run (said on stderr)."""
    python = peers_python() if name in PEERS else Path(sys.executable)
    if python is None:
        return None
    command = [python, "-m", "bench.shadow", "--work", name, path, str(repeats)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        print(f"bench: {name} failed: {done.stderr[-400:]}", file=sys.stderr)
        return None
    return dict(json.loads(done.stdout))


def compared(
    what: str, ours: str, theirs: str, path: Path, goal: float | None, *, pairs: int = 5, repeats: int = 3
) -> Row:
    """Return the line of one duel."""
    label = theirs.replace("_", " ")
    sides: list[list[dict[str, float]]] = [[], []]
    for _ in range(pairs):
        for side, name in zip(sides, (ours, theirs), strict=True):
            figures = measured(name, path, repeats)
            if figures is None:
                return Row(what, "", f"{label}: absent", None, "", None)
            side.append(figures)
    mine, other = (statistics.median(figures["seconds"] for figures in side) for side in sides)
    peak = max(figures["peak_mb"] for figures in sides[0])
    ratio = mine / other
    met = None if goal is None else ratio <= goal
    shown = "" if goal is None else f"≤ {goal} ×"
    return Row(what, f"{mine:.4f} s, {peak:.0f} MB", f"{label} {other:.4f} s", ratio, shown, met)


def table(*, large: bool) -> list[Row]:
    """Return the whole table."""
    gifts = gifts_file(5, 200)
    rows = [
        compared("pairwise, 10^5 gifts, 200 projects", "pairwise_few", "product_few", gifts, 2),
        compared("leave one donor out, 10^5 gifts", "leave_one_out", "one_settlement", gifts, None),
        compared(
            "verify a dossier of 10^5 gifts", "javascript_verifier", "python_verifier", gifts, None, pairs=3
        ),
    ]
    if large:
        rows.append(_large())
    if not WARSZAWA.exists():
        print(f"bench: {WARSZAWA} is absent, ballots are NOT compared", file=sys.stderr)
        return rows
    size = "60 000 ballots, 83 projects"
    return [
        *rows,
        compared(f"{size}: greedy", "greedy_ballots", "pabutools_greedy", WARSZAWA, 0.1, pairs=3),
        compared(
            f"{size}: equal shares",
            "equal_shares_ballots",
            "pabutools_equal_shares",
            WARSZAWA,
            0.1,
            pairs=3,
            repeats=1,
        ),
        compared(
            "2 500 ballots, 22 projects: add1",
            "add1_ballots",
            "pabutools_add1",
            SWIECIE,
            None,
            pairs=1,
            repeats=1,
        ),
    ]


def _large() -> Row:
    what = "pairwise, 10^6 gifts, 200 projects"
    figures = measured("pairwise_few", gifts_file(6, 200), 1)
    if figures is None:
        return Row(what, "", "", None, "", None)
    seconds, peak = figures["seconds"], figures["peak_mb"]
    met = seconds < 90 and peak <= 1000
    return Row(what, f"{seconds:.1f} s, {peak:.0f} MB", "", None, "< 90 s, ≤ 1000 MB", met)


def main() -> int:
    """Print the table; exit code 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.shadow", description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="pairwise amounts of 10^6 gifts too")
    parser.add_argument("--work", nargs=3, metavar=("NAME", "FILE", "REPEATS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        name, path, repeats = options.work
        work(name, Path(path), int(repeats))
        return 0
    rows = table(large=options.large)
    print(as_markdown(rows))
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
