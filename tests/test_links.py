"""Every link of README and of the pages leads to a file, a folder or a heading that is there; the
site builds without a warning, and its pages name all that is public.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import vmcnet
from tests.runs import ROOT

FOLDERS = ("", "docs", "docs/tutorials", "benchmarks")
PAGES = sorted(p for folder in FOLDERS for p in (ROOT / folder).glob("*.md"))
LINK = re.compile(r"\]\(([^)\s]+)\)")


def text_of(page):
    """The page without its code."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(page):
    """The names that GitHub and the site give to headings."""
    titles = re.findall(r"^#+ +(.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", t.lower()).strip().replace(" ", "-") for t in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in LINK.findall(text_of(page)):
        if re.match(r"https?://|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists() and target.is_relative_to(ROOT), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}"


def test_readme_names_every_page():
    """README or a page that it names leads to every page of docs/."""
    seen, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop()
        seen.add(page)
        for link in LINK.findall(page.read_text()):
            target = (page.parent / link.partition("#")[0]).resolve()
            found = sorted(target.glob("*.md")) if target.is_dir() else [target]
            left += [p for p in found if p.suffix == ".md" and p.exists() and p not in seen]
    docs = {p for p in (ROOT / "docs").rglob("*.md") if p.name not in ("index.md", "api.md")}
    assert docs <= seen, docs - seen


def test_the_page_of_python_has_what_is_public():
    page = (ROOT / "docs" / "api.md").read_text()
    for name in vmcnet.__all__:
        assert f"vmcnet.{name}\n" in page or name == "__version__", name


@pytest.mark.processes
@pytest.mark.verify
def test_the_site(tmp_path):
    """As `make docs`: warnings are errors; signatures and search are there."""
    pytest.importorskip("sphinx"), pytest.importorskip("myst_parser"), pytest.importorskip("furo")
    arguments = ["-q", "-W", "--keep-going", "-b", "html", ROOT / "docs", tmp_path / "site"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    page = (tmp_path / "site" / "api.html").read_text()
    for name in ("vmcnet.train", "vmcnet.systems.QuantumDot", "vmcnet.optimizers.Adam"):
        assert f'id="{name}"' in page, name
    assert (tmp_path / "site" / "searchindex.js").stat().st_size > 10000
    for path in (tmp_path / "site").rglob("*.html"):
        for link in re.findall(r'<a [^>]*href="([^"#?]+)', path.read_text()):
            if not re.match(r"https?://|mailto:", link):
                assert (path.parent / link).resolve().exists(), f"{path.name}: {link}"
    assert Path(tmp_path / "site" / "index.html").exists()
