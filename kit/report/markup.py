"""Markup that is escaped by construction: whatever is not ``Markup`` is text, and is written as text."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

_VOID = frozenset({"img", "meta", "br"})


class Markup(str):
    """A string that is HTML already. Only the functions of this module and fixed literals make one."""

    __slots__ = ()


def escape(text: str) -> Markup:
    """Return the text as HTML, once: what is HTML already stays as it is."""
    return text if isinstance(text, Markup) else Markup(html.escape(text, quote=True))


def join(parts: Iterable[str]) -> Markup:
    """Put parts one after the other, escaping those that are text."""
    return Markup("".join(escape(part) for part in parts))


def element(name: str, /, *children: str, **attributes: str) -> Markup:
    """Return an element; ``class_`` writes ``class``, and values of attributes are escaped."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value, quote=True)}"'
        for key, value in attributes.items()
        if value
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, strong_row: int = -1) -> Markup:
    """Return a table whose first column names the row; wider than the page, it scrolls by itself."""
    head = element("tr", *(element("th", cell, scope="col") for cell in header))
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(element("td", cell) for cell in row[1:]),
            class_="strong" if index == strong_row else "",
        )
        for index, row in enumerate(rows)
    ]
    whole = element("table", element("thead", head), element("tbody", *body))
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label="table")


def section(title: str, *children: str) -> Markup:
    """Return a part of the page with its heading, or nothing where it has no content."""
    content = [child for child in children if child]
    return element("section", element("h2", title), *content) if content else Markup("")


def paragraph(*children: str, class_: str = "") -> Markup:
    """Return a paragraph."""
    return element("p", *children, class_=class_)


def command(text: str) -> Markup:
    """Return a command to copy, on a line of its own."""
    return element("pre", element("code", text))
