"""`docs/reference/http.md`, made from the document.

Run `python -m taskservice.api.open.reference > docs/reference/http.md` after a change of it.
"""

import re
import sys
from importlib.metadata import version

from taskservice.api.app import OPEN_ROUTES, TENANT_ROUTES
from taskservice.api.open.contract.parameters import EVERYWHERE
from taskservice.api.open.openapi import Document
from taskservice.api.open.pages.reading import groups, schemas
from taskservice.api.open.pages.rendering import render
from taskservice.api.parts import PREFIX

_BLANK_LINES = re.compile(r"\n{3,}")


def reference() -> str:
    """The page."""
    document = Document(PREFIX, TENANT_ROUTES, OPEN_ROUTES, version("taskservice")).content
    text = render(
        "http.md",
        groups=groups(document),
        schemas=schemas(document),
        everywhere=[one.name for one in EVERYWHERE],
    )
    return _BLANK_LINES.sub("\n\n", text).strip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
