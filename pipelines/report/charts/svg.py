"""SVG elements as safe markup: names and numbers are ours, every text is escaped."""

from collections.abc import Iterable

from markupsafe import Markup, escape

Attribute = str | float | int


def element(name: str, content: str | Iterable[str] = "", **attributes: Attribute) -> Markup:
    """``<name key="value">content</name>``; ``_`` in a key becomes ``-`` and a trailing one is dropped."""
    inner = escape(content) if isinstance(content, str) else Markup("").join(content)
    keys = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), number(value)) for key, value in attributes.items()
    )
    return Markup(f"<{name}{keys}>{inner}</{name}>")  # noqa: S704 - every part is escaped above


def chart(
    title: str, description: str, width: float, height: float, content: Iterable[str], **more: Attribute
) -> Markup:
    """A drawing of fixed proportions that says what it is to those who cannot see it."""
    label = [element("title", title), element("desc", description)]
    box = f"0 0 {number(width)} {number(height)}"
    return element("svg", [*label, *content], viewBox=box, role="img", aria_label=f"{title}. {description}", **more)


def text(x: float, y: float, content: str, css: str = "tick", anchor: str = "start") -> Markup:
    """A line of text whose baseline is at ``y``."""
    return element("text", content, x=x, y=y, class_=css, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=css)


def number(value: Attribute) -> str:
    """A coordinate with no more digits than a screen can show."""
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
