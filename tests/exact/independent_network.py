"""The message-passing network of a periodic cube written out over ordered pairs, for the programs
of this folder that share nothing with the engine.
"""

import numpy as np


def hidden(v, r, s, length, passes):
    """States (W, n, F) of the network with weights v, by name, at r (W, n, d), spins s (W, n)."""
    n, x = r.shape[1], 2 * np.pi * (r[:, :, None] - r[:, None]) / length
    size = np.sqrt((np.sin(x / 2) ** 2).sum(axis=-1, keepdims=True))
    like = (s[:, :, None] * s[:, None])[..., None]
    f = np.concatenate([np.sin(x), np.cos(x), size**2 / (0.2 + size), like], axis=-1)
    f = np.tanh(f @ v["pair_weights"] + v["pair_bias"])
    others, h = (~np.eye(n, dtype=bool))[None, :, :, None], None
    for t in range(1, passes + 1):
        e = np.tanh(f @ v[f"edge{t}_weights"] + v[f"edge{t}_bias"]) * others
        if h is not None:
            e = e * (h @ v[f"value{t}_weights"])[:, None]
        m = e.sum(axis=2) @ v[f"message{t}_weights"] / np.sqrt(n)
        if h is None:
            h = np.tanh(m + v[f"update{t}_bias"])
        else:
            h = h + np.tanh(h @ v[f"own{t}_weights"] + m + v[f"update{t}_bias"])
    return h
