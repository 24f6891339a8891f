"""Self-contained pages: one quiet style, accessible tables, nothing fetched from elsewhere.

Text is escaped where it becomes HTML, in `element` and `table`; everything else passes `Html`
along. A page forbids scripts and foreign resources to itself by its Content-Security-Policy.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import NewType

from trialkit.report.css import CSS

__all__ = [
    "Group",
    "Html",
    "definitions",
    "element",
    "figure",
    "join",
    "link_list",
    "numbered",
    "page",
    "section",
    "table",
]

# Text that is already HTML, as against text that still has to be escaped.
Html = NewType("Html", str)

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def element(name: str, text: str | Html, *, attributes: Mapping[str, str] | None = None) -> Html:
    """`<name>text</name>` with the text escaped."""
    return _wrapped(name, escape(text), attributes)


def join(parts: Iterable[Html]) -> Html:
    """Parts one below the other."""
    return Html("\n".join(parts))


def section(identifier: str, heading: str, parts: Iterable[Html]) -> Html:
    """A section with its heading, which a link can aim at."""
    head = element("h2", heading, attributes={"id": identifier})
    return _wrapped("section", join([head, *parts]), {"aria-labelledby": identifier})


def link_list(name: str, targets: Iterable[tuple[str, str]]) -> Html:
    """Links to the sections of the page, by identifier and text."""
    links = [
        _wrapped("li", element("a", text, attributes={"href": f"#{identifier}"}))
        for identifier, text in targets
    ]
    return _wrapped("nav", _wrapped("ol", join(links)), {"aria-label": name})


def definitions(items: Iterable[tuple[str, str]]) -> Html:
    """Names and what they mean, as a description list."""
    lines = [
        _wrapped("div", join([element("dt", name), element("dd", text)])) for name, text in items
    ]
    return _wrapped("dl", join(lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows that stand together under a line of their own; each row may have a CSS class."""

    name: str = ""
    rows: Sequence[Sequence[str]]
    classes: Sequence[str] = ()


def table(
    *,
    caption: str,
    headings: Sequence[str],
    groups: Sequence[Group],
    is_number: Sequence[bool],
    n_keys: int = 1,
) -> Html:
    """A table with a caption; the first `n_keys` cells of a row are its headings."""
    head = join(
        _cell("th", text, is_number=number, scope="col")
        for text, number in zip(headings, is_number, strict=True)
    )
    parts = [element("caption", caption), _wrapped("thead", _wrapped("tr", head))]
    parts += [_group(group, is_number, n_keys) for group in groups]
    # A wide table scrolls inside its box; the box can then be reached by keyboard.
    box = {"class": "scroll", "role": "region", "aria-label": caption, "tabindex": "0"}
    return _wrapped("div", _wrapped("table", join(parts)), box)


def _group(group: Group, is_number: Sequence[bool], n_keys: int) -> Html:
    lines = []
    if group.name:
        spans = {"scope": "rowgroup", "colspan": str(len(is_number)), "class": "group"}
        lines.append(_wrapped("tr", element("th", group.name, attributes=spans)))
    for position, row in enumerate(group.rows):
        cells = [
            _cell("th", text, is_number=number, scope="row")
            if column < n_keys
            else _cell("td", text, is_number=number)
            for column, (text, number) in enumerate(zip(row, is_number, strict=True))
        ]
        kind = group.classes[position] if group.classes else ""
        lines.append(_wrapped("tr", join(cells), {"class": kind} if kind else None))
    return _wrapped("tbody", join(lines))


def numbered(items: Iterable[str]) -> Html:
    """Notes in order, as the numbers in brackets refer to them."""
    return _wrapped("ol", join(element("li", text) for text in items), {"class": "note"})


def figure(svg: bytes, *, text: str, caption: str) -> Html:
    """An SVG drawing inside the page; `text` says in words what it shows."""
    source = f"data:image/svg+xml;base64,{b64encode(svg).decode('ascii')}"
    image = f'<img src="{source}" alt="{escape(text)}">'
    return _wrapped("figure", Html(f"{image}\n{element('figcaption', caption)}"))


def page(*, title: str, lead: Iterable[Html], body: Iterable[Html], foot: Iterable[Html]) -> str:
    """A whole document; `lead` stands under the title, `foot` at the end."""
    header = _wrapped("header", join([element("h1", title), *lead]))
    parts = [header, _wrapped("main", join(body)), _wrapped("footer", join(foot))]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            element("title", title),
            f"<style>\n{CSS}</style>",
            "</head>",
            "<body>",
            *parts,
            "</body>",
            "</html>",
            "",
        ]
    )


def _cell(name: str, text: str, *, is_number: bool, scope: str = "") -> Html:
    attributes = {"scope": scope} if scope else {}
    if is_number:
        attributes["class"] = "number"
    return element(name, text, attributes=attributes)


def _wrapped(name: str, inside: str, attributes: Mapping[str, str] | None = None) -> Html:
    said = "".join(f' {key}="{escape(value)}"' for key, value in (attributes or {}).items())
    return Html(f"<{name}{said}>{inside}</{name}>")
