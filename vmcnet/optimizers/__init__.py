"""Optimizers and schedules of the learning rate."""

from vmcnet.optimizers.adagrad import AdaGrad
from vmcnet.optimizers.adam import Adam
from vmcnet.optimizers.base import Optimizer
from vmcnet.optimizers.momentum import Momentum
from vmcnet.optimizers.natural_gradient import SPRING, SR, SRCG, MinSR, NaturalGradient
from vmcnet.optimizers.rmsprop import RMSprop
from vmcnet.optimizers.schedule import Constant, Cosine, InverseDecay
from vmcnet.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "SPRING",
    "SR",
    "SRCG",
    "AdaGrad",
    "Adam",
    "Constant",
    "Cosine",
    "InverseDecay",
    "MinSR",
    "Momentum",
    "NaturalGradient",
    "Optimizer",
    "RMSprop",
]
