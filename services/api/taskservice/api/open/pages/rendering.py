"""Templates to texts: pages in HTML, and the reference in Markdown."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from taskservice.api.parts import PREFIX

FOLDER = Path(__file__).parent
STYLE: Final = (FOLDER / "style.css").read_text(encoding="utf-8")
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's own style and nothing else: no script, no picture, no font, no request."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "public, max-age=3600",
    "Vary": "Accept",
}
_CODE = re.compile(r"`([^`]+)`")


def prose(text: str) -> Markup:
    """A text with `code` and paragraphs as HTML; everything else in it is plain."""
    paragraphs = [
        _CODE.sub(r"<code>\1</code>", str(escape(paragraph))).replace("\n", " ") for paragraph in text.split("\n\n")
    ]
    return Markup("".join(f"<p>{paragraph}</p>" for paragraph in paragraphs))  # noqa: S704 - escaped above


def phrase(text: str) -> Markup:
    """A sentence with `code` as HTML."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped above


def cell(text: str) -> str:
    """A text as a cell of a table in Markdown."""
    return text.replace("|", r"\|").replace("\n", " ")


def short(path: str) -> str:
    """A path below the base path that the page names."""
    return path.removeprefix(PREFIX)


def render(template: str, **values: Any) -> str:
    """The page that a template makes of these values."""
    return _environment.get_template(template).render(style=Markup(STYLE), **values)  # noqa: S704 - our own file


_environment = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {"prose": prose, "phrase": phrase, "cell": cell, "short": short}
