from django.db import models
from django.utils.translation import gettext_lazy as _

from participation.identity.models import Person


class Message(models.Model):
    """A mail that we owe to somebody, written once per event (`key`), sent by the worker."""

    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")

    key = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=32)
    person = models.ForeignKey(Person, models.SET_NULL, null=True, blank=True, related_name="messages")
    to = models.EmailField()
    language = models.CharField(max_length=5, default="fr")
    subject = models.CharField(max_length=200)
    text = models.TextField()
    html = models.TextField(blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.subject
