import hashlib
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.contrib.settings.models import BaseSiteSetting, register_setting
from wagtail.images import get_image_model_string

from theme.contrast import (
    DARK_BACKGROUND,
    GRAPHIC_RATIO,
    LIGHT_BACKGROUND,
    TEXT_RATIO,
    contrast,
    readable,
    text_on,
)
from theme.panels_admin import ContrastPanel

hexadecimal = RegexValidator(
    r"^#[0-9a-fA-F]{6}\Z", _("Write a colour as # and six digits, for example #0b4f9e.")
)


class ColourField(models.CharField):
    """`#rrggbb` and nothing else: the value is written into a style sheet."""

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("max_length", 7)
        super().__init__(*args, **kwargs)
        self.validators = [*self.validators, hexadecimal]


class ColourVerdict(NamedTuple):
    """What became of a colour on one background."""

    where: str
    background: str
    typed: str
    used: str
    sentence: str

    @property
    def text(self) -> str:
        return text_on(self.used)


# Field of the colour, name of its custom property, least contrast.
TOKENS = [
    ("colour", "", TEXT_RATIO),
    ("citizens_colour", "-citizens", GRAPHIC_RATIO),
    ("company_colour", "-company", GRAPHIC_RATIO),
    ("authority_colour", "-authority", GRAPHIC_RATIO),
    ("foundation_colour", "-foundation", GRAPHIC_RATIO),
]


@register_setting(icon="view", order=100)
class BrandSettings(BaseSiteSetting):
    """Name, logos and colours of the authority. Colours stay as typed; what is shown is always readable."""

    RADII = [("0", _("square")), ("0.25rem", _("slightly rounded")), ("0.5rem", _("rounded"))]

    name = models.CharField(_("name of the site"), max_length=80, default="Abonde")
    legal_line = models.CharField(
        _("line at the foot of the page"),
        max_length=200,
        blank=True,
        help_text=_("For example who publishes the site."),
    )
    source_url = models.URLField(_("address of the source code"), blank=True)
    logo = models.ForeignKey(
        get_image_model_string(),
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("logo"),
    )
    logo_dark = models.ForeignKey(
        get_image_model_string(),
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("logo on a dark background"),
    )
    colour = ColourField(_("colour of links and buttons"), default="#0b4f9e")
    citizens_colour = ColourField(_("colour of residents' money"), default="#0b4f9e")
    company_colour = ColourField(_("colour of companies' money"), default="#b3540a")
    authority_colour = ColourField(_("colour of the authority's money"), default="#0f6b4a")
    foundation_colour = ColourField(_("colour of foundations' money"), default="#7b3fa0")
    radius = models.CharField(_("corners"), max_length=8, choices=RADII, default="0.25rem")

    select_related = ["logo", "logo_dark"]

    panels = [
        MultiFieldPanel(
            [FieldPanel("name"), FieldPanel("legal_line"), FieldPanel("source_url")], heading=_("Words")
        ),
        MultiFieldPanel([FieldPanel("logo"), FieldPanel("logo_dark")], heading=_("Logos")),
        MultiFieldPanel(
            [*(FieldPanel(field) for field, _token, _ratio in TOKENS), FieldPanel("radius"), ContrastPanel()],
            heading=_("Colours"),
        ),
    ]

    class Meta:
        verbose_name = _("brand")

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        for field in ("logo", "logo_dark"):
            image = getattr(self, field)
            if image is not None and image.is_svg():
                raise ValidationError(
                    {field: _("A logo in SVG can carry a script. Choose a PNG, WebP or AVIF picture.")}
                )

    def verdicts(self) -> dict[str, list[ColourVerdict]]:
        """For each colour, by its field's label: what is shown on a light and on a dark page, and why."""
        told = {}
        for field, _token, ratio in TOKENS:
            label = str(self._meta.get_field(field).verbose_name)
            told[label] = [
                _verdict(gettext("light page"), getattr(self, field), LIGHT_BACKGROUND, ratio),
                _verdict(gettext("dark page"), getattr(self, field), DARK_BACKGROUND, ratio),
            ]
        return told

    @cached_property
    def stylesheet(self) -> str:
        """The brand's custom properties. Only validated colours and a listed radius ever reach it."""
        lines = [f"--pb-brand-radius:{self.radius}"]
        for field, token, ratio in TOKENS:
            typed = getattr(self, field)
            light, dark = readable(typed, LIGHT_BACKGROUND, ratio), readable(typed, DARK_BACKGROUND, ratio)
            lines += [f"--pb-brand{token}:{light}", f"--pb-brand{token}-dark:{dark}"]
            if not token:
                lines += [f"--pb-on-brand:{text_on(light)}", f"--pb-on-brand-dark:{text_on(dark)}"]
        return "@layer brand{:root{" + ";".join(lines) + "}}\n"

    @cached_property
    def digest(self) -> str:
        """Name of the present style sheet: another content, another address."""
        return hashlib.sha256(self.stylesheet.encode()).hexdigest()[:12]


def _verdict(where: str, typed: str, background: str, ratio: float) -> ColourVerdict:
    used = readable(typed, background, ratio)
    before, after = contrast(typed, background), contrast(used, background)
    if used == typed.lower():
        sentence = gettext("Contrast %(ratio)s: good.") % {"ratio": number_format(before, 1)}
    else:
        sentence = gettext("Contrast %(before)s: too weak. We will use %(colour)s (%(after)s).") % {
            "before": number_format(before, 1),
            "colour": used,
            "after": number_format(after, 1),
        }
    return ColourVerdict(where, background, typed, used, sentence)


@register_setting(icon="tick", order=110)
class AccessibilitySettings(BaseSiteSetting):
    """Where the site stands with the RGAA. Footer, home page and declaration say this and nothing else.

    Without a valid audit, the law's word is « non conforme » (décret 2019-768; RGAA 4.1.2).
    """

    class Status(models.TextChoices):
        NONE = "none", _("not compliant")
        PARTIAL = "partial", _("partially compliant")
        FULL = "full", _("fully compliant")

    status = models.CharField(
        _("state of compliance"), max_length=8, choices=Status.choices, default=Status.NONE
    )
    audited_on = models.DateField(_("audited on"), null=True, blank=True)
    audited_by = models.CharField(_("audited by"), max_length=160, blank=True)
    rate = models.PositiveSmallIntegerField(
        _("criteria met (percent)"), null=True, blank=True, validators=[MaxValueValidator(100)]
    )

    panels = [FieldPanel("status"), FieldPanel("audited_on"), FieldPanel("audited_by"), FieldPanel("rate")]

    class Meta:
        verbose_name = _("accessibility")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status="none")
                | models.Q(status="partial", audited_on__isnull=False, rate__gte=50)
                | models.Q(status="full", audited_on__isnull=False, rate=100),
                name="abonde_accessibility_is_proven",
                violation_error_message=_(
                    "Without an audit the state is “not compliant”. “Partially” takes half"
                    " of the criteria, “fully” all of them."
                ),
            )
        ]

    def __str__(self) -> str:
        return self.mention

    @property
    def mention(self) -> str:
        """The compulsory mention: « Accessibilité : non conforme »."""
        return gettext("Accessibility: %(state)s") % {"state": self.get_status_display()}
