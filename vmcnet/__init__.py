"""vmcnet: a distributed variational Monte Carlo and training engine."""

from vmcnet.version import VERSION as __version__
