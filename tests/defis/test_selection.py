"""Pre-selection: marks, conflicts, decisions with reasons, publication by somebody else."""

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from wagtail import hooks

from defis.models import Decision, Evaluation, Mark, Project, Role
from defis.services import Refused, cancel_project, publish_selection, record_decision, save_evaluation
from defis.services.pages import install_preselection, page_of_proposal, submit_page
from tests.defis.world import make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def told():
    heard: list[tuple[str, dict]] = []
    with hooks.register_temporarily("abonde_notify", lambda kind, context: heard.append((kind, context))):
        yield heard


@pytest.fixture
def submitted(submissions, tree):
    """A project whose page is in the workflow."""
    install_preselection(index=tree.projects)
    project = submissions.make_project(title="Le four du village", status=Project.Status.SUBMITTED)
    page = page_of_proposal(project=project)
    submit_page(page=page)
    return project


def sheet(project: Project) -> str:
    return reverse("abonde_defis_admin:jury_sheet", args=[project.pk])


MARKS = {
    "act": "marks",
    "mark_0": "4",
    "comment_0": "",
    "mark_1": "1",
    "comment_1": "Trop court.",
    "private_note": "",
}


def test_a_juror_marks_then_sees_the_others_then_decides(client, submissions, submitted, told):
    juror, colleague = submissions.member(Role.FOUNDATION, "lea"), submissions.member(Role.FOUNDATION, "zoe")
    save_evaluation(
        project=submitted, juror=colleague, marks={"Ouvert à tous.": (2, ""), "Durable.": (0, "Un seul été.")}
    )
    client.force_login(juror)
    listing = client.get(reverse("abonde_defis_admin:jury")).content.decode()
    assert "Le four du village" in listing
    before = client.get(sheet(submitted)).content.decode()
    assert "Un seul été." not in before and "conflit d’intérêts" in before
    wrong = client.post(sheet(submitted), MARKS | {"comment_1": ""}).content.decode()
    assert "Dites pourquoi, pour une note de 0 ou 1." in wrong
    assert not Evaluation.objects.filter(juror=juror).exists()
    client.post(sheet(submitted), MARKS)
    after = client.get(sheet(submitted)).content.decode()
    assert "Un seul été." in after
    nothing = client.post(
        sheet(submitted), {"act": "decide", "decision-outcome": "yes", "decision-comment": " "}
    )
    assert "Dites pourquoi" in nothing.content.decode()
    assert not Decision.objects.exists()
    client.post(
        sheet(submitted), {"act": "decide", "decision-outcome": "yes", "decision-comment": "Utile à tous."}
    )
    decision = Decision.objects.get()
    assert (decision.outcome, decision.reason, decision.decided_by) == ("yes", "Utile à tous.", juror)
    assert decision.scores["marks"]["Ouvert à tous."] == [2, 4]
    submitted.refresh_from_db()
    # Nothing leaves before the publication.
    assert submitted.status == Project.Status.SUBMITTED
    assert not submitted.pages.get().live and told == []


def test_the_selection_is_published_by_somebody_else_all_at_once(client, submissions, submitted, told):
    juror, editor = submissions.member(Role.FOUNDATION), submissions.member(Role.COMMUNICATION)
    other = submissions.make_project(title="Sans suite", status=Project.Status.SUBMITTED)
    record_decision(project=submitted, kind="preselection", outcome="yes", reason="Utile.", user=juror)
    record_decision(
        project=other, kind="preselection", outcome="no", reason="Hors du territoire.", user=juror
    )
    with pytest.raises(Refused) as refusal:
        publish_selection(campaign=submissions.campaign, user=juror)
    assert refusal.value.code == "same_person"
    client.force_login(editor)
    desk = reverse("abonde_defis_admin:campaign_desk", args=[submissions.campaign.pk])
    assert "Hors du territoire." in client.get(desk).content.decode()
    publish = reverse("abonde_defis_admin:campaign_publish_selection", args=[submissions.campaign.pk])
    client.post(publish, {"confirmation": "autre chose"})
    assert told == []
    client.post(publish, {"confirmation": submissions.campaign.name})
    submitted.refresh_from_db()
    other.refresh_from_db()
    assert (submitted.status, other.status) == (Project.Status.PRESELECTED, Project.Status.NOT_SELECTED)
    page = submitted.pages.get()
    assert page.live and not page.workflow_in_progress
    assert client.get(page.url).status_code == 200
    assert sorted(kind for kind, _context in told) == ["proposal_accepted", "proposal_refused"]
    with pytest.raises(Refused) as refusal:
        publish_selection(campaign=submissions.campaign, user=editor)
    assert refusal.value.code == "empty"


def test_a_correction_goes_to_the_holder_at_once_and_comes_back(submissions, submitted, told):
    from defis.services import submit_project

    juror = submissions.member(Role.FOUNDATION)
    record_decision(
        project=submitted, kind="preselection", outcome="correction", reason="Ajoutez un devis.", user=juror
    )
    submitted.refresh_from_db()
    assert submitted.status == Project.Status.CORRECTION
    assert [kind for kind, _context in told] == ["proposal_correction"]
    page = submitted.pages.get()
    assert page.current_workflow_state.status == "needs_changes"
    submit_project(project=submitted)
    page = submitted.pages.get()
    assert page.current_workflow_state.status == "in_progress"
    submitted.refresh_from_db()
    assert submitted.status == Project.Status.SUBMITTED


def test_the_buttons_of_the_page_editor_decide_the_same_way(client, submissions, submitted):
    juror = submissions.member(Role.FOUNDATION)
    client.force_login(juror)
    page = submitted.pages.get()
    state = page.current_workflow_task_state
    assert client.get(reverse("wagtailadmin_pages:edit", args=[page.pk])).status_code == 200
    action = reverse("wagtailadmin_pages:workflow_action", args=[page.pk, "reject", state.pk])
    client.post(action, {"comment": ""})
    assert not Decision.objects.exists()
    client.post(action, {"comment": "Le projet existe déjà."})
    assert Decision.objects.get().outcome == Decision.Outcome.NO
    assert list(state.task.specific.get_task_states_user_can_moderate(juror)) == [state]


def test_a_conflict_of_interest_hides_the_project(client, submissions, submitted):
    juror = submissions.member(Role.FOUNDATION)
    client.force_login(juror)
    client.post(sheet(submitted), {"act": "conflict"})
    assert client.get(sheet(submitted)).status_code == 404
    jury = reverse("abonde_defis_admin:jury")
    client.get(jury)  # shows the thanks, once
    assert "Le four du village" not in client.get(jury).content.decode()
    with pytest.raises(Refused) as refusal:
        record_decision(project=submitted, kind="preselection", outcome="yes", reason="Oui.", user=juror)
    assert refusal.value.code == "conflict"
    page = submitted.pages.get()
    task = page.current_workflow_task_state.task.specific
    assert task.get_actions(page, juror) == []
    assert not task.user_can_access_editor(page, juror)


def test_another_funds_jury_sees_and_decides_nothing(client, submissions, submitted):
    stranger = make_world().member(Role.FOUNDATION)
    client.force_login(stranger)
    assert client.get(sheet(submitted)).status_code == 404
    with pytest.raises(Refused) as refusal:
        record_decision(project=submitted, kind="preselection", outcome="yes", reason="Oui.", user=stranger)
    assert refusal.value.code == "role"
    with pytest.raises(Refused):
        save_evaluation(project=submitted, juror=stranger, marks={})
    assert (
        submitted.pages.get().current_workflow_task_state.task.specific.get_actions(
            submitted.pages.get(), stranger
        )
        == []
    )


def test_the_ranked_table_shows_dispersion(client, submissions, submitted):
    other = submissions.make_project(title="Bien noté", status=Project.Status.SUBMITTED)
    for project, values in ((submitted, (4, 0)), (other, (3, 4))):
        for number, value in enumerate(values):
            juror = submissions.member(Role.FOUNDATION, f"{project.slug}-{number}")
            marks = dict.fromkeys(submissions.defi.criteria, (value, "Raison."))
            save_evaluation(project=project, juror=juror, marks=marks)
    client.force_login(submissions.member(Role.FOUNDATION))
    said = client.get(
        reverse("abonde_defis_admin:jury_ranked", args=[submissions.campaign.pk])
    ).content.decode()
    assert said.index("Bien noté") < said.index("Le four du village")
    assert said.count("<strong>en désaccord</strong>") == 1
    assert "3,50" in said and "2,00" in said


def test_the_database_refuses_a_low_mark_without_a_word(submissions, submitted):
    evaluation = Evaluation.objects.create(project=submitted, juror=submissions.member(Role.FOUNDATION))
    for value, comment in ((1, ""), (5, "x")):
        with pytest.raises(IntegrityError), transaction.atomic():
            Mark.objects.create(evaluation=evaluation, criterion="c", value=value, comment=comment)


def test_cancelling_needs_reasons_and_calls_the_room_of_the_money(client, submissions, tree):
    editor = submissions.member(Role.COMMUNICATION)
    project = submissions.make_project(title="Le pont")
    tree.add_project(project)
    called = []
    with hooks.register_temporarily("abonde_project_cancelled", lambda p, d: called.append((p.pk, d.reason))):
        with pytest.raises(Refused):
            cancel_project(project=project, reason=" ", user=editor)
        client.force_login(editor)
        address = reverse("abonde_defis_admin:project_cancel", args=[project.pk])
        assert "C’est définitif." in client.get(address).content.decode()
        client.post(address, {"reason": "Le terrain est vendu."})
    assert called == [(project.pk, "Le terrain est vendu.")]
    project.refresh_from_db()
    assert project.status == Project.Status.CANCELLED
    said = client.get("/projets/").content.decode()
    assert "Annulé" in said
    with pytest.raises(Refused):
        cancel_project(project=project, reason="Encore.", user=editor)


def test_an_outcome_is_recorded_once(world):
    project = world.make_project()
    record_decision(project=project, kind="outcome", outcome="yes", reason="Seuil atteint.")
    project.refresh_from_db()
    assert project.status == Project.Status.FUNDED
    with pytest.raises(IntegrityError), transaction.atomic():
        record_decision(project=project, kind="outcome", outcome="no", reason="Erreur.")


def test_a_receipt_decision_gives_the_right_with_its_reason(world):
    project = world.make_project()
    record_decision(project=project, kind="receipt", outcome="yes", reason="Intérêt général.")
    project.refresh_from_db()
    assert project.receipt_eligible and project.receipt_reason == "Intérêt général."
