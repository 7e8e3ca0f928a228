"""Of several processes that find nothing in the cache one compiles; none waits for a dead one."""

import os
import signal
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location

import pytest
from numba.core.errors import TypingError

from vmcnet.kernels import one_compiles
from vmcnet.kernels.one_compiles import NAME, FolderLock

PROGRAM = """
import sys
from vmcnet.kernels.compiled import compiled, inlined
from vmcnet.kernels.one_compiles import at_first_miss
@inlined
def twice(x):
    return 2.0 * x
@compiled
def total(x, n):
    y = 0.0
    for k in range(n):
        y += twice(x) / (k + 1.0)
    return y
print("ready", flush=True)
sys.stdin.readline()
missed = []
with at_first_miss(lambda: missed.append(1)):
    assert total(3.0, 2) == 9.0
print(sum(total.stats.cache_misses.values()), sum(total.stats.cache_hits.values()))
print(int("numba.cpython.listobj" in sys.modules), len(missed))
"""
HOLDER = """
import sys, time
from vmcnet.kernels.one_compiles import FolderLock
for function in sys.argv[2:]:
    FolderLock(sys.argv[1]).take(function)
print("held", flush=True)
sys.stdin.readline()
"""


def started(*words):
    program = subprocess.Popen(
        [sys.executable, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    assert program.stdout.readline().strip() in ("ready", "held")
    return program


@pytest.fixture
def program(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


@pytest.mark.processes
def test_one_compiles_and_the_others_read(program):
    ranks = [started(str(program)) for _ in range(3)]
    for rank in ranks:
        rank.stdin.write("go\n")
        rank.stdin.flush()
    found = [[int(n) for n in rank.communicate()[0].split()] for rank in ranks]
    assert sorted(n[:2] for n in found) == [[0, 1], [0, 1], [1, 0]]


@pytest.mark.processes
def test_who_reads_does_not_load_the_compiler(program):
    """Misses, hits, whether numba's implementations of Python's types were imported, and whether
    a miss was told: once, though two functions were missing.
    """
    found = [started(str(program)).communicate("go\n")[0].split() for _ in range(2)]
    assert found == [["1", "0", "1", "1"], ["0", "1", "0", "0"]]


@pytest.mark.processes
def test_a_dead_holder_keeps_nobody(program, tmp_path):
    first = started(str(program))
    first.communicate("go\n")
    (folder,) = {p.parent for p in (tmp_path / "cache").rglob(NAME)}
    functions = [p.stem for p in folder.glob("*.nbi")]
    assert len(functions) == 2
    for kept in folder.glob("*.nb*"):
        kept.unlink()
    holder = started("-c", HOLDER, str(folder), *functions)
    rank = started(str(program))
    rank.stdin.write("go\n")
    rank.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):  # it waits, however long it is left to
        rank.wait(1.0)
    holder.send_signal(signal.SIGKILL)
    assert rank.communicate()[0].split()[:2] == ["1", "0"] and rank.returncode == 0


@pytest.mark.processes
def test_who_compiles_another_function_keeps_nobody(tmp_path, monkeypatch):
    class Waits(Exception):
        pass

    def waits(seconds):
        raise Waits

    holder, lock = started("-c", HOLDER, str(tmp_path), "one", "two"), FolderLock(str(tmp_path))
    monkeypatch.setattr(one_compiles.time, "sleep", waits)
    lock.take("three")
    for held in ("one", "two"):
        with pytest.raises(Waits):
            lock.take(held)
    monkeypatch.undo()
    holder.communicate("\n")
    FolderLock(str(tmp_path)).take("one")
    lock.free("three")


def test_what_cannot_be_compiled_frees_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(one_compiles, "LOCKS", {})
    path = tmp_path / "wrong.py"
    path.write_text(PROGRAM.split("print")[0])
    spec = spec_from_file_location("wrong", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.raises(TypingError):
        module.total("text", 2)
    assert [lock._held.total() for lock in one_compiles.LOCKS.values()] == [0]


def test_where_there_can_be_no_lock(tmp_path):
    """A folder that cannot be made: nobody waits."""
    (tmp_path / "file").write_text("")
    lock = FolderLock(str(tmp_path / "file" / "cache"))
    for _ in range(2):
        lock.take("function")
    for _ in range(2):
        lock.free("function")
    assert lock._file == -1 and lock._held.total() == 0
