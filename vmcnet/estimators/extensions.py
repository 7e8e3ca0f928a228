"""Wavefunctions with more parameters that start as a given one: wider networks, further
determinants, excitations into more shells; and the list of all that `limits` looks at.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from vmcnet.backend.arrays import to_host
from vmcnet.backend.stream import Stream
from vmcnet.estimators import candidates
from vmcnet.estimators.candidates import Candidate, Sample
from vmcnet.wavefunctions.base import Product, Wavefunction
from vmcnet.wavefunctions.heads import HEADS
from vmcnet.wavefunctions.hidden_fermions import HiddenFermions
from vmcnet.wavefunctions.network_jastrow import NetworkJastrow
from vmcnet.wavefunctions.pfaffian import Pfaffian
from vmcnet.wavefunctions.slater import Slater

FURTHER = 8  # determinants with random orbitals
NAMES = {
    "backflow": "backflow",
    "complex_backflow": "complex backflow",
    "virtual_backflow": "virtual backflow",
    "orbitals": "orbital factors",
    "jastrow": "network Jastrow",
}


class Extended:
    """The parameters that a richer wavefunction has beyond psi, at starting values that leave psi
    as it is: classes of pair excitations, a wider network, a factor of one's own.

    wavefunction: built for the same system, with the names of psi for what both have. values:
    other starting values of the richer one, name -> array. places: where an array of psi stands in
    a larger one of the same name, name -> index; its leading corner unless given. opened: what is a
    direction, name -> index; it is 0 at the start. Unless given, all parameters that psi does not
    have, at their starting values. factors: what an array of psi is times there. Raises ValueError
    where it has no more parameters, lacks one, or is not psi at its start.
    """

    def __init__(
        self,
        name: str,
        wavefunction: Any,
        values: dict | None = None,
        places: dict | None = None,
        opened: dict | None = None,
        factors: dict | None = None,
    ) -> None:
        self.name, self.wavefunction = name, wavefunction
        self._values, self._places = values or {}, places or {}
        self._opened, self._factors = opened, factors or {}
        self._bound: dict[int, Any] = {}

    def start(self, values: dict) -> dict:
        """Parameters of the richer wavefunction, name -> array, at which it is psi of `values`:
        what vmc.train takes as `start`.
        """
        out = self.wavefunction.initial(Stream(0, 0, 0, 0)) | self._values
        out = {name: np.array(value, dtype=np.float64) for name, value in out.items()}
        lacking = sorted(set(values) - set(out))
        if lacking or (self._opened is None and len(out) == len(values)):
            raise ValueError(
                f"limits, {self.name}: expected the parameters of psi and more; "
                f"{'it lacks ' + ', '.join(lacking) if lacking else 'it has no more'}"
            )
        for name, index in (self._opened or {}).items():
            out[name][index] = 0.0
        for name, given in values.items():
            own = np.asarray(given) * self._factors.get(name, 1.0)
            if own.shape == out[name].shape:
                out[name] = own
                continue
            try:
                out[name][self._places.get(name, tuple(slice(n) for n in own.shape))] = own
            except (ValueError, IndexError) as error:
                raise ValueError(
                    f"limits, {self.name}: {name} has the shape {out[name].shape}, which does not "
                    f"hold {own.shape} of psi"
                ) from error
        return out

    def _at(self, sample: Sample) -> Any:
        """The richer wavefunction bound at the parameters of psi, made once for each psi."""
        key = id(sample.psi)
        if key not in self._bound:
            bound = self.wavefunction.bind(self.wavefunction.layout.pack(self.start(sample.values)))
            r, s = sample.walkers.r, sample.walkers.s
            ratio = to_host(bound.ratio(r, s, sample.psi.amplitude(r, s)))
            size = np.abs(to_host(sample.psi.log(r, s)))
            phase = ratio[:1] / np.abs(ratio[:1])  # a common one is none
            if not (np.abs(ratio - phase) < 1e-4 + 1e-6 * size).all():
                raise ValueError(
                    f"limits, {self.name}: at its starting values it is another function than psi"
                )
            self._bound = {key: (sample.psi, bound)}
        return self._bound[key][1]

    def columns(self, values: dict) -> np.ndarray:
        """Which numbers of theta are directions, where psi has the parameters `values`."""
        found = []
        for name, entry in self.wavefunction.layout.entries.items():
            numbers = np.arange(entry.start, entry.stop).reshape(entry.shape)
            if self._opened is None and name not in values:
                found.append(numbers.ravel())
            elif self._opened is not None and name in self._opened:
                found.append(numbers[self._opened[name]].ravel())
        return np.concatenate(found)

    def features(self, sample: Sample) -> np.ndarray:
        found = to_host(self._at(sample).log_derivatives(sample.walkers))
        return candidates.wide(found[:, self.columns(sample.values)])


def _arguments(made: Any) -> dict:
    """name -> value of what an object was made with."""
    given, named = made.made_with
    names = list(inspect.signature(type(made).__init__).parameters)[1:]
    return dict(zip(names, given, strict=False)) | named


def _changed(made: Any, **changes: Any) -> Any:
    """The same object made again with other arguments."""
    return type(made)(**(_arguments(made) | changes))


def _heads(factor: Any) -> tuple[str, ...]:
    given = _arguments(factor).get("heads")
    return ("backflow", "jastrow") if given is None else tuple(given)


def _grown_rows(factor: Any, richer: Any, names: Any) -> dict:
    """The rows that arrays of the richer factor have beyond those of `factor`."""
    old, new = factor.layout.entries, richer.layout.entries
    return {
        name: np.s_[old[name].shape[0] :]
        for name in names
        if name in old and name in new and old[name].shape[0] < new[name].shape[0]
    }


def _excited(factor: Slater) -> Extended:
    """One more empty shell to excite pairs into."""
    shells = _arguments(factor).get("excitations", 0)
    richer = _changed(factor, excitations=shells + 1)
    if factor.excitations is None:
        return Extended("pair excitations", richer, opened={"excitations": np.s_[:]})
    own = richer.excitations.places(factor.excitations)
    new = np.setdiff1d(np.arange(len(richer.excitations)), own)
    return Extended(
        "more pair excitations",
        richer,
        places={"excitations": own},
        opened={"excitations": new},
    )


def _mixed(factor: Slater) -> Extended:
    """One more empty shell mixed into the occupied orbitals."""
    mixing = _arguments(factor).get("mixing", 0)
    richer = _changed(factor, mixing=mixing + 1)
    names = [name for name in richer.layout.entries if name.startswith("mixing")]
    if not mixing:
        return Extended("mixed shells", richer, opened=dict.fromkeys(names, np.s_[:]))
    return Extended("mixed shells", richer, opened=_grown_rows(factor, richer, names))


def _with_head(name: str) -> Callable:
    def made(factor: Any) -> Extended:
        richer = _changed(factor, heads=[*_heads(factor), name])
        return Extended(NAMES[name], richer, opened={name: np.s_[:]})

    return made


def _further(factor: Slater) -> Extended:
    """More determinants, of orbitals with random factors or mixing, at weight 0."""
    given = _arguments(factor)
    count = given.get("determinants", 1)
    change: dict = {"determinants": count + FURTHER}
    if given.get("network") is not None:
        change["heads"] = [*dict.fromkeys([*_heads(factor), "orbitals"])]
    elif not given.get("mixing"):
        change["mixing"] = 1
    richer, stream = _changed(factor, **change), Stream(0, 0, 0, 1)
    old, new = factor.layout.entries, richer.layout.entries
    values: dict = {"weights": np.eye(count + FURTHER)[0]}
    places = {}
    sizes = [len(richer.occupied[spin]) for spin in richer.sets]
    for name in new:
        if name.startswith("mixing"):  # of every set of spins, the determinants side by side
            m = new[name].shape[1] // (count + FURTHER)
            values[name] = 0.5 * stream.normal(new[name].shape)
            values[name][:, : count * m] = 0.0
        elif name == "orbitals":
            firsts = np.cumsum([0, *(m * (count + FURTHER) for m in sizes)])
            own = [f + np.arange(count * m) for f, m in zip(firsts, sizes, strict=False)]
            columns = np.concatenate(own)
            values[name] = stream.normal(new[name].shape) / np.sqrt(new[name].shape[0])
            values[name][:, columns] = 0.0
            if name in old:
                places[name] = np.s_[:, columns]
    opened = {"weights": np.s_[count:]}
    return Extended("further determinants", richer, values, places, opened)


def _wider(factor: Any) -> Extended:
    """A wider network: what there is reads new hidden states with weights 0."""
    network = _arguments(factor)["network"]
    width = network.width + max(4, network.width // 4)
    richer = _changed(factor, network=_changed(network, width=width))
    opened: dict = {}
    factors = {}
    for name, entry in factor.layout.entries.items():
        new, old = richer.layout.entries[name].shape, entry.shape
        if new == old or len(new) < 2:
            continue
        if name.startswith("network_query"):  # of which scores have 1/sqrt(width)
            factors[name] = np.sqrt(width / network.width)
        if not name.startswith("network_") or name in factors:
            mask = np.ones(new, dtype=bool)
            mask[tuple(slice(n) for n in old)] = False
            opened[name] = mask
        elif new[0] > old[0]:
            opened[name] = np.s_[old[0] :, : old[1]]
    return Extended("wider network", richer, opened=opened, factors=factors)


def _deeper(factor: Any) -> Extended:
    """One more pass of messages, which adds nothing at the start."""
    network = _arguments(factor)["network"]
    richer = _changed(factor, network=_changed(network, passes=network.passes + 1))
    prefix = "" if isinstance(factor, NetworkJastrow) else "network_"
    last = network.passes + 1
    names = (f"own{last}_weights", f"message{last}_weights", f"update{last}_bias")
    return Extended("another pass", richer, opened={prefix + name: np.s_[:] for name in names})


def _more_shells(factor: Any) -> Extended:
    """One more shell of orbitals for a Pfaffian or hidden fermions."""
    richer = _changed(factor, shells=_arguments(factor).get("shells", 1) + 1)
    names = [name for name in richer.layout.entries if name not in factor.layout.entries]
    opened: dict = dict.fromkeys(names, np.s_[...])
    opened |= _grown_rows(factor, richer, ("hidden_orbitals", "pooled_weights"))
    return Extended("more shells", richer, opened=opened)


ADDITIONS: dict[type, tuple[Callable, ...]] = {
    Slater: (_excited, _mixed, _further),
    Pfaffian: (_more_shells,),
    HiddenFermions: (_more_shells,),
}
OF_NETWORKS: dict[type, tuple[Callable, ...]] = {
    Slater: (*map(_with_head, HEADS), _wider, _deeper),
    Pfaffian: (_wider, _deeper),
    HiddenFermions: (_deeper,),
    NetworkJastrow: (_deeper,),
}


def _offers(factor: Any) -> Iterator[Extended]:
    """What one factor offers; one that refuses (orbitals without classes of excitations) offers
    nothing of that kind.
    """
    additions = ADDITIONS.get(type(factor), ())
    if type(factor) in OF_NETWORKS and _arguments(factor).get("network") is not None:
        additions += OF_NETWORKS[type(factor)]
    for addition in additions:
        with suppress(ValueError):
            found = addition(factor)
            if found.wavefunction.layout.size > factor.layout.size:
                yield found


def richer(wavefunction: Any) -> Iterator[Extended]:
    """What the factors of psi offer: excitations, further determinants, heads, a wider and a deeper
    network.
    """
    if not isinstance(wavefunction, Product):
        yield from _offers(wavefunction)
        return
    names: set[str] = set()
    for k, factor in enumerate(wavefunction.factors):
        for found in _offers(factor):
            whole = _within(wavefunction, k, found)
            if whole.name in names:
                whole.name += f" ({wavefunction.names[k]})"
            names.add(whole.name)
            yield whole


def _within(product: Product, k: int, found: Extended) -> Extended:
    """The product with factor k in its richer form."""
    factors: list[Wavefunction] = [*product.factors]
    factors[k] = found.wavefunction
    new, label = Product(factors), product.names[k]
    parts = (found._values, found._places, found._opened or {}, found._factors)
    return Extended(
        found.name, new, *({f"{label}.{name}": x for name, x in part.items()} for part in parts)
    )


def default_candidates(system: Any, wavefunction: Any) -> list[Candidate]:
    """What is looked at unless a list is given: own parameters, Jastrow factors, displacements, and
    what `richer` finds.
    """
    found: list[Candidate] = [candidates.OwnParameters()] if wavefunction.layout.size else []
    if system.box is None:
        found += [candidates.OneBodyJastrow(), candidates.OneBodyBackflow()]
    if system.particles > 1:
        found += [candidates.PairJastrow(), candidates.PairBackflow()]
    if system.particles > 2:
        found += [candidates.TripleJastrow(), candidates.TripleBackflow()]
    return [*found, *richer(wavefunction)]


def chosen(wanted: Any, system: Any, wavefunction: Any) -> list[Candidate]:
    """Candidates from a list of objects and of names of `default_candidates`, which are all that
    are taken where there is no list; ValueError for an unknown name.
    """
    known = {c.name: c for c in default_candidates(system, wavefunction)}
    for one in wanted or ():
        if isinstance(one, str) and one not in known:
            raise ValueError(f"limits candidate {one!r}: expected one of {', '.join(known)}")
    return [known[c] if isinstance(c, str) else c for c in wanted or known.values()]
