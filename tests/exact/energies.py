"""Energies that are known: exact to the digits shown, each with its source."""

# Two electrons, singlet, parabolic trap, hartree: (dimensions, omega) -> energy. M. Taut, Phys.
# Rev. A 48, 3561 (1993); radial equation.
TWO_ELECTRONS = {
    (2, 1.0): 3.0,
    (2, 0.5): 1.6597721,
    (2, 0.28): 1.0216440,
    (2, 1 / 6): 0.6666667,
    (2, 0.1): 0.4407919,
    (2, 0.01): 0.0738350,
    (3, 1.0): 3.7301210,
    (3, 0.5): 2.0,
    (3, 0.28): 1.2017179,
    (3, 1 / 6): 0.7691304,
    (3, 0.1): 0.5,
    (3, 0.01): 0.0792053,
}


def ideal_gas(particles, dimensions, omega):
    """n d omega / 2."""
    return 0.5 * particles * dimensions * omega


def gaussian_trial(particles, dimensions, alpha):
    """Energy of exp(-alpha sum r^2) in the trap omega = 1: n d (alpha/2 + 1/(8 alpha))."""
    return particles * dimensions * (0.5 * alpha + 0.125 / alpha)


def gaussian_trial_variance(particles, dimensions, alpha):
    """Variance of E_L = n d alpha + (1/2 - 2 alpha^2) sum r^2, with <r_c^2> = 1/(4 alpha) for every
    coordinate.
    """
    return particles * dimensions * (0.5 - 2.0 * alpha**2) ** 2 * 2.0 / (4.0 * alpha) ** 2
