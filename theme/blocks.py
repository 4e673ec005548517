"""What editors can put in the body of a page. Every room's pages use `BodyBlock`."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.contrib.typed_table_block.blocks import TypedTableBlock
from wagtail.documents.blocks import DocumentChooserBlock
from wagtail.images.blocks import ImageBlock

# No h2: the heading block has it, so that levels are never skipped.
TEXT_FEATURES = ["h3", "h4", "bold", "italic", "ol", "ul", "link", "document-link"]
INLINE_FEATURES = ["bold", "italic", "link"]


class HeadingBlock(blocks.CharBlock):
    """A heading of level 2."""

    class Meta:
        icon = "title"
        label = _("Heading")
        template = "theme/blocks/heading.html"
        preview_value = "À quoi sert l’argent"


class ParagraphBlock(blocks.RichTextBlock):
    """Text. One idea per sentence."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(features=TEXT_FEATURES, **kwargs)

    class Meta:
        icon = "pilcrow"
        label = _("Text")
        preview_value = "<p>Vous donnez 1 €. La collectivité ajoute 1 €.</p>"


class FigureBlock(blocks.StructBlock):
    """A picture with what it shows."""

    image = ImageBlock(label=_("Picture"))
    caption = blocks.CharBlock(label=_("Caption"), required=False)
    credit = blocks.CharBlock(label=_("Author and licence"), required=False)

    class Meta:
        icon = "image"
        label = _("Picture")
        template = "theme/blocks/figure.html"


class StepBlock(blocks.StructBlock):
    title = blocks.CharBlock(label=_("Title"))
    text = blocks.TextBlock(label=_("Text"), required=False)


class StepsBlock(blocks.StructBlock):
    """An ordered list: what happens, one thing after the other."""

    title = blocks.CharBlock(label=_("Title"), required=False)
    steps = blocks.ListBlock(StepBlock(), label=_("Steps"))

    class Meta:
        icon = "list-ol"
        label = _("Steps")
        template = "theme/blocks/steps.html"


class NoticeBlock(blocks.StructBlock):
    """Something that must not be missed."""

    kind = blocks.ChoiceBlock(
        label=_("Kind"),
        choices=[("info", _("information")), ("success", _("good news")), ("warning", _("warning"))],
        default="info",
    )
    title = blocks.CharBlock(label=_("Title"))
    text = blocks.RichTextBlock(label=_("Text"), features=INLINE_FEATURES, required=False)

    class Meta:
        icon = "warning"
        label = _("Notice")
        template = "theme/blocks/notice.html"


class KeyFigureBlock(blocks.StructBlock):
    value = blocks.CharBlock(label=_("Figure"))
    label = blocks.CharBlock(label=_("What it counts"))


class KeyFiguresBlock(blocks.ListBlock):
    """Two to four figures, side by side."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", _("Key figures"))
        super().__init__(KeyFigureBlock(), **kwargs)

    class Meta:
        icon = "order"
        template = "theme/blocks/key_figures.html"


class QuestionBlock(blocks.StructBlock):
    question = blocks.CharBlock(label=_("Question"))
    answer = blocks.RichTextBlock(label=_("Answer"), features=TEXT_FEATURES)


class QuestionsBlock(blocks.ListBlock):
    """Questions people ask, each answer behind its question."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", _("Questions and answers"))
        super().__init__(QuestionBlock(), **kwargs)

    class Meta:
        icon = "help"
        template = "theme/blocks/questions.html"


class QuoteBlock(blocks.StructBlock):
    text = blocks.TextBlock(label=_("Quotation"))
    author = blocks.CharBlock(label=_("Who said it"), required=False)

    class Meta:
        icon = "openquote"
        label = _("Quotation")
        template = "theme/blocks/quote.html"


class ButtonBlock(blocks.StructBlock):
    """One link that says what it does. One per page is enough."""

    label = blocks.CharBlock(label=_("Words on the button"))
    page = blocks.PageChooserBlock(label=_("Page"), required=False)
    address = blocks.URLBlock(label=_("or address"), required=False)

    class Meta:
        icon = "link"
        label = _("Button")
        template = "theme/blocks/button.html"


class DocumentBlock(blocks.StructBlock):
    document = DocumentChooserBlock(label=_("Document"))
    title = blocks.CharBlock(label=_("Title"), required=False)

    class Meta:
        icon = "doc-full"
        label = _("Document")
        template = "theme/blocks/document.html"


class PassageBlock(blocks.StructBlock):
    """A passage in another language than the page's, said to screen readers."""

    language = blocks.ChoiceBlock(
        label=_("Language"), choices=[("gsw", _("Alsatian")), ("de", _("German")), ("en", _("English"))]
    )
    text = blocks.RichTextBlock(label=_("Text"), features=INLINE_FEATURES)

    class Meta:
        icon = "site"
        label = _("Passage in another language")
        template = "theme/blocks/passage.html"


def _table() -> TypedTableBlock:
    return TypedTableBlock(
        [
            ("text", blocks.CharBlock(label=_("Text"), required=False)),
            ("number", blocks.DecimalBlock(label=_("Number"), required=False)),
            (
                "rich_text",
                blocks.RichTextBlock(label=_("Formatted text"), features=INLINE_FEATURES, required=False),
            ),
        ],
        label=_("Table"),
        template="theme/blocks/table.html",
    )


class BodyBlock(blocks.StreamBlock):
    """The body of a public page."""

    heading = HeadingBlock()
    paragraph = ParagraphBlock()
    figure = FigureBlock()
    steps = StepsBlock()
    notice = NoticeBlock()
    key_figures = KeyFiguresBlock()
    questions = QuestionsBlock()
    quote = QuoteBlock()
    table = _table()
    button = ButtonBlock()
    document = DocumentBlock()
    passage = PassageBlock()
