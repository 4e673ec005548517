"""Components by what they say: bar, contrast, forms."""

import pytest
from django import forms
from django.template.loader import render_to_string
from django.utils import translation

from theme.components import Source, funding_bar
from theme.contrast import contrast, readable, text_on
from theme.forms import PublicForm


def french(text: str) -> str:
    return text.replace("\xa0", " ")


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        # Known pairs: WCAG's own extremes, and greys published by WebAIM (#767676 is the lightest AA grey).
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#767676", "#ffffff", 4.54),
        ("#777777", "#ffffff", 4.48),
        ("#ff0000", "#ffffff", 4.0),
    ],
)
def test_contrast_agrees_with_published_pairs(one, other, ratio):
    assert contrast(one, other) == pytest.approx(ratio, abs=0.01)
    assert contrast(other, one) == pytest.approx(ratio, abs=0.01)


@pytest.mark.parametrize("background", ["#f4f5f7", "#1f242c"])
@pytest.mark.parametrize(
    "colour", ["#ffcc00", "#8bc34a", "#e4002b", "#0b4f9e", "#000000", "#ffffff", "#808080"]
)
def test_any_brand_becomes_readable_on_any_page(colour, background):
    used = readable(colour, background)
    assert contrast(used, background) >= 4.5
    assert contrast(text_on(used), used) >= 4.5
    assert readable(used, background) == used


def bar(**figures):
    with translation.override("fr"):
        return funding_bar(**{"goal_cents": 1_000_000, "threshold_cents": 750_000, **figures})


def test_the_bar_keeps_the_estimate_outside_the_money_received():
    drawn = bar(citizens_cents=208_000, aid_low_cents=150_000, aid_high_cents=320_000)
    assert drawn.received_cents == 208_000
    assert drawn.percent == 20
    assert [(p.kind, p.x, p.width) for p in drawn.parts] == [("citizens", "0.00%", "20.80%")]
    assert [(p.kind, p.x, p.width) for p in drawn.estimate] == [
        ("aid", "20.80%", "15.00%"),
        ("aid-high", "35.80%", "17.00%"),
    ]
    assert drawn.threshold_x == "75.00%"
    # 7 500 - 2 080 - 3 200 = 2 220; 7 500 - 2 080 - 1 500 = 3 920.
    assert "entre 2 220 € et 3 920 €" in french(drawn.threshold_sentence)


def test_the_bar_draws_sources_in_one_order_and_never_passes_its_end():
    matches = [Source("authority", "Collectivité", 416_000), Source("company", "Entreprises", 416_000)]
    drawn = bar(citizens_cents=416_000, matches=matches)
    assert [row.kind for row in drawn.rows] == ["citizens", "company", "authority"]
    assert drawn.percent == 124
    assert drawn.goal_x == "80.12%"  # 10 000 / 12 480
    ends = [float(p.x[:-1]) + float(p.width[:-1]) for p in drawn.parts]
    assert max(ends) <= 100
    assert "est atteint" in drawn.threshold_sentence


@pytest.mark.parametrize(
    ("figures", "sentence"),
    [
        ({"citizens_cents": 0}, "Il manque 7 500 € pour atteindre le seuil de 7 500 €."),
        ({"citizens_cents": 749_999}, "Il manque 0,01 € pour atteindre le seuil de 7 500 €."),
        ({"citizens_cents": 750_000}, "Le seuil de 7 500 € est atteint."),
        (
            {"citizens_cents": 250_000, "aid_low_cents": 500_000, "aid_high_cents": 500_000},
            "Avec l’aide estimée aujourd’hui, le seuil de 7 500 € est atteint.",
        ),
        (
            {"citizens_cents": 250_000, "aid_low_cents": 100_000, "aid_high_cents": 600_000},
            "Avec l’aide estimée aujourd’hui, il manque au plus 4 000 € pour atteindre le seuil de 7 500 €.",
        ),
        # The estimate does not count for a threshold measured on residents' money.
        (
            {
                "citizens_cents": 250_000,
                "aid_low_cents": 500_000,
                "aid_high_cents": 500_000,
                "threshold_on_citizens": True,
            },
            "Il manque 5 000 € pour atteindre le seuil de 7 500 €.",
        ),
        ({"citizens_cents": 250_000, "threshold_cents": None}, ""),
    ],
)
def test_the_bar_says_in_euros_what_is_missing(figures, sentence):
    assert french(bar(**figures).threshold_sentence) == sentence


class ExampleForm(PublicForm):
    amount = forms.CharField(
        label="Montant", help_text="De 1 € à 200 €", error_messages={"required": "Écrivez un montant."}
    )
    display = forms.ChoiceField(label="Nom", choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect)


def test_a_refused_form_says_its_errors_twice_in_the_same_words_and_links_them():
    form = ExampleForm({})
    with translation.override("fr"):
        summary = render_to_string("theme/components/error_summary.html", {"form": form})
        html = form.render()
    assert "Il y a 2 erreurs à corriger" in summary
    assert '<a href="#id_amount">Écrivez un montant.</a>' in summary
    assert '<a href="#id_display_0">' in summary and 'id="id_display_0"' in html
    assert 'id="id_amount_error"' in html and "Écrivez un montant." in html
    assert 'aria-describedby="id_amount_helptext id_amount_error"' in html
    assert html.count('aria-invalid="true"') >= 1
    assert "<fieldset" in html and "<legend>Nom</legend>" in html


def test_a_form_shows_what_people_typed_without_letting_it_act():
    html = ExampleForm({"amount": '"><script>alert(1)</script>'}).render()
    assert "<script>" not in html
