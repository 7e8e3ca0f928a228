"""Determinants with pair excitations: det A_up det A_down (1 + sum_o c_o T_o)."""

from __future__ import annotations

import numpy as np

from vmcnet import kernels
from vmcnet.backend.arrays import on_host
from vmcnet.calculus.jet import ALL, CONSTANT, embed
from vmcnet.calculus.operation import Operation


class PairForms:
    """The forms T_o = sum value R[first] R'[second] of all classes o, R and R' flattened, in the
    order (up, down), (up, up), (down, down): `parts` has class, first, second, value of each.

    What classes share is merged: sum_o c_o T_o has one number for every pair (first, second).
    """

    def __init__(self, classes: int, parts):
        self.classes = classes
        types = np.int64, np.int64, np.int64, np.float64
        self.parts = [
            tuple(np.asarray(x, t) for x, t in zip(part, types, strict=True)) for part in parts
        ]
        self.pairs, self._inverse = [], []
        for _, first, second, _ in self.parts:
            size = int(second.max()) + 1 if len(second) else 1
            keys, inverse = np.unique(first * size + second, return_inverse=True)
            self.pairs.append((keys // size, keys % size))
            self._inverse.append(inverse.reshape(-1))
        self._arrays, self._known = {}, {}

    def numbers(self, xp, c):
        """The pairs' numbers for coefficients c (classes,), one array for every part."""
        if not on_host(c):
            return [xp.matmul(m, c) for m in self._matrices(xp, c.dtype)]
        key = c.dtype, c.tobytes()
        if self._known.get("key") != key:
            found = []
            for (class_, _, _, value), inverse, pairs in zip(
                self.parts, self._inverse, self.pairs, strict=True
            ):
                total = np.zeros(len(pairs[0]), np.result_type(value, c))
                np.add.at(total, inverse, value * c[class_])
                found.append(total.astype(c.dtype))
            self._known = {"key": key, "numbers": found}
        return self._known["numbers"]

    def _matrices(self, xp, dtype):
        if (xp, dtype) not in self._arrays:
            made = []
            for (class_, _, _, value), inverse, pairs in zip(
                self.parts, self._inverse, self.pairs, strict=True
            ):
                matrix = np.zeros((len(pairs[0]), self.classes))
                np.add.at(matrix, (inverse, class_), value)
                made.append(xp.asarray(matrix.astype(dtype)))
            self._arrays[xp, dtype] = made
        return self._arrays[xp, dtype]

    def indices(self, xp):
        """(first, second) of the merged pairs, one of every part."""
        if xp not in self._arrays:
            self._arrays[xp] = [tuple(xp.asarray(k) for k in pair) for pair in self.pairs]
        return self._arrays[xp]

    def entries(self, xp, dtype):
        """class, first, second, value of every part, value of this real type."""
        if (xp, dtype, "entries") not in self._arrays:
            self._arrays[xp, dtype, "entries"] = [
                (*(xp.asarray(x) for x in part[:3]), xp.asarray(part[3].astype(dtype)))
                for part in self.parts
            ]
        return self._arrays[xp, dtype, "entries"]


class Excited(Operation):
    """sign and log of det A_up det A_down S, S = 1 + sum_o c_o T_o(R_up, R_down), R = A^-1 V: A (w,
    m, m) occupied and V (w, m, v) virtual orbitals of either spin (or of one), c (classes,) a
    parameter. With c = 0 it is the determinant, to the bit. Complex: None and the complex log.

    With M_s = A^-1 A_s: R_c = A^-1 V_c - M_c R, R_L = A^-1 V_L - M_L R - 2 sum_c M_c R_c; S_c =
    G.R_c with G = dS/dR, S_L = G.R_L + 2 sum_c S(R_c, R_c) without the 1. Reverse: with f = adj/S
    and H = f A^-T G: H to V, adj A^-T - H R^T to A, f T_o to c_o.
    """

    name, keeps = "excited", True

    @staticmethod
    def _spins(args):
        """[(A, V), ...] and c."""
        return [args[k : k + 2] for k in range(0, len(args) - 1, 2)], args[-1]

    def _parts(self, xp, spins):
        """Inverse, ratios R, sign and log of every spin; one spin: the other is empty."""
        parts = []
        for a, v in spins:
            back, sign, log = kernels.of(xp, a.dtype).inverse(a)
            ratios = xp.matmul(xp.where((sign == 0)[:, None, None], 0.0, back), v)
            parts.append((back, ratios, sign, log))
        if len(parts) == 1:
            back, ratios, sign, log = parts[0]
            parts.append((back[:, :0, :0], ratios[:, :0], xp.ones_like(sign), xp.zeros_like(log)))
        return parts

    def _value(self, xp, parts, c, forms):
        """sign, log and S."""
        (_, r, sign_r, log_r), (_, q, sign_q, log_q) = parts
        numbers, indices = forms.numbers(xp, c), forms.indices(xp)
        total = 1.0 + kernels.of(xp, r.dtype).pair_sum(_flat(r), _flat(q), indices, numbers)
        sign, log = sign_r * sign_q, log_r + log_q
        if total.dtype.kind == "c":
            return sign, log + 1j * xp.angle(sign) + xp.log(total), total
        size = abs(total)
        zero = size == 0
        log = log + xp.where(zero, -xp.inf, xp.log(xp.where(zero, 1.0, size)))
        return sign * xp.sign(total), log, total

    def value(self, xp, *args, forms):
        spins, c = self._spins(args)
        return self._value(xp, self._parts(xp, spins), c, forms)[:2]

    def record(self, xp, *args, forms):
        spins, c = self._spins(args)
        parts = self._parts(xp, spins)
        sign, log, total = self._value(xp, parts, c, forms)
        return (sign, log), (parts, total)

    def jet(self, xp, *args, forms):
        spins, c = self._spins(args)
        jets = [x if x.support == CONSTANT else embed(xp, x, ALL) for s in spins for x in s]
        wide = next((j for j in jets if j.support == ALL), None)
        parts = self._parts(xp, [(a.value, v.value) for a, v in spins])
        c = c.slots[0]
        sign, log, total = self._value(xp, parts, c, forms)
        if wide is None:
            return jets[0].like(sign[None], CONSTANT), jets[0].like(log[None], CONSTANT)
        jets = [embed(xp, j, ALL).slots for j in jets]
        if len(jets) == 2:
            jets += [jets[0][:, :, :0, :0], jets[1][:, :, :0]]
        own = kernels.of(xp, jets[0].dtype)
        numbers, indices = forms.numbers(xp, c), forms.indices(xp)
        fields = own.pair_fields(_flat(parts[0][1]), _flat(parts[1][1]), indices, numbers)
        out = own.excited_jet(
            [p[0] for p in parts],
            [p[1] for p in parts],
            [g.reshape(p[1].shape) for g, p in zip(fields, parts, strict=True)],
            jets,
            indices,
            numbers,
            total,
        )
        out[0] = log
        return wide.like(sign[None], CONSTANT), wide.like(out)

    def reverse(self, xp, adjoint, out, *args, forms, kept, per_walker=False):
        spins, c = self._spins(args)
        parts, total = kept
        (_, r, *_), (_, q, *_) = parts
        u, v, f = _flat(r), _flat(q), adjoint / total
        own = kernels.of(xp, r.dtype)
        fields = own.pair_fields(u, v, forms.indices(xp), forms.numbers(xp, c))
        result = []
        for (back, ratios, *_), g, _ in zip(parts, fields, spins, strict=False):
            turned = xp.swapaxes(back, -1, -2)
            h = xp.matmul(turned, (g * f[:, None]).reshape(ratios.shape))
            da = adjoint[:, None, None] * turned - xp.matmul(h, xp.swapaxes(ratios, -1, -2))
            result += [da, h]
        dc = own.pair_classes(u, v, forms.entries(xp, c.dtype), forms.classes) * f[:, None]
        return (*result, dc if per_walker else dc.sum(axis=0))


def _flat(ratios):
    return ratios.reshape(len(ratios), -1)


EXCITED = Excited()
