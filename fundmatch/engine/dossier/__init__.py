"""The published dossier of a round: one zip from which a stranger redoes the result.

README.txt          for the public, French then English
rules.txt           the rules of the campaign as they were published
parameters.json     projects, pots, threshold
input.json          the gifts under pseudonyms, or (S, C, n) per project: exactly
                    the bytes whose SHA-256 is the `input_sha256` of the result
result.json         the result
leaves.txt          the hashes of the contributions, sorted (salted: they tell nothing)
manifest.json       the digests of all of them, the Merkle root
verifier/…          the source of this program, and of its twin in JavaScript
"""

from .pseudonyms import pseudonym, pseudonymise
from .receipts import receipt_leaves, receipt_proof, receipt_salt
from .verifying import Verification, verify_dossier, verify_receipt
from .writing import DossierInfo, write_dossier

__all__ = [
    "DossierInfo",
    "Verification",
    "pseudonym",
    "pseudonymise",
    "receipt_leaves",
    "receipt_proof",
    "receipt_salt",
    "verify_dossier",
    "verify_receipt",
    "write_dossier",
]
