"""What the dossier says to the public, in French then in English."""

from __future__ import annotations

from .. import problem as p

_FORMS_FR = {
    "gifts": "les dons un par un, sous des pseudonymes qui ne servent que pour cette édition",
    "unlinked": "les dons un par un, sous des pseudonymes qui changent d'un projet à l'autre",
    "statistics": "trois sommes par projet (S, C, n), car un projet a moins de cinq donateurs",
}
_FORMS_EN = {
    "gifts": "the gifts one by one, under pseudonyms that serve for this round only",
    "unlinked": "the gifts one by one, under pseudonyms that change from one project to the next",
    "statistics": "three sums per project (S, C, n), because a project has fewer than five donors",
}

_TEXT = """\
{title}
{underline}

Ce dossier permet à toute personne de refaire le partage de l'argent complémentaire,
au centime près, sans rien nous demander.

CE QU'IL CONTIENT
  rules.txt        le règlement, tel qu'il a été publié
  parameters.json  les projets, leurs objectifs, les enveloppes et leurs règles
  input.json       {form_fr}
  result.json      le résultat : ce que reçoit chaque projet, ce que verse chaque financeur
  leaves.txt       une empreinte par contribution (elle ne révèle ni la personne ni le montant)
  manifest.json    les empreintes de ces fichiers et la racine de Merkle
  verifier/        le programme de vérification, en Python et en JavaScript

VÉRIFIER (Python 3.11 ou plus récent, rien d'autre à installer)
  1. Décompressez le dossier, ouvrez un terminal dans le sous-dossier verifier, puis tapez :
       python -m fundmatch verify CHEMIN/VERS/LE/DOSSIER.zip
     Ou, avec Node.js : node verify.mjs CHEMIN/VERS/LE/DOSSIER.zip
     Réponse : « identical » (identique), ou « differs » (différent) avec la première différence.
  2. Comparez l'empreinte affichée avec celle de la page des résultats, de la délibération
     ou d'un journal. C'est indispensable : voir plus bas.
     Empreinte des données (input_sha256) :
       {input_sha256}
     Empreinte du résultat (result_sha256) :
       {result_sha256}
     Racine de Merkle des contributions :
       {merkle_root}

CE QUE CELA PROUVE
  - Le résultat découle exactement de ces données et de ces règles : aucun centime n'a été
    déplacé à la main. Un programme indépendant trouve la même chose.
  - Si l'empreinte est celle qui a été publiée ailleurs, le dossier n'a pas changé depuis.
  - Avec votre reçu, vous vérifiez que votre contribution est dans la racine de Merkle :
       python -m fundmatch verify DOSSIER.zip --receipt recu.json

CE QUE CELA NE PROUVE PAS
  - Que les données d'entrée sont vraies. Une personne qui changerait les dons, recalculerait
    tout et referait les empreintes obtiendrait un dossier « identique » à lui-même. Seules
    la comparaison avec une empreinte publiée ailleurs et les reçus des donateurs l'empêchent.
  - Qu'un pseudonyme est une vraie personne, ni que deux pseudonymes sont deux personnes :
    c'est le travail de la collectivité, contrôlé par l'auditeur.
  - Qu'aucune contribution ne manque, sauf celles dont le donateur montre le reçu.
  - Que les virements ont été faits : cela se lit dans les comptes, pas ici.
  - Le programme contenu dans ce dossier vaut ce que vaut le dossier. Pour une vérification
    indépendante, prenez-le plutôt à sa source publique, ou réécrivez-le : le calcul tient en
    une page (docs/calculation.md, « fundmatch/1 »).

VIE PRIVÉE
  Les pseudonymes et les empreintes sont calculés avec une clé secrète propre à cette édition.
  {key_fr}
  Un montant rare peut suffire à reconnaître quelqu'un : quand un projet a peu de donateurs,
  seules trois sommes sont publiées, ou les pseudonymes changent d'un projet à l'autre.
  Avec un seul donateur, la somme de son projet est aussi son don ; avec deux, les deux dons
  se déduisent des sommes. Leur nom, jamais.

----------------------------------------------------------------------------------------

This dossier lets anyone redo the sharing of the complementary money, to the cent, without
asking us anything.

WHAT IS IN IT
  rules.txt        the rules as they were published
  parameters.json  the projects, their goals, the pots and their rules
  input.json       {form_en}
  result.json      the result: what each project receives, what each funder pays
  leaves.txt       one fingerprint per contribution (it tells neither the person nor the amount)
  manifest.json    the fingerprints of these files and the Merkle root
  verifier/        the verifying program, in Python and in JavaScript

TO VERIFY (Python 3.11 or later, nothing else to install)
  1. Unzip, open a terminal in the folder verifier, and type:
       python -m fundmatch verify PATH/TO/DOSSIER.zip
     Or, with Node.js: node verify.mjs PATH/TO/DOSSIER.zip
     It answers "identical", or "differs" with the first difference.
  2. Compare the fingerprints it shows with those of the results page, of the council's
     decision or of a newspaper. Do not skip this: see below.

WHAT THIS PROVES
  - The result follows exactly from these data and these rules: not one cent was moved by
    hand. An independent program finds the same.
  - If the fingerprint is the one published elsewhere, the dossier has not changed since.
  - With your receipt, you check that your contribution is in the Merkle root:
       python -m fundmatch verify DOSSIER.zip --receipt receipt.json

WHAT IT DOES NOT PROVE
  - That the data are true. Someone who altered the gifts, computed everything again and
    renewed the fingerprints would have a dossier that is "identical" to itself. Only the
    comparison with a fingerprint published elsewhere, and the donors' receipts, prevent it.
  - That a pseudonym is a real person, or that two pseudonyms are two people: that is the
    authority's work, checked by the auditor.
  - That no contribution is missing, except those whose donor shows the receipt.
  - That the transfers were made: the accounts tell, not this.
  - The program in this dossier is worth what the dossier is worth. To be independent, take
    it from its public source, or write it again: the calculation fits on one page
    (docs/calculation.md, "fundmatch/1").

PRIVACY
  Pseudonyms and fingerprints are made with a secret key of this round.
  {key_en}
  A rare amount may be enough to recognise someone: where a project has few donors, only
  three sums are published, or pseudonyms change from one project to the next. With one
  donor, the sum of the project is also the gift; with two, both gifts follow from the sums.
  Their names, never.

{spec}
"""


def readme_text(
    *,
    title: str,
    form: str,
    key_destroyed: bool,
    input_sha256: str,
    result_sha256: str,
    merkle_root: str,
) -> str:
    """Return the README of a dossier; `form` is gifts, unlinked or statistics."""
    if key_destroyed:
        key_fr = "Cette clé a été détruite : plus personne ne peut relier un pseudonyme à une personne."
        key_en = "That key was destroyed: nobody can link a pseudonym to a person any more."
    else:
        key_fr = "La collectivité garde cette clé, pour répondre aux donateurs et à la justice."
        key_en = "The authority keeps that key, to answer donors and the courts."
    return _TEXT.format(
        title=title,
        underline="=" * len(title),
        form_fr=_FORMS_FR[form],
        form_en=_FORMS_EN[form],
        key_fr=key_fr,
        key_en=key_en,
        input_sha256=input_sha256,
        result_sha256=result_sha256,
        merkle_root=merkle_root,
        spec=p.SPEC,
    )
