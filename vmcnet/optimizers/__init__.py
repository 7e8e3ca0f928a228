"""Optimizers and schedules of the learning rate."""

from vmcnet.optimizers.adagrad import AdaGrad
from vmcnet.optimizers.adam import Adam
from vmcnet.optimizers.base import Optimizer
from vmcnet.optimizers.momentum import Momentum
from vmcnet.optimizers.natural_gradient import SR, SRCG, MinSR, NaturalGradient
from vmcnet.optimizers.rmsprop import RMSprop
from vmcnet.optimizers.robust import RobustSR
from vmcnet.optimizers.schedule import Constant, Cosine, InverseDecay
from vmcnet.optimizers.sgd import SGD
from vmcnet.optimizers.spring import MARCH, SPRING

__all__ = [
    "MARCH",
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
    "RobustSR",
]
