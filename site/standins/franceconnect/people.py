"""Invented people. Civil facts as FranceConnect gives them; `home` is for the reader of the page, never sent."""

from typing import Any

FRANCE = "99100"
# People who share an address share an e-mail: it never identifies anybody.
SHARED = "famille.keller@example.org"

PEOPLE: dict[str, dict[str, Any]] = {
    "claire": {
        "given_name_array": ["Claire", "Angèle"],
        "family_name": "MULLER",
        "birthdate": "1986-05-14",
        "gender": "female",
        "birthplace": "67482",
        "birthcountry": FRANCE,
        "email": "claire.muller@example.org",
        "home": "67600 Sélestat",
    },
    "jose": {
        # A first name with a space in it: the list tells where it ends.
        "given_name_array": ["José Maria", "Noël"],
        "family_name": "LEFÈVRE-ŒHLER",
        "birthdate": "1972-11-02",
        "gender": "male",
        "birthplace": "68066",
        "birthcountry": FRANCE,
        "email": "jose.lefevre@example.org",
        "home": "68000 Colmar",
    },
    "amina": {
        "given_name_array": ["Amina"],
        "family_name": "BENSAÏD",
        "preferred_username": "KELLER",
        "birthdate": "1990-03-27",
        "gender": "female",
        # Born abroad: the commune is empty, the country is not.
        "birthplace": "",
        "birthcountry": "99352",
        "email": SHARED,
        "home": "68100 Mulhouse",
    },
    "thomas": {
        "given_name_array": ["Thomas", "Émile"],
        "family_name": "KELLER",
        "birthdate": "1988-09-09",
        "gender": "male",
        "birthplace": "68224",
        "birthcountry": FRANCE,
        "email": SHARED,
        "home": "68100 Mulhouse",
    },
    "zoe": {
        "given_name_array": ["Zoé"],
        "family_name": "KELLER",
        "birthdate": "2012-06-30",
        "gender": "female",
        "birthplace": "68224",
        "birthcountry": FRANCE,
        "email": "zoe.keller@example.org",
        "home": "68100 Mulhouse",
    },
    "joseph": {
        "given_name_array": ["Joseph"],
        "family_name": "SCHMITT",
        # Only the year is known: presumed to be the first of January.
        "birthdate": "1941-01-01",
        "gender": "male",
        "birthplace": "67180",
        "birthcountry": FRANCE,
        "email": "joseph.schmitt@example.org",
        "home": "67500 Haguenau",
    },
    "francoise": {
        "given_name_array": ["Marie-Françoise", "Odile", "Léonie"],
        "family_name": "D'ANDLAU-ZU RHEIN",
        "preferred_username": "WEISS",
        "birthdate": "1959-02-28",
        "gender": "female",
        "birthplace": "2A004",
        "birthcountry": FRANCE,
        "email": "mf.weiss@example.org",
        "home": "67230 Benfeld",
    },
    "henri": {
        "given_name_array": ["Henri"],
        "family_name": "WALTER",
        "birthdate": "1965-12-12",
        "gender": "male",
        "birthplace": "67462",
        "birthcountry": FRANCE,
        "email": "henri.walter@example.org",
        "home": "67600 Sélestat",
    },
    "lucie": {
        "given_name_array": ["Lucie"],
        "family_name": "MOREAU",
        "birthdate": "1995-07-19",
        "gender": "female",
        "birthplace": "69383",
        "birthcountry": FRANCE,
        "email": "lucie.moreau@example.org",
        "home": "69003 Lyon, hors de l'Alsace",
    },
}
SENT = ("given_name", "given_name_array", "family_name", "preferred_username", "birthdate", "gender", "birthplace",
        "birthcountry", "email")  # fmt: skip
PIVOT = ("given_name", "given_name_array", "family_name", "birthdate", "gender", "birthplace", "birthcountry")
SCOPES: dict[str, tuple[str, ...]] = {
    "openid": (),
    "given_name": ("given_name", "given_name_array"),
    "profile": ("given_name", "given_name_array", "family_name", "birthdate", "gender", "preferred_username"),
    "birth": ("birthplace", "birthcountry"),
    "identite_pivot": PIVOT,
    **{name: (name,) for name in SENT if not name.startswith("given_name")},
}


def civil(person: dict[str, Any]) -> dict[str, Any]:
    """What FranceConnect may send about this person."""
    facts = {"given_name": " ".join(person["given_name_array"]), **person}
    return {name: facts[name] for name in SENT if name in facts}


def particularities(person: dict[str, Any]) -> str:
    """Who it is, for the page: what makes this person worth trying."""
    notes = []
    if person["birthcountry"] != FRANCE:
        notes.append("naissance à l'étranger")
    if person["birthdate"].endswith("-01-01"):
        notes.append("date de naissance présumée")
    if person["birthdate"] > "2010":
        notes.append("moins de 18 ans")
    if person["email"] == SHARED:
        notes.append("partage son adresse électronique")
    if person.get("preferred_username"):
        notes.append(f"nom d'usage {person['preferred_username']}")
    return ", ".join(notes)
