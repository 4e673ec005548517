"""Pages of the stand-in: plain, in French, usable with a keyboard and a screen reader; they say « simulation »."""

from html import escape
from typing import Any

from standins.franceconnect.faults import FAULTS
from standins.franceconnect.people import particularities

STYLE = """
:root { color-scheme: light dark; font: 1.0625rem/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 42rem; padding: 1rem; }
.banner { border: 2px solid; padding: .5rem 1rem; }
ul { list-style: none; padding: 0; }
li { margin: .5rem 0; }
button { font: inherit; padding: .6rem 1rem; min-height: 2.75rem; cursor: pointer; text-align: left; width: 100%; }
button:focus-visible, select:focus-visible, summary:focus-visible { outline: 3px solid; outline-offset: 3px; }
select { font: inherit; padding: .4rem; max-width: 100%; }
small { display: block; }
"""


def page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="fr"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)} – simulation</title><link rel="icon" href="data:,">'
        f"<style>{STYLE}</style></head><body>"
        '<header><p class="banner"><strong>Simulation.</strong> Ce site n\'est pas FranceConnect. '
        "Il remplace FranceConnect pour une démonstration. Les personnes sont inventées.</p></header>"
        f"<main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


def error_page(code: str, sentence: str) -> str:
    """Where a wrong request ends: like at FranceConnect, the browser does not come back."""
    return page(
        "La demande est refusée",
        f"<p>Code d'erreur : <strong>{escape(code)}</strong></p><p>{escape(sentence)}</p>",
    )


def choice_page(action: str, uid: str, people: dict[str, dict[str, Any]], service: str) -> str:
    items = []
    for key, person in people.items():
        name = f"{' '.join(person['given_name_array'])} {person['family_name']}"
        born = "née" if person["gender"] == "female" else "né"
        day = "/".join(reversed(person["birthdate"].split("-")))
        about = ", ".join(filter(None, [f"{born} le {day}", particularities(person)]))
        home = (
            f"<small>Habite : {escape(person['home'])} (non transmis)</small>" if person.get("home") else ""
        )
        items.append(
            f'<li><button name="who" value="{escape(key)}">{escape(name)}<small>{escape(about)}</small>{home}</button></li>'
        )
    options = "".join(f'<option value="{key}">{escape(label)}</option>' for key, label in FAULTS.items())
    return page(
        "Qui êtes-vous ?",
        f"<p>Le service <strong>{escape(service)}</strong> demande qui vous êtes. Choisissez une personne inventée.</p>"
        f'<form method="post" action="{escape(action)}"><input type="hidden" name="uid" value="{escape(uid)}">'
        f"<ul>{''.join(items)}</ul>"
        "<details><summary>Provoquer une panne</summary>"
        '<p><label for="fault">Mauvaise réponse pour cette connexion</label> '
        f'<select id="fault" name="fault"><option value="">Aucune</option>{options}</select></p></details>'
        '<p><button name="abort" value="1">Revenir au service sans me connecter</button></p></form>',
    )
