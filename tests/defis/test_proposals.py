"""The holder's form, from the first question to the answer, through HTTP."""

import re

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from wagtail import hooks

from defis.models import Campaign, Phase, Project, ProjectPage, Proposal, ProposalPiece, Role
from defis.services.pages import install_preselection
from tests.defis.world import make_world

pytestmark = pytest.mark.django_db

YES = {"place": "yes", "holder": "yes", "general_interest": "yes", "amount": "yes"}
PDF = b"%PDF-1.7\nrien"


@pytest.fixture
def person(client) -> User:
    user = User.objects.create_user("marie", email="marie@example.org")
    client.force_login(user)
    return user


@pytest.fixture
def told():
    """What other rooms are asked to tell."""
    heard: list[tuple[str, dict]] = []
    with hooks.register_temporarily("abonde_notify", lambda kind, context: heard.append((kind, context))):
        yield heard


def errors(response) -> list[str]:
    """Sentences of the error summary, in order."""
    found = re.search(r"data-pb-errors.*?</div>", response.content.decode(), re.S)
    return re.findall(r'<a href="[^"]*">([^<]*)</a>', found[0]) if found else []


def spaces(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ").replace("’", "'").replace("&#x27;", "'")


def begin(client, world) -> Proposal:
    client.post(f"/proposer/{world.campaign.slug}/", YES)
    client.post(
        f"/proposer/{world.campaign.slug}/projet/",
        {
            "defi": world.defi.pk,
            "title": "Le jardin des voisins",
            "summary": "Un jardin pour tous.",
            "what": "Un jardin.\n\nDes fleurs.",
        },
    )
    return Proposal.objects.get(project__title="Le jardin des voisins")


def url(proposal: Proposal, step: str = "") -> str:
    return f"/proposer/dossier/{proposal.project.reference}/{f'{step}/' if step else ''}"


def budget(goal: str, *rows: tuple[str, str], **extra) -> dict[str, str]:
    data = {"goal": goal, "form-TOTAL_FORMS": str(len(rows)), "form-INITIAL_FORMS": "0"}
    for number, (label, amount) in enumerate(rows):
        data |= {f"form-{number}-label": label, f"form-{number}-amount": amount}
    return data | extra


TEAM = {
    "name": "Les Mains vertes",
    "legal_form": "association",
    "siret": "732 829 320 00074",
    "rna": "w675 001 234",
    "email": "contact@example.org",
    "team": "Dix bénévoles.",
}


def fill(client, proposal: Proposal) -> None:
    """Every page but the first, rightly."""
    client.post(url(proposal, "lieu"), {"commune": "selestat", "place": "Rue des Jardiniers"})
    client.post(url(proposal, "budget"), budget("6 000", ("Terre", "4 000,50"), ("Outils", "2000")))
    client.post(url(proposal, "equipe"), TEAM)
    client.post(url(proposal, "documents"), {})


def test_a_holder_sends_a_project_and_the_jury_receives_its_page(client, submissions, tree, person, told):
    install_preselection(index=tree.projects)
    proposal = begin(client, submissions)
    fill(client, proposal)
    check = spaces(client.get(url(proposal, "verifier")).content.decode())
    for said in ("Vérifier et envoyer (étape 7 sur 7)", "6 000,50 €", "Sélestat", "Les Mains vertes"):
        assert said in check
    response = client.post(url(proposal, "verifier"), follow=True)
    assert "Nous avons reçu votre projet" in response.content.decode()
    project = Project.objects.get(pk=proposal.project_id)
    assert (project.status, project.goal_cents, project.slug) == (
        Project.Status.SUBMITTED,
        600_000,
        "le-jardin-des-voisins-selestat",
    )
    assert (project.holder.siret, project.holder.rna) == ("73282932000074", "W675001234")
    page = ProjectPage.objects.get(project=project)
    assert not page.live and page.workflow_in_progress
    assert client.get(page.get_url() or "/projets/x/").status_code == 404
    assert [kind for kind, _context in told] == ["proposal_received"]
    assert told[0][1]["to"] == "contact@example.org"


def test_eligibility_comes_before_any_sign_in_and_says_why_not(client, submissions):
    page = f"/proposer/{submissions.campaign.slug}/"
    assert client.get(page).status_code == 200
    refused = client.post(page, YES | {"holder": "no"})
    assert "personne morale" in errors(refused)[0]
    assert len(errors(client.post(page, {}))) == 4
    accepted = client.post(page, YES)
    assert accepted.status_code == 302
    assert "/connexion/" in client.get(accepted.url).url


def test_a_draft_is_kept_and_taken_up_again(client, submissions, tree, person):
    proposal = begin(client, submissions)
    later = client.post(url(proposal, "lieu"), {"commune": "67600", "later": "1"}, follow=True)
    assert "Votre brouillon est enregistré." in later.content.decode()
    assert "Le jardin des voisins" in client.get("/proposer/").content.decode()
    follow = client.get(url(proposal)).content.decode()
    assert url(proposal, "budget") in follow
    proposal.project.refresh_from_db()
    assert proposal.project.commune.name == "Sélestat"


def test_somebody_elses_proposal_does_not_exist(client, submissions, tree, person):
    proposal = begin(client, submissions)
    client.force_login(User.objects.create_user("autre"))
    for address in (url(proposal), url(proposal, "lieu"), url(proposal, "verifier")):
        assert client.get(address).status_code == 404
    assert client.post(f"{url(proposal)}retirer/").status_code == 404
    client.logout()
    assert client.get(url(proposal, "lieu")).status_code == 302


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "Écrivez le nom ou le code postal de la commune."),
        ({"commune": "Paris"}, "Nous ne trouvons pas cette commune"),
        ({"commune": "<b>"}, "Nous ne trouvons pas cette commune"),
    ],
)
def test_a_commune_of_elsewhere_is_refused(client, submissions, tree, person, data, sentence):
    proposal = begin(client, submissions)
    assert sentence in errors(client.post(url(proposal, "lieu"), data))[0]


def test_several_communes_become_a_choice(client, submissions, tree, person):
    proposal = begin(client, submissions)
    twin = submissions.territory.communes.get(name="Colmar")
    twin.postal_codes = ["67600"]
    twin.save()
    asked = client.post(url(proposal, "lieu"), {"commune": "67600"})
    assert "choisissez la vôtre" in errors(asked)[0]
    assert f'value="{twin.insee}"' in asked.content.decode()
    client.post(url(proposal, "lieu"), {"commune": "67600", "choice": twin.insee})
    proposal.project.refresh_from_db()
    assert proposal.project.commune == twin
    elsewhere = make_world().territory.communes.first()
    client.post(url(proposal, "lieu"), {"commune": "67600", "choice": elsewhere.insee})
    proposal.project.refresh_from_db()
    assert proposal.project.commune == twin


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (budget("", ("Terre", "6000")), "Écrivez le montant que vous demandez"),
        (budget("100", ("Terre", "6000")), "d'au moins 5 000 €"),
        (budget("6000", ("Terre", "500")), "doivent atteindre le montant demandé"),
        (budget("6000", ("Terre", "")), "Dépense 1 : Écrivez le montant de cette dépense."),
        (budget("6000", ("", "6000")), "Dépense 1 : Dites à quoi sert ce montant."),
        (budget("6000", ("Terre", "-3")), "plus grand que 0"),
        (budget("6000", ("Terre", "six mille")), "Écrivez un montant en euros"),
        (budget("6000"), "Écrivez au moins une dépense."),
        (budget("6000", *[("x", "1000")] * 21), "20 dépenses au plus."),
        ({"goal": "6000"}, ""),
    ],
)
def test_a_wrong_budget_says_what_to_correct(client, submissions, tree, person, data, sentence):
    proposal = begin(client, submissions)
    response = client.post(url(proposal, "budget"), data)
    assert response.status_code == 200
    assert any(sentence in spaces(said) for said in errors(response)), errors(response)
    proposal.project.refresh_from_db()
    assert not proposal.project.budget_lines.exists()


def test_adding_a_row_keeps_what_is_typed_and_scolds_nobody(client, submissions, tree, person):
    proposal = begin(client, submissions)
    response = client.post(url(proposal, "budget"), budget("", ("Terre", "12,5"), add_row="1"))
    said = response.content.decode()
    assert 'value="12,5"' in said and 'name="form-1-label"' in said
    assert errors(response) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": ""}, "Écrivez le nom du porteur."),
        ({"legal_form": ""}, "Choisissez la forme juridique."),
        ({"siret": "732 829 320 00075"}, "Ce numéro SIRET n'est pas juste."),
        ({"siret": "12"}, "Ce numéro SIRET n'est pas juste."),
        ({"rna": "X123"}, "Ce numéro RNA n'est pas juste."),
        ({"email": "moi"}, "Écrivez une adresse e-mail comme"),
        ({"team": ""}, "Dites qui porte le projet."),
    ],
)
def test_a_wrong_team_says_what_to_correct(client, submissions, tree, person, change, sentence):
    proposal = begin(client, submissions)
    response = client.post(url(proposal, "equipe"), TEAM | change)
    assert sentence in spaces(errors(response)[0])
    assert 'aria-invalid="true"' in response.content.decode()


def upload(name: str, content: bytes) -> dict:
    return {"add": "1", "file": SimpleUploadedFile(name, content)}


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("page.html", b"<script>", "Choisissez un PDF"),
        ("faux.pdf", b"<script>alert(1)</script>", "n'est pas un vrai fichier PDF"),
        ("vide.pdf", b"", "Ce fichier est vide."),
        ("lourd.pdf", PDF + b"0" * (10 * 1024 * 1024), "La limite est de 10 Mo."),
    ],
)
def test_a_wrong_document_is_refused(client, submissions, tree, person, name, content, sentence):
    proposal = begin(client, submissions)
    assert sentence in spaces(errors(client.post(url(proposal, "documents"), upload(name, content)))[0])
    assert not ProposalPiece.objects.exists()


def test_documents_are_read_by_their_holder_and_the_jury_alone(client, submissions, tree, person):
    proposal = begin(client, submissions)
    for number in range(5):
        client.post(url(proposal, "documents"), upload(f"devis {number}.pdf", PDF))
    assert "5 documents au plus" in errors(client.post(url(proposal, "documents"), upload("six.pdf", PDF)))[0]
    piece = proposal.pieces.first()
    address = f"{url(proposal)}pieces/{piece.pk}/"
    answer = client.get(address)
    assert b"".join(answer.streaming_content) == PDF
    assert answer["Content-Disposition"].startswith("attachment")
    juror = submissions.member(Role.FOUNDATION)
    stranger = make_world().member(Role.FOUNDATION)
    for user, status in ((juror, 200), (stranger, 404), (User.objects.create_user("x"), 404)):
        client.force_login(user)
        assert client.get(address).status_code == status
    client.force_login(person)
    client.post(url(proposal, "documents"), {"remove": str(piece.pk)})
    assert proposal.pieces.count() == 4


def test_an_unfinished_proposal_is_not_sent(client, submissions, tree, person):
    proposal = begin(client, submissions)
    said = client.get(url(proposal, "verifier")).content.decode()
    assert "Avant de pouvoir envoyer" in said and "Envoyer le projet" not in said
    client.post(url(proposal, "verifier"))
    proposal.project.refresh_from_db()
    assert proposal.project.status == Project.Status.DRAFT


def test_after_the_date_nothing_is_sent(client, submissions, tree, person):
    proposal = begin(client, submissions)
    fill(client, proposal)
    Campaign.objects.filter(pk=submissions.campaign.pk).update(
        submissions_open_at=None, submissions_close_at=submissions.campaign.announced_at
    )
    assert Campaign.objects.with_phase().get(pk=submissions.campaign.pk).phase == Phase.SELECTION
    assert "le dépôt des projets est fermé" in spaces(
        client.get(f"/proposer/{submissions.campaign.slug}/").content.decode()
    )
    response = client.post(url(proposal, "verifier"), follow=True)
    assert "Le dépôt des projets est fermé pour cette campagne." in response.content.decode()
    proposal.project.refresh_from_db()
    assert proposal.project.status == Project.Status.DRAFT


def test_sending_twice_sends_once(client, submissions, tree, person, told):
    proposal = begin(client, submissions)
    fill(client, proposal)
    client.post(url(proposal, "verifier"))
    assert client.post(url(proposal, "verifier")).status_code == 302
    assert [kind for kind, _context in told] == ["proposal_received"]
    assert ProjectPage.objects.filter(project=proposal.project).count() == 1
    assert client.post(url(proposal, "lieu"), {"commune": "colmar"}).url == url(proposal)


def test_a_holder_withdraws(client, submissions, tree, person):
    proposal = begin(client, submissions)
    client.post(f"{url(proposal)}retirer/")
    proposal.project.refresh_from_db()
    assert proposal.project.status == Project.Status.WITHDRAWN
    assert "Retiré" in client.get(url(proposal)).content.decode()
    assert client.get(f"{url(proposal)}retirer/").status_code == 405


def test_without_a_campaign_the_page_says_so(client, db):
    assert "Aucune campagne ne prend de projets en ce moment." in client.get("/proposer/").content.decode()
    assert client.get("/proposer/inconnue/").status_code == 404
