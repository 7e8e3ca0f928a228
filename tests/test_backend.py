"""Random streams: distributions, independence of blocks and stages, and the same words for ever."""

import numpy as np
from scipy.stats import kstest

from vmcnet.backend.arrays import namespace, to_host
from vmcnet.backend.stream import Stream

FROZEN_UNIFORM = [0.20868166048383913, 0.9226828512395973]
FROZEN_NORMAL = [-1.6260626880305604, -0.3074265492282423, -0.6998648599196464]


def test_distributions():
    stream = Stream(1, 2, 3, 4)
    uniform, normal = stream.uniform((300, 400)).ravel(), stream.normal((300, 401)).ravel()
    assert kstest(uniform, "uniform").pvalue > 1e-3 and kstest(normal, "norm").pvalue > 1e-3
    assert uniform.min() > 0.0 and uniform.max() < 1.0
    assert abs(np.corrcoef(normal[:-1], normal[1:])[0, 1]) < 4 / np.sqrt(normal.size)
    half = normal[: normal.size // 2 * 2].reshape(2, -1)  # the cosine and the sine half
    assert abs(np.corrcoef(half)[0, 1]) < 4 / np.sqrt(half.shape[1])
    assert abs(np.corrcoef(half**2)[0, 1]) < 4 / np.sqrt(half.shape[1])


def test_keys_give_different_words():
    seen = {Stream(*key).uniform((4,)).tobytes() for key in np.ndindex(3, 3, 3, 3)}
    assert len(seen) == 81
    assert Stream(5, 1, 2, 3).normal((7,)).tobytes() == Stream(5, 1, 2, 3).normal((7,)).tobytes()


def test_blocks_do_not_overlap():
    """A block's counter has 2^128 words to itself: the block before never reaches it."""
    long, after = Stream(1, 2, 0, 0).uniform((100_000,)), Stream(1, 2, 0, 1).uniform((4,))
    assert not np.isin(after, long).any()


def test_the_words_are_the_same_for_ever():
    """Frozen values: runs must be repeatable with another NumPy. Philox 4x64-10, own transforms."""
    assert Stream(7, 2, 5, 3).uniform((2,)).tolist() == FROZEN_UNIFORM
    np.testing.assert_allclose(Stream(7, 2, 5, 3).normal((3,)), FROZEN_NORMAL, rtol=1e-15)


def test_namespace():
    assert namespace(np.ones(2)) is np and namespace(1.0) is np
    assert to_host(np.ones(2)).sum() == 2
