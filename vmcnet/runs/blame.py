"""Whose an error is: that of a user's class which a job names, or the program's."""

from __future__ import annotations

import opcode
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any

PROGRAM = str(Path(__file__).parents[1]) + os.sep
RAISE = opcode.opmap["RAISE_VARARGS"]
REFUSALS = ValueError, TypeError, KeyError, AttributeError  # by which the program refuses
CALL = re.compile(r"([\w.]+)\(\) (?:takes|missing|got) ")  # how Python says that arguments misfit
LONGEST = 600  # characters of an error's own text
ENDLESS = 100  # calls of a user's code within each other
USED: dict[str, ModuleType] = {}  # file or folder -> module of classes that jobs name


def used(module: ModuleType, file: str | None = None) -> None:
    """Errors of this module's code are its author's: `file` or, without it, the whole package that
    the module belongs to.
    """
    top = sys.modules.get(module.__name__.partition(".")[0], module)
    # one that is no package has no path, one written in C no file
    roots = [file] if file else getattr(top, "__path__", [getattr(module, "__file__", None)])
    USED.update((str(root), module) for root in roots if root)


def said(error: BaseException) -> str:
    """Name and text of an error on one line."""
    text = " ".join("".join(traceback.format_exception_only(error)).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def on_purpose(error: BaseException) -> bool:
    """Whether an error was raised by a raise statement, as refusals are, and not by what Python or
    a library did.
    """
    last = [*_all_steps(error)][-1]
    return last.tb_frame.f_code.co_code[last.tb_lasti] == RAISE


def fails_in(roots: Iterable[str], error: BaseException) -> str | None:
    """Where an error was raised in the innermost code of the files or folders `roots`, and which;
    None: it was not.
    """
    steps = [step for step in _all_steps(error) if _within(_file(step), roots)]
    return f"{_place(steps)}: {said(error)}" if steps else None


def blamed(error: BaseException) -> str | None:
    """What is wrong in a user's class, on one line: where it failed (file, line, function), or what
    the program says of what it gave; None for an error of the program's own.

    The innermost code that is either a user's or the program's decides: a library that a user's
    code called raises that user's errors. Below a user's code the program refuses by its own raise
    statements, and arrays of wrong shapes and kinds by NumPy's; everything else is a bug.
    """
    if not USED or isinstance(error, KeyboardInterrupt | MemoryError):
        return None
    if isinstance(error.__cause__, StopIteration):
        error = error.__cause__  # a generator that it passed made another error of it
    steps = list(_steps(error))
    if not steps:
        return None
    theirs = [step for step in steps if _user(step)]
    refused = isinstance(error, REFUSALS) and on_purpose(error)
    # where Python's depth ends is chance: code that calls itself without end has many steps
    endless = isinstance(error, RecursionError) and len(theirs) > ENDLESS
    if (
        endless
        or _user(steps[-1])
        or (theirs and (refused or isinstance(error, ValueError | TypeError)))
    ):
        return f"{_place(theirs)}: {said(error)}"
    if refused and isinstance(error, ValueError | TypeError):
        cause = error.__cause__
        beneath = [step for step in _steps(cause) if _user(step)] if cause else []
        return f"{_place(beneath)}: {error}" if beneath else str(error)
    return _misused(error)


def called_by(error: BaseException) -> list[str]:
    """Where a user's class called what failed in the program: one line, or none."""
    theirs = [step for step in _steps(error) if _user(step)]
    return [f"called by {_place(theirs)}"] if theirs else []


def _steps(error: BaseException) -> Iterator[TracebackType]:
    """The traceback's steps in the program and in users' modules, outermost first."""
    for step in _all_steps(error):
        if _file(step).startswith(PROGRAM) or _user(step):
            yield step


def _all_steps(error: BaseException) -> Iterator[TracebackType]:
    step = error.__traceback__
    while step is not None:
        yield step
        step = step.tb_next


def _file(step: TracebackType) -> str:
    return step.tb_frame.f_code.co_filename


def _user(step: TracebackType) -> bool:
    return _of_user(_file(step))


def _of_user(file: str) -> bool:
    return not file.startswith(PROGRAM) and _within(file, USED)


def _within(file: str, roots: Iterable[str]) -> bool:
    return any(file == root or file.startswith(root + os.sep) for root in roots)


def _place(theirs: list[TracebackType]) -> str:
    last, first = theirs[-1], theirs[0].tb_frame.f_code.co_qualname
    name = last.tb_frame.f_code.co_qualname
    by = "" if name == first else f" (called by {first})"
    return f"{_file(last)}, line {last.tb_lineno}, in {name}{by}"


def _misused(error: BaseException) -> str | None:
    """An attribute that an object of a user's class lacks, or a method that takes other arguments
    than the program gives.
    """
    if isinstance(error, AttributeError):
        cls = error.obj if isinstance(error.obj, type) else type(error.obj)
        # a class made at run time may name no module
        file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        if file and _of_user(file):
            return (
                f"{file}, class {cls.__name__}: {error}: set it, or call super().__init__() where "
                "the class it derives from does"
            )
    found = CALL.match(str(error)) if isinstance(error, TypeError) else None
    for root, module in list(USED.items()) if found else ():
        code = _code(module, found[1])
        if code and _of_user(code.co_filename):
            return f"{root}, line {code.co_firstlineno}, in {found[1]}: {said(error)}"
    return None


def _code(module: ModuleType, name: str) -> CodeType | None:
    """The code of a function by its qualified name."""
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)  # a text of Python's may name anything
    return getattr(found, "__code__", None)  # classes have none
