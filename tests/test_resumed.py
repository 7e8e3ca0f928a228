import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = """
from tests.resumed import Resumed

def pytest_configure(config):
    config.pluginmanager.register(Resumed(config))
"""
CASES = """
from pathlib import Path

def test_first():
    pass

def test_second():
    assert Path("there").exists()
"""


@pytest.mark.processes
def test_only_what_passed_on_these_sources_is_left_out(tmp_path):
    root = Path(__file__).parents[1]
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -q\n")
    (tmp_path / "conftest.py").write_text(CONFTEST)
    cases = tmp_path / "tests" / "test_cases.py"
    cases.parent.mkdir()
    cases.write_text(CASES)

    def suite():
        program = f"import sys; sys.path.insert(0, {str(root)!r}); import pytest; pytest.main"
        command = [sys.executable, "-c", f"{program}() and sys.exit(1)"]
        found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        return found.returncode, found.stdout.splitlines()[-1].rpartition(" in ")[0]

    assert suite() == (1, "1 failed, 1 passed")
    (tmp_path / "there").touch()  # no source
    assert suite() == (0, "1 passed, 1 deselected")
    assert suite() == (0, "2 deselected")  # nothing left is no failure
    cases.write_text(f"{CASES}\n")
    assert suite() == (0, "2 passed")
