"""Steps of conjugate gradients on whole vectors (P,); float64, one thread."""

from __future__ import annotations

from vmcnet.kernels.compiled import compiled


@compiled
def inner(a, b):
    """a . b: eight chains side by side, then the rest."""
    whole = len(a) - len(a) % 8
    s = t = u = v = w = x = y = z = 0.0
    for p in range(0, whole, 8):
        s += a[p] * b[p]
        t += a[p + 1] * b[p + 1]
        u += a[p + 2] * b[p + 2]
        v += a[p + 3] * b[p + 3]
        w += a[p + 4] * b[p + 4]
        x += a[p + 5] * b[p + 5]
        y += a[p + 6] * b[p + 6]
        z += a[p + 7] * b[p + 7]
    total = ((s + w) + (u + y)) + ((t + x) + (v + z))
    for p in range(whole, len(a)):
        total += a[p] * b[p]
    return total


@compiled
def shifted(image, shift, search):
    """image += shift search; returns search . image."""
    for p in range(len(image)):
        image[p] += shift * search[p]
    return inner(search, image)


@compiled
def stepped(y, residual, search, image, step):
    """y += step search and residual -= step image; returns |residual|^2."""
    for p in range(len(y)):
        y[p] += step * search[p]
        residual[p] -= step * image[p]
    return inner(residual, residual)


@compiled
def followed(search, residual, factor):
    """search = residual + factor search."""
    for p in range(len(search)):
        search[p] = residual[p] + factor * search[p]
