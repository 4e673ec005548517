"""States of the gallery `/_pb/etats/`: what the browser tests look at, and what shows a component's use.

Other rooms add theirs with the hook `abonde_gallery_states`. The contents are samples, in the pages' first
language; they are not part of the interface and are not translated.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest

from theme.components import CallToAction, Link, Row, Source, Step, chart_bars, funding_bar
from theme.forms import PublicForm
from theme.panels import panels

SAMPLE_MOMENT = datetime(2026, 11, 22, 13, 5, tzinfo=UTC)


@dataclass(frozen=True)
class State:
    """One thing to look at: a template and what it shows."""

    code: str
    title: str
    template: str
    context: dict[str, Any] = field(default_factory=dict)


class SampleForm(PublicForm):
    """Every kind of field that residents meet."""

    amount = forms.CharField(
        label="Montant, en euros",
        help_text="De 1 € à 200 €. Par exemple 20.",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "class": "pb-input--short"}),
        error_messages={"required": "Écrivez un montant en euros, par exemple 20."},
    )
    display = forms.ChoiceField(
        label="Votre nom sur la page du projet",
        choices=[("hidden", "Ne pas montrer mon nom"), ("shown", "Montrer ce nom")],
        widget=forms.RadioSelect,
        initial="hidden",
        error_messages={"required": "Choisissez une réponse."},
    )
    commune = forms.ChoiceField(
        label="Commune",
        choices=[("", "Choisissez"), ("67482", "Strasbourg"), ("68224", "Mulhouse")],
        required=False,
    )
    message = forms.CharField(
        label="Message à l’équipe", widget=forms.Textarea(attrs={"rows": 3}), required=False
    )
    agree = forms.BooleanField(
        label="J’habite en Alsace et je le déclare sur l’honneur.",
        error_messages={"required": "Cochez la case pour continuer."},
    )


def states(request: HttpRequest) -> list[State]:
    """The components of the theme, then the states of the other rooms."""
    return [*_components(), *_bars(), *panels("abonde_gallery_states", request)]


def _components() -> Iterator[State]:
    yield State("boutons", "Boutons", "theme/states/buttons.html")
    for kind, title in (
        ("info", "La collecte ouvre le 2 mars 2027."),
        ("success", "Votre choix est enregistré."),
        ("warning", "FranceConnect ne répond pas."),
        ("error", "Le paiement n’a pas marché."),
    ):
        context = {"kind": kind, "title": title, "text": "Vous pouvez déjà lire les projets."}
        yield State(f"avis-{kind}", f"Avis : {kind}", "theme/components/notice.html", context)
    yield State(
        "formulaire", "Formulaire", "theme/states/form.html", {"form": SampleForm(auto_id="id_ok_%s")}
    )
    refused = SampleForm({"amount": "", "commune": ""}, auto_id="id_ko_%s")
    yield State("formulaire-erreurs", "Formulaire refusé", "theme/states/form.html", {"form": refused})
    yield State(
        "recapitulatif",
        "Liste récapitulative",
        "theme/components/summary_list.html",
        {
            "rows": [
                Row("Projet", "Le jardin des voisins"),
                Row("Montant", "20 €", "#recapitulatif", "le montant"),
                Row("Votre nom", "Il ne sera pas montré.", "#recapitulatif", "votre nom"),
            ]
        },
    )
    yield State(
        "etapes",
        "Étapes",
        "theme/components/steps.html",
        {
            "label": "Calendrier",
            "steps": [
                Step("Dépôt des projets", "done", "du 1er au 31 octobre"),
                Step("Collecte", "current", "jusqu’au 4 décembre à 20 h 00"),
                Step("Résultats", "todo", "le 12 décembre"),
            ],
        },
    )
    for kind in ("primary", "secondary", "link", "none"):
        action = CallToAction(
            kind,
            "Vous pourrez vous connecter à l’étape suivante.",
            "" if kind == "none" else "Contribuer à ce projet",
            "" if kind == "none" else "#boutons",
            kind,
        )
        yield State(
            f"action-{kind}",
            f"Appel à agir : {kind}",
            "theme/components/call_to_action.html",
            {"action": action},
        )
    yield State(
        "cartes",
        "Cartes",
        "theme/states/cards.html",
        {
            "cards": [
                {
                    "title": "Le jardin des voisins",
                    "url": "#cartes",
                    "meta": "Mulhouse",
                    "text": "Un jardin pour tous.",
                },
                {
                    "title": "Un vélo pour chaque école",
                    "url": "#cartes",
                    "meta": "Colmar",
                    "tag": "Seuil atteint",
                },
            ]
        },
    )
    headers = [("Projet", False), ("Habitants", True), ("Aide", True), ("Décision", False)]
    rows = [
        ["Le jardin des voisins", "2 080 €", "4 160 €", "financé"],
        ["Un vélo pour chaque école", "912,50 €", "0 €", "remboursé"],
    ]
    table = {"caption": "Résultats de la campagne", "headers": headers, "rows": rows}
    yield State("tableau", "Tableau", "theme/components/table.html", table)
    yield State(
        "tableau-cartes",
        "Tableau en cartes",
        "theme/components/table.html",
        {**table, "caption": "Mes contributions", "cards": True},
    )
    yield State(
        "graphique",
        "Graphique",
        "theme/components/chart.html",
        {
            "caption": "Mulhouse donne le plus.",
            "bars": chart_bars([("Mulhouse", 208_000, "2 080 €"), ("Colmar", 91_250, "912,50 €")]),
            "headers": [("Commune", False), ("Montant", True)],
            "rows": [["Mulhouse", "2 080 €"], ["Colmar", "912,50 €"]],
        },
    )
    page = Paginator(range(199), 12).page(5)
    yield State(
        "pagination", "Pagination", "theme/components/pagination.html", {"page_obj": page, "label": "projets"}
    )
    yield State("etiquettes", "Étiquettes d’état", "theme/states/tags.html")
    for kind, title in (
        ("success", "Merci ! Votre contribution est enregistrée"),
        ("waiting", "Nous attendons la réponse de la banque"),
        ("error", "Le paiement n’a pas marché"),
    ):
        panel: dict[str, Any] = {"kind": kind, "title": title, "reference": "7K2M9QXWPC", "level": 3}
        yield State(f"panneau-{kind}", f"Panneau : {kind}", "theme/components/panel.html", panel)
    figures = [
        {"label": "Habitants qui soutiennent", "value": "143"},
        {"label": "Jours restants", "value": "12"},
    ]
    yield State("chiffres", "Chiffres clés", "theme/blocks/key_figures.html", {"value": figures})
    links = [Link("Lire les projets", "#liens"), Link("Se déconnecter", "#liens")]
    yield State("liens", "Liste de liens", "theme/states/links.html", {"links": links})
    yield State("session", "Fin de session", "theme/states/session.html")


def _bars() -> Iterator[State]:
    """The funding bar, from the first day to the publication. Goal 10 000 €, threshold 7 500 €."""
    given: dict[str, Any] = {"goal_cents": 1_000_000, "threshold_cents": 750_000}
    decided = [Source("company", "Entreprises", 208_000), Source("authority", "Collectivité", 208_000)]
    for code, title, figures in (
        ("vide", "rien encore", (0, None, None)),
        ("fourchette", "aide en fourchette", (208_000, 150_000, 320_000)),
        ("exacte", "aide exacte", (208_000, 416_000, 416_000)),
        ("seuil", "seuil atteint", (780_000, 0, 0)),
        ("depasse", "objectif dépassé", (1_240_050, None, None)),
    ):
        citizens, low, high = figures
        bar = funding_bar(**given, citizens_cents=citizens, aid_low_cents=low, aid_high_cents=high)
        yield _bar(code, title, bar)
    yield _bar(
        "decide", "aide décidée", funding_bar(**given, citizens_cents=208_000, matches=decided), final=True
    )
    bar = funding_bar(**given, citizens_cents=208_000, threshold_on_citizens=True)
    yield _bar("carte", "dans une carte", bar, compact=True)


def _bar(code: str, title: str, bar: Any, *, final: bool = False, compact: bool = False) -> State:
    context = {"bar": bar, "as_of": SAMPLE_MOMENT, "final": final, "compact": compact}
    return State(f"jauge-{code}", f"Jauge : {title}", "theme/components/funding_bar.html", context)
