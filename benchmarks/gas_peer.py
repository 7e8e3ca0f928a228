"""The public message-passing example of the electron gas (github.com/cqsl/mp-nqs, electrongas.py:
14 electrons, r_s = 2) on the NetKet of this Python, one core: CPU seconds and energy of every
iteration.

    python benchmarks/gas_peer.py CHECKOUT [ITERATIONS [CHUNK]]     (a Python that has netket)

Its model, Ewald sum and settings are those of the checkout (where jnp.hstack of lists in
src/MPNN.py has to become np.hstack); what its example builds with names that NetKet has renamed
since is built here with today's. CHUNK: walkers evaluated at a time, 1 in the example. Compare with
`vmcnet run jobs/electron_gas_14.toml`, whose report gives CPU seconds.
"""

import os
import resource
import sys

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import netket as nk
from netket.experimental.geometry import Cell
from netket.experimental.hilbert import Particle


def cpu_seconds():
    return sum(resource.getrusage(resource.RUSAGE_SELF)[:2])


def main(checkout, iterations=3, chunk=1):
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    sys.path.insert(0, checkout)
    from src._potentials import ewald_coulomb
    from src.MPNQS import MPNQS

    n, r_s = 14, 2.0
    length = float((4 * jnp.pi / 3 * n) ** (1 / 3))
    hilbert = Particle(N=n, geometry=Cell(d=3, L=length, pbc=True))
    sampler = nk.sampler.MetropolisGaussian(hilbert, sigma=0.04, n_chains=12, sweep_size=64)
    kinetic = nk.operator.KineticEnergy(hilbert, mass=r_s**2)
    coulomb = nk.operator.PotentialEnergy(
        hilbert, lambda x: ewald_coulomb(x, length, alpha=1.0, kmax=20)
    )
    model = MPNQS(n_per_spin=(n // 2, n // 2), sdim=3, L=length)
    state = nk.vqs.MCState(
        sampler, model, n_samples=1024, n_discard_per_chain=32, chunk_size=int(chunk)
    )
    driver = nk.driver.VMC(
        kinetic + 1 / r_s * coulomb,
        nk.optimizer.Sgd(0.05),
        variational_state=state,
        preconditioner=nk.optimizer.SR(diag_shift=0.0001),
    )
    print(f"netket {nk.__version__}, jax {jax.__version__}, {state.n_parameters} parameters,")
    print(f"{state.n_samples} samples", flush=True)
    last = cpu_seconds()
    for k in range(int(iterations)):
        driver.run(1, show_progress=False)
        now = cpu_seconds()
        print(f"{k + 1} {now - last:.1f} CPU s, total energy {driver.energy}", flush=True)
        last = now


if __name__ == "__main__":
    main(*sys.argv[1:])
