"""The calculation against the ways it is usually done: `python -m bench.calculation [--sizes 4 5 6 7]`.

Every contestant runs in a process of its own (so that memory peaks are its own), on
the same file, one after the other in turn; a figure is the median of its runs. Only
ratios count: the machine may be busy. Peers (DuckDB, pandas) live in a virtual
environment made from bench/requirements.txt, under .cache/bench/venv.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "bench"
BUDGET, CAP = 10**8, 10**6


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. Times in seconds, peaks in MB."""

    what: str
    ours: str
    reference: str
    ratio: float | None
    goal: str
    met: bool | None

    def cells(self) -> list[str]:
        """Return the line as text."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return [
            self.what,
            self.ours,
            self.reference,
            ratio,
            self.goal,
            {True: "yes", False: "no", None: ""}[self.met],
        ]


# ---- data ------------------------------------------------------------------


def gifts_file(power: int, projects: int) -> Path:
    """Return a CSV of 10^power gifts, made once: five a donor, popularity 1/rank^0.8, 30 % odd amounts."""
    path = CACHE / f"gifts-{power}-{projects}.csv"
    if path.exists():
        return path
    import numpy as np

    count = 10**power
    rng = np.random.default_rng(7)
    weights = 1 / np.arange(1, projects + 1) ** 0.8
    project = rng.choice(rng.permutation(projects), size=count, p=weights / weights.sum())
    donor = rng.integers(0, max(count // 5, 2), count)
    usual = np.array([500, 1000, 1500, 2000, 2500, 3000, 5000, 10000, 20000])
    cents = usual[rng.choice(9, count, p=[0.15, 0.25, 0.08, 0.15, 0.1, 0.07, 0.12, 0.06, 0.02])]
    cents = np.where(rng.random(count) < 0.3, rng.integers(100, 30000, count), cents)
    CACHE.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".part").open("w") as file:
        file.write("donor,project,cents\n")
        for start in range(0, count, 500_000):
            span = slice(start, start + 500_000)
            columns = zip(donor[span].tolist(), project[span].tolist(), cents[span].tolist(), strict=True)
            file.writelines(f"d{d},p{p},{c}\n" for d, p, c in columns)
    path.with_suffix(".part").rename(path)
    return path


def frame(projects: int, **more: Any) -> dict[str, Any]:
    """Return an input without gifts: one quadratic pot with a cap."""
    return {
        "spec": "fundmatch/1",
        "projects": [{"id": f"p{place}", "goal_cents": 10**6} for place in range(projects)],
        "pots": [{"id": "fund", "rule": "quadratic", "budget_cents": BUDGET, "cap_per_project_cents": CAP}],
        "threshold": None,
    } | more


# ---- contestants, each in its process --------------------------------------


def exact_calculation(path: Path, projects: int) -> Callable[[], object]:
    """Read, exact roots, water-filling, cents: without the digests."""
    from fundmatch.engine.reading import read_with_csv
    from fundmatch.engine.threshold import settle

    value = frame(projects)
    return lambda: settle(read_with_csv(value, path))


def exact_result(path: Path, projects: int) -> Callable[[], object]:
    """Do the same, and write the whole result with the SHA-256 of input and result."""
    from fundmatch.engine.reading import read_with_csv
    from fundmatch.engine.result import compute_problem

    value = frame(projects)
    return lambda: compute_problem(read_with_csv(value, path))


def duckdb_float(path: Path, projects: int) -> Callable[[], object]:
    """Do the formula in float SQL on the same file, without cap or rounding."""
    import duckdb

    query = (
        "select project, pow(sum(sqrt(c)), 2) - sum(c) from (select donor, project, sum(cents) c "
        f"from read_csv('{path}') group by 1, 2) group by 1"
    )
    return lambda: duckdb.connect().execute(query).fetchall()


def dictionary_float(path: Path, projects: int) -> Callable[[], object]:
    """Do the usual loop: csv module, dictionaries, floats, cap, round()."""
    import csv
    from collections import defaultdict
    from math import sqrt

    def run() -> dict[str, int]:
        given: dict[tuple[str, str], float] = defaultdict(float)
        with open(path, newline="") as file:
            rows = csv.reader(file)
            next(rows)
            for donor, project, cents in rows:
                given[donor, project] += float(cents)
        roots: dict[str, float] = defaultdict(float)
        sums: dict[str, float] = defaultdict(float)
        for (_, project), cents in given.items():
            roots[project] += sqrt(cents)
            sums[project] += cents
        return _capped({project: roots[project] ** 2 - sums[project] for project in roots})

    return run


def pandas_pivot(path: Path, projects: int) -> Callable[[], object]:
    """Do what the public calculators do: a dense table donor × project in pandas, then column sums."""
    import numpy as np
    import pandas as pd

    def run() -> dict[str, int]:
        table = pd.read_csv(path).pivot_table(
            index="donor", columns="project", values="cents", aggfunc="sum", fill_value=0
        )
        roots = np.sqrt(table).sum(axis=0)
        return _capped((roots**2 - table.sum(axis=0)).to_dict())

    return run


def numpy_float_columns(path: Path, projects: int) -> Callable[[], object]:
    """Do the formula in float on columns already in memory."""
    import numpy as np

    donor, project, cents, donors = _columns(path)

    def run() -> object:
        key = project.astype(np.int64) * donors + donor
        order = np.argsort(key)
        ordered = key[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        sums = np.add.reduceat(cents[order], starts).astype(float)
        where = ordered[starts] // donors
        roots = np.bincount(where, np.sqrt(sums), projects)
        raw = roots**2 - np.bincount(where, sums, projects)
        return _capped(dict(enumerate(raw.tolist())))

    return run


def exact_columns(path: Path, projects: int) -> Callable[[], object]:
    """Do the exact calculation on columns already in memory."""
    from fundmatch.engine.gifts import gifts
    from fundmatch.engine.problem import Problem
    from fundmatch.engine.reading import read_frame
    from fundmatch.engine.threshold import settle

    donor, project, cents, donors = _columns(path)
    listed, pots, _ = read_frame(frame(projects))
    names = range(donors)
    ids = [item.id for item in listed]
    return lambda: settle(Problem(listed, pots, None, gifts(names, ids, donor, project, cents, None)))


def _columns(path: Path) -> tuple[Any, Any, Any, int]:
    """Return the columns of a file as integers, kept beside it."""
    import numpy as np

    kept = path.with_suffix(".npz")
    if not kept.exists():
        text = path.read_bytes().replace(b"d", b"").replace(b"p", b"").split(b"\n", 1)[1]
        flat = np.array(text.replace(b"\n", b",").rstrip(b",").split(b","), dtype=np.int64).reshape(-1, 3)
        np.savez(kept, donor=flat[:, 0], project=flat[:, 1], cents=flat[:, 2])
    loaded = np.load(kept)
    return loaded["donor"], loaded["project"], loaded["cents"], int(loaded["donor"].max()) + 1


def _capped(raw: dict[Any, float]) -> dict[Any, int]:
    """Share the budget in float: proportional, cap, again, until nobody is over."""
    over: set[Any] = set()
    level = min(1.0, BUDGET / sum(raw.values()))
    while True:
        new = {key for key, amount in raw.items() if amount * level > CAP} - over
        if not new:
            return {key: CAP if key in over else round(amount * level) for key, amount in raw.items()}
        over |= new
        rest = sum(amount for key, amount in raw.items() if key not in over)
        level = min(1.0, (BUDGET - CAP * len(over)) / rest) if rest else 0.0


def _two_pots(path: Path, projects: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an input without threshold, and its twin where about a thousand projects fail."""
    import random

    from fundmatch.engine.reading import read_with_csv
    from fundmatch.engine.threshold import settle

    pots = [
        {"id": "fund", "rule": "quadratic", "budget_cents": BUDGET // 10, "cap_per_project_cents": CAP // 10},
        {"id": "city", "rule": "linear", "budget_cents": BUDGET // 10},
    ]
    plain = frame(projects, pots=pots)
    problem = read_with_csv(plain, path)
    paid = settle(problem).allocations.values()
    citizens = problem.money.citizens()
    chance = random.Random(1)
    failing = set(chance.sample(range(projects), projects // 5))
    goals = {}
    for rank, project in enumerate(problem.projects):
        total = citizens[rank] + sum(allocation.cents[rank] for allocation in paid)
        factor = chance.uniform(1.5, 3) if rank in failing else chance.uniform(0.3, 0.8)
        goals[project.id] = max(1, int(total * factor))
    listed = [{"id": key, "goal_cents": goal} for key, goal in goals.items()]
    plain["projects"] = listed
    return plain, plain | {"threshold": {"ratio": "3/4", "base": "total"}}


def without_threshold(path: Path, projects: int) -> Callable[[], object]:
    """Compute two pots, nobody leaves."""
    from fundmatch.engine.reading import read_with_csv
    from fundmatch.engine.threshold import settle

    value = _two_pots(path, projects)[0]
    return lambda: settle(read_with_csv(value, path))


def with_threshold(path: Path, projects: int) -> Callable[[], object]:
    """Compute the same gifts, a fifth of the projects leaves one by one."""
    from fundmatch.engine.reading import read_with_csv
    from fundmatch.engine.threshold import settle

    value = _two_pots(path, projects)[1]

    def run() -> None:
        left = len(settle(read_with_csv(value, path)).eliminated)
        assert left >= projects // 5 * 0.95, left

    return run


def pairwise(path: Path, projects: int) -> Callable[[], object]:
    """Compute the pairwise-bounded amounts."""
    from fundmatch.engine.shadow.pairwise import pairwise_raw

    donor, project, cents, _ = _columns(path)
    return lambda: pairwise_raw(donor, project, cents, projects, 2500)


def matrix_product(path: Path, projects: int) -> Callable[[], object]:
    """Compute nothing but the blocks of the matrix donors × donors that pairwise amounts need."""
    import numpy as np

    donor, project, cents, donors = _columns(path)
    table = np.zeros((donors, projects))
    np.add.at(table, (donor, project), cents)
    table = np.sqrt(table)

    def run() -> float:
        total = 0.0
        for start in range(0, donors, 1024):
            total += float((table[start : start + 1024] @ table[start:].T)[0, 0])
        return total

    return run


def _dossier(path: Path, projects: int) -> tuple[Path, Path]:
    """Return an input of these gifts under pseudonyms and its dossier, made once."""
    import csv
    import hashlib

    from fundmatch.engine import compute, pseudonymise, write_dossier

    source, dossier = path.with_suffix(".json"), path.with_suffix(".zip")
    if not dossier.exists():
        with path.open(newline="") as file:
            rows = [[donor, project, int(cents)] for donor, project, cents in list(csv.reader(file))[1:]]
        key = hashlib.sha256(b"bench").digest()
        value = pseudonymise(frame(projects, contributions=rows), key)
        source.write_text(json.dumps(value))
        write_dossier(dossier, value, compute(value), rules_text="bench", key=key, form="gifts")
    return source, dossier


def compute_file(path: Path, projects: int) -> Callable[[], object]:
    """Compute the result of an input file (JSON)."""
    from fundmatch.__main__ import main

    source, _ = _dossier(path, projects)
    return lambda: main(["compute", str(source), "-o", os.devnull])


def verify_file(path: Path, projects: int) -> Callable[[], object]:
    """Verify the dossier of the same gifts."""
    from fundmatch.engine import verify_dossier

    _, dossier = _dossier(path, projects)

    def run() -> None:
        assert verify_dossier(dossier).identical

    return run


PEERS = {"duckdb_float", "pandas_pivot"}
CONTESTANTS = {
    contestant.__name__: contestant
    for contestant in (
        exact_calculation,
        exact_result,
        exact_columns,
        numpy_float_columns,
        duckdb_float,
        dictionary_float,
        pandas_pivot,
        without_threshold,
        with_threshold,
        pairwise,
        matrix_product,
        compute_file,
        verify_file,
    )
}


def work(name: str, path: Path, projects: int, repeats: int) -> None:
    """Run one contestant (in its own process) and print its median time and its memory peak."""
    run = CONTESTANTS[name](path, projects)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": statistics.median(seconds), "peak_mb": _peak_mb()}))


def _peak_mb() -> float:
    """Return the memory peak of this process; what its parent held before it began does not count."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1000
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


# ---- duels -----------------------------------------------------------------


def peers_python() -> Path | None:
    """Return the interpreter of the peers, installed once; None (said on stderr) where that fails."""
    folder = CACHE / "venv"
    python = folder / "bin" / "python"
    if not python.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        requirements = ROOT / "bench" / "requirements.txt"
        steps = [
            [sys.executable, "-m", "venv", folder],
            [python, "-m", "pip", "install", "-q", "-r", requirements],
        ]
        for step in steps:
            if subprocess.run(step).returncode:
                print("bench: the peers could not be installed, they are NOT compared", file=sys.stderr)
                return None
    return python


def duel(
    ours: str, theirs: str, path: Path, projects: int, *, pairs: int, repeats: int
) -> list[dict[str, float]] | None:
    """Run two contestants in turn; return the median time and the peak of each, None without the peer."""
    interpreters = []
    for name in (ours, theirs):
        python = peers_python() if name in PEERS else Path(sys.executable)
        if python is None:
            return None
        interpreters.append((name, python))
    runs: list[list[dict[str, float]]] = [[], []]
    for _ in range(pairs):
        for place, (name, python) in enumerate(interpreters):
            command = [python, "-m", "bench.calculation", "--work", name, path, str(projects), str(repeats)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            if done.returncode:
                print(f"bench: {name} failed: {done.stderr[-400:]}", file=sys.stderr)
                return None
            runs[place].append(json.loads(done.stdout))
    return [
        {
            "seconds": statistics.median(run["seconds"] for run in side),
            "peak_mb": max(run["peak_mb"] for run in side),
        }
        for side in runs
    ]


def compared(
    what: str,
    ours: str,
    theirs: str,
    path: Path,
    projects: int,
    *,
    goal: float | None,
    most_mb: int | None = None,
    pairs: int = 5,
    repeats: int = 3,
) -> Row:
    """Return the line of one duel."""
    sides = duel(ours, theirs, path, projects, pairs=pairs, repeats=repeats)
    label = theirs.replace("_", " ")
    if sides is None:
        return Row(what, "", f"{label}: absent", None, "", None)
    mine, other = sides
    ratio = mine["seconds"] / other["seconds"]
    limits = [] if goal is None else [f"≤ {goal} ×"]
    met = None if goal is None else ratio <= goal
    if most_mb is not None:
        limits.append(f"≤ {most_mb} MB")
        met = met is not False and mine["peak_mb"] <= most_mb
    return Row(what, _figure(mine), f"{label} {_figure(other)}", ratio, ", ".join(limits), met)


def _figure(side: dict[str, float]) -> str:
    return f"{side['seconds']:.3f} s, {side['peak_mb']:.0f} MB"


def table(sizes: list[int]) -> list[Row]:
    """Return the whole table of the section "Calculation"."""
    rows = []
    for power in sizes:
        rows += _by_size(power, gifts_file(power, 5000))
    if 5 in sizes:
        few = gifts_file(5, 200)
        size = "10^5 gifts, 200 projects"
        rows += [
            compared(f"{size}, from CSV", "exact_calculation", "dictionary_float", few, 200, goal=0.3),
            # No public calculator installs from a registry: this is the table they are built on,
            # without their loops.
            compared(f"{size}, from CSV", "exact_calculation", "pandas_pivot", few, 200, goal=None),
            compared(f"pairwise, {size}", "pairwise", "matrix_product", few, 200, goal=2, most_mb=1000),
            compared(f"verify a dossier, {size}", "verify_file", "compute_file", few, 200, goal=2),
        ]
    for power in {5, 6, 7} & set(sizes):
        path = gifts_file(power, 5000)
        turns = _turns(power)
        what = f"1000 of 5000 projects leave, 10^{power} gifts"
        goal = None if power == 5 else 3
        rows.append(compared(what, "with_threshold", "without_threshold", path, 5000, goal=goal, **turns))
    return rows


def _turns(power: int) -> dict[str, int]:
    return {"pairs": 3, "repeats": 1} if power == 7 else {"pairs": 5, "repeats": 3}


def _by_size(power: int, path: Path) -> list[Row]:
    """Return the lines of one number of gifts, 5 000 projects."""
    size, turns = f"10^{power} gifts, 5000 projects", _turns(power)
    duck = {"goal": 1.5, "most_mb": 1500} if power == 7 else {"goal": None}
    loop = 0.3 if power == 5 else None
    return [
        compared(f"{size}, from CSV", "exact_calculation", "duckdb_float", path, 5000, **duck, **turns),
        compared(
            f"{size}, from CSV, with digests", "exact_result", "duckdb_float", path, 5000, goal=None, **turns
        ),
        compared(
            f"{size}, columns in memory",
            "exact_columns",
            "numpy_float_columns",
            path,
            5000,
            goal=None,
            **turns,
        ),
        compared(
            f"{size}, from CSV", "exact_calculation", "dictionary_float", path, 5000, goal=loop, **turns
        ),
    ]


def as_markdown(rows: list[Row]) -> str:
    """Return the table in Markdown."""
    head = ["what", "ours", "reference", "ratio", "goal", "met"]
    lines = [head, ["---"] * len(head), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def main() -> int:
    """Print the table; exit code 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.calculation", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[4, 5, 6, 7], help="powers of ten (default: 4 5 6 7)"
    )
    parser.add_argument(
        "--work", nargs=4, metavar=("NAME", "FILE", "PROJECTS", "REPEATS"), help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    if options.work:
        name, path, projects, repeats = options.work
        work(name, Path(path), int(projects), int(repeats))
        return 0
    rows = table(options.sizes)
    print(as_markdown(rows))
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
