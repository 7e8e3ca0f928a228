"""The documentation site: `make docs` writes build/docs/index.html."""

import re

from vmcnet import __version__

project, author, version = "vmcnet", "the vmcnet developers", __version__
copyright = "the vmcnet developers, BSD-3-Clause"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}
html_theme, html_title = "furo", f"vmcnet {version}"
html_show_sphinx = False
myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the signatures of the docstrings' own words
smartquotes = False
autodoc_preserve_defaults = True
highlight_language = "text"  # indented blocks; code says its language


def paragraphs(lines: list[str]) -> list[str]:
    """A docstring as reStructuredText: plain paragraphs, what is indented stands as it is."""
    text: list[str] = []
    for block in re.split(r"\n\s*\n", "\n".join(lines).strip("\n")):
        rows = block.splitlines()
        if any(row.startswith(" ") for row in rows):
            text += ["::", "", *(f"   {row}" for row in rows), ""]
        else:
            text += [*_escaped("\n".join(rows)).splitlines(), ""]
    return text


def _escaped(text: str) -> str:
    """Signs that would mean something are escaped, `names` become literal."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(
        f"`{part}`" if part.startswith("`") else re.sub(r"([\\*|`_])", r"\\\1", part)
        for part in parts
    )


def setup(app):
    def plain(app, what, name, obj, options, lines):
        lines[:] = paragraphs(lines)

    app.connect("autodoc-process-docstring", plain)
