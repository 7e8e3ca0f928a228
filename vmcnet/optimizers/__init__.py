"""Optimizers."""

from vmcnet.optimizers.adam import Adam
from vmcnet.optimizers.base import Optimizer
from vmcnet.optimizers.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer"]
