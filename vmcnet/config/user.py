"""Classes of a user in a job: type = "module:Class" in place of a name of the program's own."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from vmcnet.config.table import Table

TABLES = ("system", "wavefunction", "optimizer", "natural_gradient", "observable")
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", max_length=200)]


class UserTable(Table):
    """A class of your own, written as type = "my_module:MyClass" with its arguments as keys. The
    module is looked for beside the job file, then where Python looks.
    """

    builds: ClassVar[str] = ""
    type: Literal["user"]
    source: Name = Field(description="module:Class")
    file: str | None = Field(None, description="file of the module, where it lies beside the job")
    arguments: dict[str, Any] = Field({}, description="keyword arguments of the class")

    @property
    def module(self) -> str:
        return self.source.partition(":")[0]


NAME = re.compile(r"[^/\\:\0]{1,200}:[^:\0]{1,200}")  # module:Class


def written_out(data: dict, folder: Path | None) -> None:
    """Tables of `data` whose type is "module:Class" as UserTable wants them, in place; a proposal
    may be that text alone.
    """
    sampling = data.get("sampling")
    proposal = sampling.get("proposal") if isinstance(sampling, dict) else None
    if isinstance(proposal, str) and NAME.fullmatch(proposal):
        proposal = sampling["proposal"] = {"type": proposal}
    for found in [*map(data.get, TABLES), proposal]:
        for table in found if isinstance(found, list) else [found]:
            kind = table.get("type") if isinstance(table, dict) else None
            if isinstance(kind, str) and NAME.fullmatch(kind):
                _write_out(table, folder)


def _write_out(table: dict, folder: Path | None) -> None:
    source = str(table.pop("type"))
    arguments = dict(table)
    table.clear()
    table.update(type="user", source=source, arguments=arguments)
    beside = None if folder is None else folder / f"{source.partition(':')[0]}.py"
    if beside is not None and beside.is_file():
        table["file"] = os.path.abspath(beside)


def user_tables(job) -> list[UserTable]:
    """All tables of a job that name classes of a user."""
    found = [job.sampling.proposal]
    for name in TABLES:
        value = dict(job)[name]
        found += value if isinstance(value, list) else [value]
    return [table for table in found if isinstance(table, UserTable)]
