from django.conf import settings
from django.core.files.storage import Storage, storages
from django.db import models
from django.utils.translation import gettext_lazy as _

from defis.models.projects import Project
from defis.models.references import new_reference


def private_storage() -> Storage:
    """Pieces of a proposal are read through a view that checks, never from the public media folder."""
    return storages["private"]


def piece_path(piece: "ProposalPiece", name: str) -> str:
    suffix = name.rsplit(".", 1)[-1].lower() if "." in name else "bin"
    return f"propositions/{piece.proposal.project.reference}/{new_reference()}.{suffix}"


class Proposal(models.Model):
    """What a holder writes in the form, before editors turn it into a page."""

    project = models.OneToOneField(
        Project, models.CASCADE, related_name="proposal", verbose_name=_("project")
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="proposals",
        verbose_name=_("author"),
    )
    eligibility = models.JSONField(_("answers about eligibility"), default=dict)
    what = models.TextField(_("what you want to do"), blank=True)
    for_whom = models.TextField(_("for whom"), blank=True)
    when = models.TextField(_("when"), blank=True)
    place = models.CharField(_("address or place"), max_length=200, blank=True)
    team = models.TextField(_("the team"), blank=True)
    # Steps already answered, so that the holder comes back where they stopped.
    steps_done = models.JSONField(default=list, editable=False)
    language = models.CharField(max_length=8, default="fr", editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("proposal")
        verbose_name_plural = _("proposals")

    def __str__(self) -> str:
        return str(self.project)


class ProposalPiece(models.Model):
    """A document that the holder adds (quote, plan, statutes)."""

    proposal = models.ForeignKey(Proposal, models.CASCADE, related_name="pieces")
    name = models.CharField(_("name"), max_length=160)
    file = models.FileField(_("file"), upload_to=piece_path, storage=private_storage)
    size = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("piece")
        verbose_name_plural = _("pieces")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name
