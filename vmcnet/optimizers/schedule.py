"""Schedules of the learning rate: a factor for every iteration, a function of the iteration
alone.
"""

from __future__ import annotations

import math

from vmcnet.arguments import Recording, number, positive, recorded, whole


class Constant(Recording):
    """1; in the first `warmup` iterations (t + 1)/(warmup + 1), a linear rise. t counts from 0.

    A subclass gives decay(t), t from the end of the warm-up.
    """

    name = "constant"

    @recorded
    def __init__(self, warmup: int = 0):
        self.warmup = whole(f"{type(self).__name__} warmup", warmup)

    def factor(self, iteration: int) -> float:
        if iteration < self.warmup:
            return (iteration + 1.0) / (self.warmup + 1.0)
        return self.decay(iteration - self.warmup)

    def decay(self, t: int) -> float:
        return 1.0


class InverseDecay(Constant):
    """1/(1 + t/delay)^power: with 1/2 < power <= 1 the steps fulfil sum = infinity, sum of squares
    < infinity.

    Robbins and Monro, Ann. Math. Stat. 22, 400 (1951), eq. 6.
    """

    name = "inverse_decay"

    def __init__(self, delay: float, power: float = 1.0, warmup: int = 0):
        super().__init__(warmup)
        self.delay = positive("InverseDecay delay", delay)
        self.power = positive("InverseDecay power", power)

    def decay(self, t: int) -> float:
        return (1.0 + t / self.delay) ** -self.power


class Cosine(Constant):
    """floor + (1 - floor)(1 + cos(pi t/iterations))/2, and floor after `iterations`.

    Loshchilov and Hutter, arXiv:1608.03983, eq. 5, without restarts.
    """

    name = "cosine"

    def __init__(self, iterations: int, floor: float = 0.0, warmup: int = 0):
        super().__init__(warmup)
        self.iterations = whole("Cosine iterations", iterations, 1)
        self.floor = number("Cosine floor", floor, least=0, most=1)

    def decay(self, t: int) -> float:
        return self.floor + 0.5 * (1.0 - self.floor) * (
            1.0 + math.cos(math.pi * min(t / self.iterations, 1.0))
        )
