"""The hosted payment page: in French, usable without script, and never mistaken for a real bank."""

import re
from html import escape
from typing import Any
from urllib.parse import urlsplit

from standins.payments.bank import Bank, Refusal
from standins.payments.exchange import Reply, Request

STYLE = """
:root { color-scheme: light dark; font: 1.0625rem/1.5 system-ui, sans-serif; }
body { margin: 0; background: Canvas; color: CanvasText; }
.note { background: #5a3d00; color: #fff; padding: .75rem 1rem; text-align: center; font-weight: 700; }
main { max-width: 34rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { font-weight: 700; } dd { margin: 0; overflow-wrap: anywhere; }
.amount { font-size: 1.5rem; font-weight: 700; }
fieldset { border: 1px solid; border-radius: .5rem; padding: .5rem 1rem 1rem; margin: 0 0 1rem; }
legend { font-weight: 700; padding: 0 .25rem; }
.choice { display: grid; grid-template-columns: auto 1fr; gap: .25rem .75rem; padding: .5rem 0; }
.choice input { inline-size: 1.5rem; block-size: 1.5rem; margin: .1rem 0 0; }
.choice span { display: block; font-size: .9375rem; }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; }
button, .button { font: inherit; min-block-size: 2.75rem; padding: .5rem 1.25rem; border-radius: .5rem;
  border: 2px solid #0b5563; background: #0b5563; color: #fff; cursor: pointer; text-decoration: none;
  display: inline-block; box-sizing: border-box; }
button.quiet { background: Canvas; color: CanvasText; border-color: currentColor; }
:focus-visible { outline: 3px solid #b45309; outline-offset: 2px; }
.alert { border: 2px solid #b42318; border-radius: .5rem; padding: .75rem 1rem; margin: 0 0 1rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
"""
CHOICES = (
    ("accepted", "Carte acceptée", "Le paiement réussit tout de suite."),
    ("refused", "Carte refusée", "La banque dit non. Vous pourrez essayer une autre carte."),
    ("pending", "Carte en attente, puis acceptée", "La banque répond oui quelques secondes plus tard."),
    (
        "pending_refused",
        "Carte en attente, puis refusée",
        "La banque répond non quelques secondes plus tard.",
    ),
)
CLOSED = {
    "paid": "Ce paiement est déjà accepté. Rien d'autre ne sera pris.",
    "pending": "Ce paiement attend la réponse de la banque.",
    "failed": "Ce paiement a été refusé. Rien n'a été pris.",
    "abandoned": "Vous avez abandonné ce paiement. Rien n'a été pris.",
    "expired": "Cette page de paiement a expiré. Rien n'a été pris.",
}


def euros(cents: int) -> str:
    whole, rest = divmod(cents, 100)
    grouped = f"{whole:,}".replace(",", "\u202f")
    return f"{grouped},{rest:02d}\u00a0€" if rest else f"{grouped}\u00a0€"


def document(title: str, content: str, status: int = 200, form_to: str = "") -> Reply:
    html = (
        '<!doctype html><html lang="fr"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex"><link rel="icon" href="data:,">'
        f'<title>{escape(title)} – simulation</title><link rel="stylesheet" href="/style.css"></head>'
        '<body><header class="note">Simulation : aucune carte réelle, aucun argent réel.</header>'
        f"<main>{content}</main></body></html>"
    )
    policy = (
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self'{' ' + form_to if form_to else ''}"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    return Reply(status, html.encode(), "text/html; charset=utf-8", headers)


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    # Goes into a header: nothing but a scheme, a host and a port.
    return f"{parts.scheme}://{parts.netloc}" if re.fullmatch(r"[\w.:\[\]-]+", parts.netloc) else ""


class PaymentPage:
    def __init__(self, bank: Bank) -> None:
        self.bank = bank

    def home(self, request: Request) -> Reply:
        return document(
            "Prestataire de paiement",
            "<h1>Prestataire de paiement simulé</h1>"
            "<p>Ce programme joue le rôle d'un prestataire de paiement "
            "pour les démonstrations et les essais. Il ne touche à aucun argent.</p>"
            "<p>On y arrive depuis le site, au moment de payer.</p>"
            "<p>Pour le faire se tromper exprès, voir <code>docs/payments.md</code>.</p>",
        )

    def style(self, request: Request) -> Reply:
        return Reply(200, STYLE.encode(), "text/css; charset=utf-8", {"Cache-Control": "max-age=3600"})

    def show(self, request: Request) -> Reply:
        payment = self._payment(request)
        return self._form(payment) if payment else self._unknown()

    def submit(self, request: Request) -> Reply:
        payment = self._payment(request)
        if payment is None:
            return self._unknown()
        form = dict(request.form())
        if form.get("action") == "abandon":
            payment = self.bank.abandon(payment)
            return self._leave(payment)
        if not form.get("card"):
            return self._form(payment, "Choisissez une carte d'essai.", 422)
        try:
            payment = self.bank.play(payment, form["card"])
        except Refusal as refusal:
            return self._form(self.bank.again(payment), refusal.sentence, 409)
        if form["card"] == "refused" and payment["state"] == "created":
            return self._form(
                payment,
                "La banque a refusé cette carte. Rien n'a été pris. Essayez une autre carte, ou abandonnez.",
                402,
            )
        return self._leave(payment)

    def _payment(self, request: Request) -> dict[str, Any] | None:
        self.bank.tick()
        return self.bank.store.row("SELECT * FROM payment WHERE token = ?", request.args["token"])

    def _leave(self, payment: dict[str, Any]) -> Reply:
        left = payment["state"] in ("abandoned", "expired", "failed")
        url = (payment["cancel_url"] if left else "") or payment["return_url"]
        return Reply(303, b"", "text/plain", {"Location": url, "Cache-Control": "no-store"})

    def _unknown(self) -> Reply:
        return document(
            "Paiement inconnu",
            "<h1>Ce paiement n'existe pas</h1>"
            "<p>L'adresse est incomplète, ou la simulation a été remise à zéro. "
            "Revenez sur le site et recommencez.</p>",
            404,
        )

    def _form(self, payment: dict[str, Any], error: str = "", status: int = 200) -> Reply:
        facts = (
            f'<dl><dt>Montant</dt><dd class="amount">{euros(payment["amount"])}</dd>'
            f"<dt>Pour</dt><dd>{escape(payment['title']) or 'non précisé'}</dd>"
            f"<dt>Référence</dt><dd>{escape(payment['reference']) or 'aucune'}</dd></dl>"
        )
        if payment["state"] != "created":
            back = (payment["cancel_url"] if payment["state"] != "paid" else "") or payment["return_url"]
            return document(
                "Paiement",
                f"<h1>Paiement</h1>{facts}<p>{CLOSED[payment['state']]}</p>"
                f'<p><a class="button" href="{escape(back)}">Retourner sur le site</a></p>',
            )
        alert = f'<div class="alert" role="alert" id="erreur"><p>{escape(error)}</p></div>' if error else ""
        described = ' aria-describedby="erreur"' if error else ""
        choices = "".join(
            f'<div class="choice"><input type="radio" name="card" id="card-{value}" value="{value}"'
            f"{' checked' if value == 'accepted' else ''}>"
            f'<label for="card-{value}">{escape(name)}<span>{escape(what)}</span></label></div>'
            for value, name, what in CHOICES
        )
        return document(
            f"Payer {euros(payment['amount'])}",
            f"<h1>Payer {euros(payment['amount'])}</h1>{alert}{facts}"
            f'<form method="post" action="/payer/{payment["token"]}">'
            f"<fieldset{described}><legend>Carte d'essai</legend>{choices}</fieldset>"
            '<div class="actions"><button name="action" value="pay">Payer '
            f"{euros(payment['amount'])}</button>"
            '<button class="quiet" name="action" value="abandon">Abandonner</button></div></form>',
            status,
            " ".join(sorted({origin_of(payment["return_url"]), origin_of(payment["cancel_url"])} - {""})),
        )
