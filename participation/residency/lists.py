"""A list of residents supplied by the authority, as keyed hashes: neither we nor a thief can read it.

A line is either `digest` (hashed at home with `manage.py hash_resident_list`) or nom, prenom, date_naissance,
hashed while it is read and never written down.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from defis.clock import database_now
from defis.models import Territory
from participation.identity.digests import list_digest
from participation.identity.models import Person
from participation.residency.models import ResidencyProof, ResidentList, ResidentListEntry
from participation.residency.services import VALIDITY, Method, ResidenceRefused, accept_proof

MAX_ERRORS = 20
CHUNK = 5_000


@dataclass
class Import:
    """What became of a file: lines kept, lines already there, and the first wrong ones (number, reason)."""

    resident_list: ResidentList | None = None
    kept: int = 0
    repeated: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)


def digests_of(lines: Iterable[str]) -> Iterator[tuple[int, str, str]]:
    """(line number, digest, "") or (line number, "", what is wrong) for each line; comma or semicolon."""
    lines = iter(lines)
    header = next(lines, "").lstrip("\ufeff")
    delimiter = ";" if header.count(";") >= header.count(",") else ","
    names = [name.strip().lower() for name in header.strip().split(delimiter)]
    if "digest" not in names and not {"nom", "prenom", "date_naissance"} <= set(names):
        yield 1, "", "columns: digest, or nom, prenom, date_naissance"
        return
    for number, row in enumerate(csv.DictReader(lines, fieldnames=names, delimiter=delimiter), start=2):
        yield number, *_digest_of_row({key: (row.get(key) or "").strip() for key in names})


def _digest_of_row(row: dict[str, str]) -> tuple[str, str]:
    if "digest" in row:
        digest = row["digest"].lower()
        return (digest, "") if re.fullmatch(r"[0-9a-f]{64}", digest) else ("", "not a digest of 64 digits")
    born = row["date_naissance"]
    if french := re.fullmatch(r"(\d{2})/(\d{2})/(\d{4})", born):
        born = "-".join(reversed(french.groups()))
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", born):
        return "", "date_naissance: 1986-05-14 or 14/05/1986"
    if not row["nom"] or not row["prenom"]:
        return "", "nom and prenom are needed"
    # Registers list every first name; FranceConnect and a person agree on the first.
    first_name = row["prenom"].replace(",", " ").split()[0]
    return list_digest(family_name=row["nom"], first_name=first_name, birthdate=born), ""


@transaction.atomic
def import_list(
    *, territory: Territory, label: str, lines: Iterable[str], by: Any, expires_at: datetime
) -> Import:
    """Read a whole file or nothing: with errors, `resident_list` is None and nothing was written."""
    done = Import()
    made = ResidentList.objects.create(
        territory=territory, label=label, imported_by=by, imported_at=database_now(), expires_at=expires_at
    )
    seen: set[str] = set()
    for number, digest, wrong in digests_of(lines):
        if wrong:
            done.errors.append((number, wrong))
            if len(done.errors) >= MAX_ERRORS:
                break
        elif digest in seen:
            done.repeated += 1
        else:
            seen.add(digest)
    if done.errors or not seen:
        transaction.set_rollback(True)
        done.errors = done.errors or [(1, "the file holds nobody")]
        return done
    ResidentListEntry.objects.bulk_create(
        (ResidentListEntry(resident_list=made, digest=digest) for digest in seen), batch_size=CHUNK
    )
    done.resident_list, done.kept = made, len(seen)
    return done


@transaction.atomic
def prove_from_list(*, person: Person, territory: Territory, digest: str) -> ResidencyProof:
    """Look the resident up, by the digest of her present sign-in. Raises ResidenceRefused `not_on_the_list`."""
    now = database_now()
    found = (
        ResidentListEntry.objects.filter(
            digest=digest or None, resident_list__territory=territory, resident_list__expires_at__gt=now
        )
        .order_by("-resident_list__expires_at")
        .values_list("resident_list__expires_at", flat=True)
        .first()
    )
    if found is None:
        raise ResidenceRefused(
            "not_on_the_list",
            _("We did not find you on the list of residents. You can prove your residence another way."),
        )
    return accept_proof(
        person=person,
        territory=territory,
        method=Method.LIST,
        expires_at=min(found, now + VALIDITY[Method.LIST]),
    )
