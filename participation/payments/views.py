"""Where providers and returning browsers knock. Neither is believed: both only make us ask the provider."""

import logging
from uuid import UUID

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django_q.tasks import async_task

from participation.payments.models import Payment
from participation.payments.port import WebhookRejected, configured_providers
from participation.payments.settlement import settle_payment
from participation.payments.webhooks import intake_webhook

logger = logging.getLogger("abonde.money")


@method_decorator(csrf_exempt, name="dispatch")
@method_decorator(never_cache, name="dispatch")
class Webhook(View):
    """POST /paiement/<provider>/webhook/: check who speaks, keep the message once, answer, look later."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, provider: str) -> HttpResponse:
        if provider not in configured_providers():
            raise Http404
        try:
            body = request.body
        except RequestDataTooBig:
            return text(413, str(_("This message is too long.")))
        try:
            # All of one delivery or nothing, so that the provider's next try finds it as new.
            with transaction.atomic():
                events = intake_webhook(provider, request.headers, body, remote_ip=remote_ip(request))
        except WebhookRejected as error:
            logger.warning("webhook.rejected provider=%s why=%s from=%s", provider, error, remote_ip(request))
            return text(400, str(error.sentence))
        for event in events:
            # Lost with the queue? `handle_events` finds what nobody looked into.
            async_task("participation.payments.webhooks.handle_event", event.pk, group="webhook")
        return text(200, "OK")


@method_decorator(never_cache, name="dispatch")
class BrowserReturn(View):
    """GET /paiement/retour/<key>/: ask the provider now, then show the resident what it said.

    `?abandon=1` comes from the provider's "give up" link and is handed on; it proves nothing either.
    """

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, key: UUID) -> HttpResponse:
        payment = get_object_or_404(Payment.objects.select_related("contribution"), key=key)
        if payment.state in Payment.OPEN:
            settle_payment(payment)
        suffix = "?abandon=1" if request.GET.get("abandon") == "1" else ""
        return HttpResponseRedirect(
            f"{language_prefix(payment)}/contributions/{payment.contribution.reference}/{suffix}"
        )


def language_prefix(payment: Payment) -> str:
    """The resident's own language: this address has none, and the provider's page may have been in any."""
    person = payment.contribution.person
    language = person.language if person else settings.LANGUAGE_CODE
    known = {code for code, _name in settings.LANGUAGES} - {settings.LANGUAGE_CODE}
    return f"/{language}" if language in known else ""


def remote_ip(request: HttpRequest) -> str:
    """The sender's address; behind our own proxy, the last one told (the others are the sender's word)."""
    if settings.SECURE_PROXY_SSL_HEADER:
        forwarded = request.headers.get("X-Forwarded-For", "")
        if forwarded:
            return forwarded.rsplit(",", 1)[-1].strip()
    return str(request.META.get("REMOTE_ADDR", ""))


def text(status: int, sentence: str) -> HttpResponse:
    return HttpResponse(sentence, status=status, content_type="text/plain; charset=utf-8")
