"""Central differences with two steps, in extended precision: a right rule's error falls 100 times
when h falls 10 times.
"""

import numpy as np

STEPS = (1e-2, 1e-3)
EXACT = 1e-9  # below this the difference formula is exact (polynomials of low degree)
EPS = float(np.finfo(np.longdouble).eps)


def by_order(analytic, differences, noise, what):
    """Fail unless `analytic` is the limit of differences(h): by order, or exactly."""
    errors = [float(np.max(np.abs(analytic - differences(h)))) for h in STEPS]
    if errors[1] < max(EXACT, noise):
        return
    ratio = errors[0] / errors[1]
    assert 60.0 < ratio < 160.0, (
        f"{what}: errors {errors} for steps {STEPS}, ratio {ratio:.3g}; expected 100"
    )


def check_jet(log, r, value, derivatives, laplacian, s=None):
    """value (W,), derivatives (n d, W), laplacian (W,) of log(r), a function of coordinates (W, n,
    d) of any number of walkers in any real precision; of log(r, s) with labels s (W, n).
    """
    r = r.astype(np.longdouble)
    directions = np.eye(r[0].size, dtype=r.dtype).reshape(-1, *r.shape[1:])
    moves = np.concatenate([0 * directions[:1], *(h * directions for k in STEPS for h in (k, -k))])
    places = (r + moves[:, None]).reshape(-1, *r.shape[1:])
    found = log(places) if s is None else log(places, np.tile(s, (len(moves), 1)))
    middle, *others = np.asarray(found).reshape(len(moves), len(r))
    others = np.reshape(others, (len(STEPS), 2, len(directions), len(r)))
    moved = dict(zip(STEPS, np.moveaxis(others, 1, 2), strict=True))  # h: (n d, 2, W)
    size = 1.0 + float(np.max(np.abs(middle)))
    assert derivatives.shape == (r[0].size, len(r)) and laplacian.shape == value.shape == (len(r),)
    assert np.max(np.abs(value - middle)) < 1e-13 * size
    by_order(
        derivatives,
        lambda h: (moved[h][:, 0] - moved[h][:, 1]) / (2 * h),
        10 * EPS * size / STEPS[1],
        "derivatives",
    )
    by_order(
        laplacian,
        lambda h: (moved[h].sum(axis=1) - 2 * middle).sum(axis=0) / h**2,
        100 * EPS * size / STEPS[1] ** 2,
        "Laplacian",
    )


def check_direction(log, slope, what):
    """slope (W,): the derivative of log(t) (W,) at t = 0."""
    size = 1.0 + float(np.max(np.abs(log(0.0))))
    by_order(slope, lambda h: (log(h) - log(-h)) / (2 * h), 10 * EPS * size / STEPS[1], what)
