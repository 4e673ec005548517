"""Charts: valid images with words, nothing that a strict content security policy refuses."""

from __future__ import annotations

import re
from typing import Any

import pytest
from defusedxml import ElementTree

from fundmatch.engine import charts
from fundmatch.engine.shadow import attack_cost, compare, gain_curve

SVG = "{http://www.w3.org/2000/svg}"
NASTY = "<script>alert(\"1\")</script> & '%KEY%' \x00\u202e"
VALUE: dict[str, Any] = {
    "spec": "fundmatch/1",
    "projects": [{"id": "Vélo"}, {"id": NASTY}, {"id": "Mare"}],
    "contributions": [[f"d{k}", project, 500 + k] for k in range(9) for project in ("Vélo", NASTY)][:14],
    "pots": [{"id": "f", "rule": "quadratic", "budget_cents": 20_000, "mode": "normalise"}],
}


def _all() -> dict[str, charts.Chart]:
    rules = {rule: row["cents"] for rule, row in compare(VALUE)["rules"].items()}
    words = {"title": f"Titre {NASTY}", "description": f"Phrase {NASTY}"}
    return {
        "shares": charts.shares_by_rule(rules, key="shares-1", **words),
        "concentration": charts.concentration(rules, key="lorenz", **words),
        "gain": charts.gain_curve(gain_curve(VALUE, "Vélo"), key="gain", **words),
        "attack": charts.attack(attack_cost(VALUE, "Vélo", 500), key="attack", **words),
    }


CHARTS = _all()


@pytest.mark.parametrize("name", CHARTS)
def test_charts_are_images_with_a_title_and_a_description(name: str) -> None:
    root = ElementTree.fromstring(CHARTS[name].svg)
    assert root.tag == f"{SVG}svg" and root.get("role") == "img"
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None and desc is not None
    assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
    assert title.text and title.text.startswith("Titre") and desc.text


@pytest.mark.parametrize("name", CHARTS)
def test_charts_hold_nothing_that_a_strict_policy_refuses(name: str) -> None:
    allowed = {"svg", "title", "desc", "defs", "pattern", "rect", "line", "polyline", "circle", "text"}
    for element in ElementTree.fromstring(CHARTS[name].svg).iter():
        assert element.tag.removeprefix(SVG) in allowed
        for attribute, text in element.attrib.items():
            assert attribute != "style" and not attribute.startswith("on") and "href" not in attribute
            assert "url(" not in text or re.fullmatch(r"url\(#[a-z0-9-]+\)", text)


@pytest.mark.parametrize("name", CHARTS)
def test_every_hatch_that_is_used_is_defined_once_in_its_own_chart(name: str) -> None:
    svg = CHARTS[name].svg
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", svg)) <= set(ids)


@pytest.mark.parametrize("name", CHARTS)
def test_the_table_says_what_the_picture_says(name: str) -> None:
    chart = CHARTS[name]
    assert chart.rows and all(len(row) == len(chart.headers) for row in chart.rows)


def test_all_projects_are_in_the_table_even_when_the_picture_is_full() -> None:
    cents = {"result": {f"p{k:03d}": 1000 - k for k in range(200)}}
    chart = charts.shares_by_rule(cents, key="k", title="t", description="d", limit=5)
    assert len(chart.rows) == 200
    assert chart.svg.count("fm-chart__bar--0") == 5 + 1  # and one in the legend


def test_bars_are_in_proportion_to_the_money() -> None:
    cents = {"result": {"a": 1000, "b": 250, "c": 0}}
    svg = charts.shares_by_rule(cents, key="k", title="t", description="d").svg
    widths = [float(w) for w in re.findall(r'<rect[^>]* width="([\d.]+)"', svg)][1:]
    assert widths[1] == pytest.approx(widths[0] / 4, abs=0.1) and widths[2] == 0


@pytest.mark.parametrize("points", [[], [{"gift_cents": 100, "gain_cents": 0, "others_cents": 0}]])
def test_curves_of_nothing_are_still_drawn(points: list[dict[str, int]]) -> None:
    ElementTree.fromstring(charts.gain_curve(points, key="k", title="t", description="d").svg)


def test_distributions_of_nothing_are_still_drawn() -> None:
    for cents in ({}, {"result": {}}, {"result": {"a": 0}}):
        ElementTree.fromstring(charts.concentration(cents, key="k", title="t", description="d").svg)
        ElementTree.fromstring(charts.shares_by_rule(cents, key="k", title="t", description="d").svg)


def test_words_and_formats_are_the_callers() -> None:
    chart = charts.gain_curve(
        [{"gift_cents": 100, "gain_cents": 250, "others_cents": -50}],
        key="k",
        title="t",
        description="d",
        gift_label="Don",
        gain_label="Aide",
        others_label="Perdu",
        money=lambda cents: f"{cents // 100} euros",
        axis=lambda cents: f"«{cents:.0f}»",
    )
    assert [label for label, _ in chart.headers] == ["Don", "Aide", "Perdu"]
    assert chart.rows == [["1 euros", "2 euros", "0 euros"]]
    assert "«100»" in chart.svg and "Aide (€)" in chart.svg


@pytest.mark.parametrize("key", ["", "a b", 'x"y', "é", "a/b"])
def test_a_key_that_is_no_id_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        charts.concentration({"r": {"a": 1}}, key=key, title="t", description="d")
