"""What a run measured, as arrays by name and as frames of pandas and xarray; short in notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import numpy as np

from vmcnet.arguments import closest_hint
from vmcnet.engine.results import EvaluationResult


def table_html(header: Iterable[str], rows: Iterable[Iterable[Any]], title: str = "") -> str:
    """A small table for notebooks."""

    def row(cells: Iterable[Any], kind: str) -> str:
        return "".join(f"<{kind}>{html.escape(str(x))}</{kind}>" for x in cells)

    body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in rows)
    caption = f"<caption>{html.escape(title)}</caption>" if title else ""
    return (
        f"<table>{caption}<thead><tr>{row(header, 'th')}</tr></thead><tbody>{body}</tbody></table>"
    )


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise ImportError(f"frames of {name} need it: pip install {name}") from None


class Named(dict):
    """name -> array; a name that is not there is answered with those that are."""

    def __missing__(self, name: Any) -> Any:
        hint = closest_hint(str(name), self) or f"; known: {', '.join(self) or 'nothing'}"
        raise KeyError(f"no {name!r}{hint}")


class Series(Named):
    """name -> (T,) array, one number an iteration; iterations count from 1."""

    def to_pandas(self) -> Any:
        """A DataFrame: one row an iteration, one column a name. ImportError without pandas."""
        pandas = _library("pandas")
        index = pandas.RangeIndex(1, self._rows() + 1, name="iteration")
        return pandas.DataFrame(dict(self), index=index)

    def to_xarray(self) -> Any:
        """A Dataset over the dimension iteration. ImportError without xarray."""
        xarray = _library("xarray")
        data = {name: ("iteration", np.asarray(x)) for name, x in self.items()}
        return xarray.Dataset(data, coords={"iteration": np.arange(1, self._rows() + 1)})

    def _rows(self) -> int:
        return max(map(len, self.values()), default=0)

    def __repr__(self) -> str:
        return f"Series of {self._rows()} iterations: {', '.join(self) or 'nothing'}"

    def _repr_html_(self) -> str:
        rows = [(name, f"{x[-1]:.6g}") for name, x in self.items() if len(x)]
        return table_html(("series", "last"), rows, f"{self._rows()} iterations")


class EvaluationList(list):
    """EvaluationResults in the order in which they were made."""

    def __getitem__(self, which: Any) -> Any:
        try:
            return super().__getitem__(which)
        except IndexError:
            raise IndexError(f"no evaluation {which}: there are {len(self)}") from None

    def to_pandas(self) -> Any:
        """A DataFrame: one row an evaluation, with mean and error of the energy, of every term and
        of the observables' components. ImportError without pandas.
        """
        pandas = _library("pandas")
        rows = [_row(found) for found in self]
        return pandas.DataFrame(rows, index=pandas.RangeIndex(len(rows), name="evaluation"))

    def to_xarray(self) -> Any:
        """A Dataset over the dimension evaluation; observables, as NAME and NAME_error, over their
        components too. ImportError without xarray.
        """
        xarray = _library("xarray")
        data: dict[str, Any] = {}
        plain = [_row(found, components=False) for found in self]
        for name in dict.fromkeys(k for row in plain for k in row):
            data[name] = ("evaluation", np.array([row.get(name, np.nan) for row in plain]))
        coordinates: dict[str, Any] = {"evaluation": np.arange(len(self))}
        for name, observed in (o for found in self for o in found.observables.items()):
            along = f"{name}_component"
            coordinates[along] = list(map(str, observed.labels))
            for key, part in ((name, "mean"), (f"{name}_error", "error")):
                data[key] = (("evaluation", along), self._components(name, part, observed.labels))
        return xarray.Dataset(data, coords=coordinates)

    def _components(self, name: str, part: str, labels: Any) -> np.ndarray:
        rows = []
        for found in self:
            own = found.observables.get(name)
            fits = own is not None and own.labels == labels
            # the field of its estimates that was asked for
            rows.append(getattr(own, part) if fits else np.full(len(labels), np.nan))
        return np.array(rows)

    def __repr__(self) -> str:
        lines = [f"  {k}: {found}" for k, found in enumerate(self[-2:], max(0, len(self) - 2))]
        return "\n".join([f"{len(self)} evaluation{'s' if len(self) != 1 else ''}", *lines])

    def _repr_html_(self) -> str:
        rows = [(k, found.estimates["energy"], found.steps) for k, found in enumerate(self)]
        return table_html(("evaluation", "energy", "measurements"), rows)


def _row(found: EvaluationResult, components: bool = True) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, e in found.estimates.items():
        row |= {name: e.mean, f"{name}_error": e.error, f"{name}_blocking": e.blocking}
    for name in ("variance", "autocorrelation", "rhat", "acceptance", "steps", "walkers"):
        row[name] = getattr(found, name)  # columns are named as the fields are
    for observable, own in found.observables.items() if components else ():
        for label, mean, error in zip(own.labels, own.mean, own.error, strict=True):
            row |= {f"{observable} {label}": mean, f"{observable} {label}_error": error}
    return row
