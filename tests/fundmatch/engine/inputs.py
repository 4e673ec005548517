"""Hypothesis strategies: whole inputs of fundmatch/1, small and mean."""

from hypothesis import strategies as st

PROJECTS = ["~", "a", "b", "É", "𝄞", "\ufb01", "c", "d"]
DONORS = [f"d{number}" for number in range(7)] + ["É", "𝄞"]
CENTS = st.one_of(
    st.sampled_from([0, 1, 2, 99, 100, 100, 100, 400, 900, 1000, 2500, 10**6, 10**11]), st.integers(0, 5000)
)
MAYBE_CENTS = st.one_of(st.none(), st.integers(0, 3000), st.sampled_from([0, 1, 10**6]))
BUDGETS = st.one_of(st.sampled_from([0, 1, 2, 100, 10**6, 10**12]), st.integers(0, 20000))


@st.composite
def funders(draw, budget):
    if budget == 0 or draw(st.booleans()):
        return None
    first = draw(st.integers(0, budget))
    second = draw(st.integers(0, budget - first))
    pledges = {"z": first, "y": second, "É": budget - first - second}
    return [{"id": key, "pledge_cents": pledge} for key, pledge in pledges.items()]


@st.composite
def pots(draw, name, projects, rules):
    rule = draw(st.sampled_from(rules))
    budget = draw(BUDGETS)
    pot = {
        "id": name,
        "rule": rule,
        "budget_cents": budget,
        "cap_per_project_cents": draw(MAYBE_CENTS),
        "funders": draw(funders(budget)),
    }
    if draw(st.integers(0, 3)) == 0:
        pot["projects"] = draw(st.lists(st.sampled_from(projects), unique=True))
    if rule == "linear":
        pot["ratio"] = draw(st.sampled_from(["1", "1/2", "2", "3/7", "0"]))
        pot["order"] = draw(st.sampled_from(["prorata", "prorata", "fcfs"]))
        pot["cap_per_donor_cents"] = draw(MAYBE_CENTS)
    else:
        if rule == "quadratic":
            pot["mode"] = draw(st.sampled_from(["saturate", "normalise"]))
        pot["min_donor_cents"] = draw(st.sampled_from([0, 0, 1, 150]))
        pot["min_donors"] = draw(st.sampled_from([0, 0, 1, 2, 3]))
    return pot


ALL_RULES = ["linear", "quadratic", "quadratic-square", "proportional", "per-donor"]


@st.composite
def whole_inputs(draw, rules=tuple(ALL_RULES), threshold=None, most_rows=25):
    projects = draw(st.lists(st.sampled_from(PROJECTS), min_size=1, unique=True))
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from(DONORS), st.sampled_from(projects), CENTS, st.integers(0, 5)),
            max_size=most_rows,
        )
    )
    names = draw(st.lists(st.sampled_from(["q", "p", "é"]), min_size=1, unique=True))
    limit = {
        "ratio": draw(st.sampled_from(["3/4", "1", "2", "1/3"])),
        "base": draw(st.sampled_from(["total", "citizens"])),
    }
    has_threshold = draw(st.booleans()) if threshold is None else threshold
    return {
        "spec": "fundmatch/1",
        "projects": [
            {"id": project, "goal_cents": draw(st.sampled_from([1, 500, 1000, 5000, 5000, 10**6]))}
            for project in projects
        ],
        "contributions": [
            [donor, project, cents, {"match": False}] if odd == 0 else [donor, project, cents]
            for donor, project, cents, odd in rows
        ],
        "pots": [draw(pots(name, projects, list(rules))) for name in names],
        "threshold": limit if has_threshold else None,
    }
