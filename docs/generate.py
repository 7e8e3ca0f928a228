"""Write what the pages take from the code: the keys of job files, the content of
run files, and the list of operations.

make reference. tests/test_extending.py fails where a page is not up to date.
"""

from __future__ import annotations

import inspect
from pathlib import Path

from vmcnet.calculus.interpreter import Interpreter
from vmcnet.config import reference_page
from vmcnet.storage import layout

DOCS = Path(__file__).parent
BEGIN, END = "<!-- generated: make reference -->\n", "<!-- end -->\n"
INNER = ("apply", "unvaried", "phase", "peek")  # what interpreters need among themselves


def operations() -> str:
    """One line an operation: how it is called, and the first sentence of its docstring."""
    lines = ["| operation | |", "|---|---|"]
    for name, method in sorted(inspect.getmembers(Interpreter, inspect.isfunction)):
        if name.startswith("_") or name in INNER:
            continue
        signature = inspect.signature(method).parameters.values()
        parameters = [str(p.replace(annotation=p.empty)) for p in signature][1:]
        text = " ".join(inspect.getdoc(method).split("\n\n")[0].split()).replace("|", "\\|")
        lines.append(f"| `ops.{name}({', '.join(parameters)})` | {text} |")
    return "\n".join(lines) + "\n"


def with_section(page: str, text: str) -> str:
    """The page with `text` between its two marks."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return before + BEGIN + text + END + after


def pages() -> dict[Path, str]:
    """path -> what it should hold."""
    extending = DOCS / "extending.md"
    return {
        DOCS / "job-keys.md": reference_page(),
        DOCS / "run-file.md": layout.page(),
        extending: with_section(extending.read_text(), operations()),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
