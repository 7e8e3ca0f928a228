"""The CUDA source compiles for every type and function (nvrtc, no GPU needed); on a GPU the kernels
give what their host twins give.
"""

import ctypes
from pathlib import Path

import numpy as np
import pytest

from vmcnet.calculus.elementwise import ACTIVATIONS
from vmcnet.kernels import activations, cpu, cuda_linalg, cuda_source, ewald_cuda, plain
from vmcnet.wavefunctions.machines import sweep_cuda as cuda_machine


def nvrtc():
    """The compiler's library from the wheel nvidia-cuda-nvrtc-cu12; skips where the platform has
    none.
    """
    package = pytest.importorskip(
        "nvidia.cuda_nvrtc", reason="nvidia-cuda-nvrtc-cu12 is not installed (Linux only)"
    )
    folder = Path(next(iter(package.__path__))) / "lib"
    return ctypes.CDLL(str(next(folder.glob("libnvrtc.so*"))))


def compiled(source, names):
    """PTX of the source with every kernel of `names` instantiated; AssertionError with the
    compiler's log where it fails.
    """
    library, program = nvrtc(), ctypes.c_void_p()
    assert (
        library.nvrtcCreateProgram(
            ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None
        )
        == 0
    )
    for name in names:
        assert library.nvrtcAddNameExpression(program, name.encode()) == 0
    options = (ctypes.c_char_p * 2)(b"--std=c++17", b"--gpu-architecture=compute_70")
    code, size = library.nvrtcCompileProgram(program, 2, options), ctypes.c_size_t()
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    assert code == 0, log.value.decode()
    library.nvrtcGetPTXSize(program, ctypes.byref(size))
    ptx = ctypes.create_string_buffer(size.value)
    library.nvrtcGetPTX(program, ptx)
    lowered = ctypes.c_char_p()
    for name in names:
        assert library.nvrtcGetLoweredName(program, name.encode(), ctypes.byref(lowered)) == 0, name
        assert lowered.value in ptx.value
    return ptx.value.decode()


def test_the_source_compiles():
    names = [*cuda_source.NAMES, "philox_words", *cuda_machine.NAMES, *ewald_cuda.NAMES]
    ptx = compiled(cuda_source.SOURCE + cuda_machine.SOURCE + ewald_cuda.SOURCE, names)
    assert ptx.count(".entry") == len(names)
    assert "atom." not in ptx and "red." not in ptx  # no atomics: sums in a fixed order


def test_the_source_of_determinants_compiles():
    ptx = compiled(cuda_linalg.SOURCE, cuda_linalg.NAMES)
    assert ptx.count(".entry") == len(cuda_linalg.NAMES)
    assert "atom." not in ptx and "red." not in ptx


def test_a_mistake_in_the_source_is_seen():
    with pytest.raises(AssertionError, match="error"):
        compiled(
            cuda_source.SOURCE.replace("T f1 = slope[m], squares = 0;", "T f1 = slope[m];"),
            cuda_source.NAMES,
        )


def test_names_are_those_of_the_host():
    assert set(activations.NAMES) == set(cpu.ACTIVATIONS)
    order = cuda_source.SOURCE.split("enum {")[1].split("}")[0].replace(",", "").lower().split()
    assert tuple(order) == activations.NAMES


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("function", ACTIVATIONS, ids=lambda f: f.name)
def test_activations_on_a_gpu(function, dtype):
    cupy = pytest.importorskip("cupy")
    from vmcnet.kernels import gpu

    x = np.append(np.linspace(-30, 30, 1001), np.nan).astype(dtype)
    there, here = gpu.activation(function.name, cupy.asarray(x)), cpu.activation(function.name, x)
    for a, b in zip(there, here, strict=True):
        np.testing.assert_allclose(
            cupy.asnumpy(a), b, rtol=1e3 * np.finfo(dtype).eps, atol=1e2 * np.finfo(dtype).eps
        )
    bias = np.linspace(-1, 1, 3).astype(dtype)
    z, z2 = (cupy.asarray(x.reshape(-1, 3) - bias) for _ in range(2))
    z = gpu.layer(function.name, z, cupy.asarray(bias))
    z2, slope = gpu.layer_slope(function.name, z2, cupy.asarray(bias))
    for a, b in ((z, here[0]), (z2, here[0]), (slope, here[1])):
        np.testing.assert_allclose(
            cupy.asnumpy(a).ravel(),
            b,
            rtol=1e4 * np.finfo(dtype).eps,
            atol=1e3 * np.finfo(dtype).eps,
        )
    adjoint, kept = np.cos(x).reshape(-1, 3), ((0.0, 1.0, 0.0), False, 1)
    for a, b in zip(
        plain.layer_reverse(cupy, cupy.asarray(adjoint[:-1]), None, slope[:-1], *kept),
        cpu.layer_reverse(adjoint[:-1], None, cupy.asnumpy(slope[:-1]), *kept),
        strict=True,
    ):
        np.testing.assert_allclose(cupy.asnumpy(a), b, rtol=1e-4, atol=1e3 * np.finfo(dtype).eps)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_jet_rules_on_a_gpu(dtype):
    cupy = pytest.importorskip("cupy")
    from vmcnet.kernels import gpu

    rng = np.random.default_rng(2)
    for slots in (2, 3, 8, 44):
        jet, rest, jacobian = (
            rng.normal(size=s).astype(dtype)
            for s in ((slots, 7, 190), (3, 7, 190), (slots - 2, 1, 190))
        )
        there = cupy.asarray(jet)
        gpu.chain(there, *cupy.asarray(rest))
        cpu.chain(jet, *rest)
        np.testing.assert_allclose(
            cupy.asnumpy(there), jet, rtol=1e3 * np.finfo(dtype).eps, atol=1e3 * np.finfo(dtype).eps
        )
        other = rng.normal(size=jet.shape).astype(dtype)
        np.testing.assert_allclose(
            cupy.asnumpy(gpu.product(there, cupy.asarray(other))),
            cpu.product(cupy.asnumpy(there), other),
            rtol=1e3 * np.finfo(dtype).eps,
            atol=1e3 * np.finfo(dtype).eps,
        )
        if slots > 2:
            np.testing.assert_allclose(
                cupy.asnumpy(gpu.chain_linear(cupy.asarray(jacobian), *cupy.asarray(rest))),
                cpu.chain_linear(jacobian, *rest),
                rtol=1e3 * np.finfo(dtype).eps,
                atol=1e3 * np.finfo(dtype).eps,
            )


@pytest.mark.gpu
def test_words_on_a_gpu():
    cupy = pytest.importorskip("cupy")
    from vmcnet.kernels import gpu

    for first in (0, 3, 1021):
        known = np.random.Philox(key=[7, 2], counter=[0, 0, 5, 3]).random_raw(first + 501)[first:]
        assert np.array_equal(
            cupy.asnumpy(gpu.philox_words((7, 2), (0, 0, 5, 3), first, 501)), known
        )
