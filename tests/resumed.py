"""`pytest --resume`: tests that passed on the same sources before are left out, so that a suite of
hours (`make verify`) goes on where it was ended.
"""

from __future__ import annotations

import hashlib

import pytest

FOLDERS = ("vmcnet", "tests", "jobs", "analysis", "benchmarks", "docs", ".ci")
SOURCES = (*(f"{folder}/**/*" for folder in FOLDERS), "Makefile", "*.toml", "*.md")
LEFT_OUT = {".pyc", ".nbi", ".nbc"}  # compiled, made by running


def digest(root) -> str:
    """SHA-256 of names and contents of all sources below the folder `root`."""
    found = hashlib.sha256()
    for path in sorted({path for pattern in SOURCES for path in root.glob(pattern)}):
        if path.is_file() and path.suffix not in LEFT_OUT:
            data = path.read_bytes()
            found.update(f"{path.relative_to(root)}\0{len(data)}\0".encode() + data)
    return found.hexdigest()


class Resumed:
    """Names of the tests that passed, a line each; the digest of the sources names their file."""

    def __init__(self, config):
        self.path = config.cache.mkdir("resumed") / digest(config.rootpath)
        self.passed = set(self.path.read_text().split("\n")) if self.path.exists() else set()

    def pytest_collection_modifyitems(self, config, items):
        done = [item for item in items if item.nodeid in self.passed]
        config.hook.pytest_deselected(items=done)
        items[:] = [item for item in items if item.nodeid not in self.passed]

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            with self.path.open("a") as file:  # one write a line: several parts run side by side
                file.write(f"{report.nodeid}\n")

    def pytest_sessionfinish(self, session, exitstatus):
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self.passed:
            session.exitstatus = pytest.ExitCode.OK
