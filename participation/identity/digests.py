"""Keyed hashes: what lets us recognise a human without writing down who she is.

Every digest is HMAC-SHA-256 under ABONDE_PSEUDONYM_KEY, with its purpose in the message, so that two
purposes never share a value. Changing that key resets every limit and every list: it is not SECRET_KEY, which
may rotate.
"""

import hashlib
import hmac
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.conf import settings

from participation.identity.providers import Provider

CIVIL_FACTS = ("given_name", "family_name", "birthdate", "gender", "birthplace", "birthcountry")


def keyed_digest(purpose: str, *parts: str) -> str:
    """64 hexadecimal digits; `parts` may hold anything, their borders cannot be confused."""
    message = b"\x1f".join(part.encode() for part in (purpose, *parts))
    return hmac.new(settings.ABONDE_PSEUDONYM_KEY.encode(), message, hashlib.sha256).hexdigest()


def letters_of(text: str) -> str:
    """Capital letters without accents, spaces, hyphens or apostrophes: two registers spell one name alike."""
    decomposed = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("Œ", "OE").replace("ß", "ss"))
    return "".join(c for c in decomposed.upper() if c.isalpha())


def civil_facts(provider: Provider, claims: Mapping[str, Any]) -> dict[str, str]:
    """The civil identity as text, under our names; absent facts are absent.

    `given_name` comes from the list when there is one: a first name may contain a space.
    """
    facts = {}
    for name in CIVIL_FACTS:
        value = claims.get(provider.pivot_claims.get(name, name))
        if name == "given_name" and isinstance(claims.get("given_name_array"), list):
            value = " ".join(str(item) for item in claims["given_name_array"])
        if isinstance(value, str):
            facts[name] = value.strip()
    return facts


def pivot_digest(provider: Provider, claims: Mapping[str, Any]) -> str:
    """Digest of the identité pivot, "" when the provider does not give all of it or is not trusted for it."""
    facts = civil_facts(provider, claims)
    needed = ("given_name", "family_name", "birthdate", "gender", "birthcountry")
    # Birthplace is empty for who was born abroad, but the claim is there.
    if not provider.trust_pivot or not all(facts.get(name) for name in needed) or "birthplace" not in facts:
        return ""
    return keyed_digest(
        "pivot/1",
        letters_of(facts["given_name"]),
        letters_of(facts["family_name"]),
        facts["birthdate"],
        facts["gender"].lower(),
        facts["birthplace"].upper(),
        facts["birthcountry"].upper(),
    )


def list_digest(*, family_name: str, first_name: str, birthdate: str) -> str:
    """Digest of a line of a residents' list: birth name, FIRST first name, date (YYYY-MM-DD).

    Under ABONDE_LIST_KEY, which an authority may hold too in order to hash its list at home.
    """
    key = settings.ABONDE_LIST_KEY or settings.ABONDE_PSEUDONYM_KEY
    message = "\x1f".join(["list/1", letters_of(family_name), letters_of(first_name), birthdate])
    return hmac.new(key.encode(), message.encode(), hashlib.sha256).hexdigest()


def list_digest_of_claims(provider: Provider, claims: Mapping[str, Any]) -> str:
    """The same for who has just signed in; "" when the provider does not give all three facts."""
    facts = civil_facts(provider, claims)
    if not all(facts.get(name) for name in ("family_name", "given_name", "birthdate")):
        return ""
    names = claims.get("given_name_array")
    first_name = str(names[0]) if isinstance(names, list) and names else facts["given_name"].split()[0]
    return list_digest(family_name=facts["family_name"], first_name=first_name, birthdate=facts["birthdate"])


def voter_digest(campaign_reference: str, *identity: str) -> str:
    """Digest of a human in one campaign only: digests of two campaigns cannot be compared."""
    return keyed_digest("voter/1", campaign_reference, *identity)


def latest_birth(birthdate: str) -> date | None:
    """Latest day that a transmitted birth date can mean; None when it means nothing.

    Month or day unknown may come as 00: the latest one is the only one that proves an age.
    FranceConnect sends presumed dates as the first of the month or of January: those are taken as written,
    as the register's own word.
    """
    try:
        year, month, day = (int(part) for part in birthdate.split("-"))
        if not month:
            return date(year, 12, 31)
        if day:
            return date(year, month, day)
        following = date(year + month // 12, month % 12 + 1, 1)
        return date.fromordinal(following.toordinal() - 1)
    except ValueError:
        return None


def age_on(birth: date, today: date) -> int:
    """Whole years; somebody born on 29 February ages on 1 March of other years."""
    return today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))
