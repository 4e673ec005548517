"""What editors can put in our pages: everything the theme offers, a gallery, news and questions."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.images.blocks import ImageBlock

from theme.blocks import INLINE_FEATURES, TEXT_FEATURES, BodyBlock


class GalleryPictureBlock(blocks.StructBlock):
    image = ImageBlock(label=_("Picture"))
    caption = blocks.CharBlock(label=_("Caption"), required=False)


class GalleryBlock(blocks.ListBlock):
    """Several pictures side by side; no carousel."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", _("Gallery"))
        super().__init__(GalleryPictureBlock(), **kwargs)

    class Meta:
        icon = "image"
        template = "defis/blocks/gallery.html"


class StoryBlock(BodyBlock):
    """The body of a challenge, a fund or a project."""

    gallery = GalleryBlock()


class NewsBlock(blocks.StructBlock):
    """Something new about a project, dated."""

    date = blocks.DateBlock(label=_("Date"))
    title = blocks.CharBlock(label=_("Title"))
    text = blocks.RichTextBlock(label=_("Text"), features=TEXT_FEATURES)

    class Meta:
        icon = "calendar-alt"
        label = _("News")


class NewsStreamBlock(blocks.StreamBlock):
    news = NewsBlock()


class QuestionBlock(blocks.StructBlock):
    """A resident's question, and the holder's answer."""

    question = blocks.CharBlock(label=_("Question"))
    answer = blocks.RichTextBlock(label=_("Answer"), features=INLINE_FEATURES)

    class Meta:
        icon = "help"
        label = _("Question")


class QuestionStreamBlock(blocks.StreamBlock):
    question = QuestionBlock()
