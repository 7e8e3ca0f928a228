"""The CUDA source compiled for the host, thread after thread: a module `cupy` of the strict
stand-in that runs the device kernels without a GPU.

The kernels share nothing between threads (no shared memory, no barriers), so that any order of them
is a valid one.
"""

import ctypes
import shutil
import subprocess
import sys
import types
import zlib

import numpy as np
import pytest

from tests.device import fakecupy

PRELUDE = r"""
#include <cmath>
#include <cstddef>
#include <utility>
using namespace std;
struct Index { unsigned x; };
static Index blockIdx, threadIdx, blockDim;
#define __global__
#define __device__ static
typedef unsigned long long wide;
static wide __umul64hi(wide a, wide b) { return (wide)((unsigned __int128)a * b >> 64); }

template <typename... A, size_t... I>
static void run(void (*kernel)(A...), unsigned blocks, unsigned threads, void** arguments,
                index_sequence<I...>)
{
    blockDim.x = threads;
    for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++)
        for (threadIdx.x = 0; threadIdx.x < threads; threadIdx.x++) kernel(*(A*)arguments[I]...);
}
template <typename... A>
static void launch(void (*kernel)(A...), unsigned blocks, unsigned threads, void** arguments)
{
    run(kernel, blocks, threads, arguments, index_sequence_for<A...>());
}
"""


def library(folder, source, names):
    """The kernels `names` of the source as C functions launch_0, launch_1 ...; skips where there is
    no C++ compiler.
    """
    compiler = shutil.which("c++") or pytest.skip(
        "NOT TESTED: the CUDA sources on the host, because there is no C++ compiler"
    )
    stem = f"kernels{zlib.crc32(source.encode())}"
    entries = "".join(
        f'extern "C" void launch_{k}(unsigned b, unsigned t, void** a) {{ launch(&{name}, b, t, '
        f"a); }}\n"
        for k, name in enumerate(names)
    )
    (folder / f"{stem}.cpp").write_text(PRELUDE + source + entries)
    done = subprocess.run(
        [
            compiler,
            "-O1",
            "-std=c++17",
            "-shared",
            "-fPIC",
            "-o",
            str(folder / f"{stem}.so"),
            str(folder / f"{stem}.cpp"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(folder / f"{stem}.so"))


class RawModule:
    """As cupy.RawModule: get_function(name)((blocks,), (threads,), arguments)."""

    folder = None

    def __init__(self, code, options, name_expressions):
        self._names = list(name_expressions)
        self._library = library(self.folder, code, self._names)

    def get_function(self, name):
        function = getattr(self._library, f"launch_{self._names.index(name)}")

        def launch(blocks, threads, arguments):
            held = [
                a._host if isinstance(a, fakecupy.ndarray) else np.asarray(a) for a in arguments
            ]
            for given, array in zip(arguments, held, strict=True):
                assert isinstance(given, fakecupy.ndarray | np.generic), (
                    f"{name}: {type(given)} is neither a device array nor a NumPy scalar"
                )
                assert array.flags.c_contiguous, f"{name}: an array that is not contiguous"
            values = [
                ctypes.c_void_p(a.ctypes.data) if isinstance(g, fakecupy.ndarray) else a
                for g, a in zip(arguments, held, strict=True)
            ]
            pointers = (ctypes.c_void_p * len(values))(
                *(
                    ctypes.addressof(v) if isinstance(v, ctypes.c_void_p) else v.ctypes.data
                    for v in values
                )
            )
            function(ctypes.c_uint(blocks[0]), ctypes.c_uint(threads[0]), pointers)

        return launch


LOADED = (
    "vmcnet.kernels.gpu",
    "vmcnet.kernels.linalg_gpu",
    "vmcnet.wavefunctions.machines.device",
)


def gpu_module(folder):
    """vmcnet.kernels.gpu and the device kernels of machines on the stand-in.

    sys.modules is left as it was.
    """
    standin, kept = (
        types.ModuleType("cupy"),
        {name: sys.modules.pop(name, None) for name in ("cupy", *LOADED)},
    )
    standin.__getattr__ = lambda name: getattr(sys.modules["fakecupy"], name)
    standin.RawModule = type("Hosted", (RawModule,), {"folder": folder})
    sys.modules["cupy"] = standin
    try:
        import vmcnet.kernels
        from vmcnet.kernels import gpu, linalg_gpu
        from vmcnet.wavefunctions import machines
        from vmcnet.wavefunctions.machines import device
    finally:
        for name, module in kept.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module
        vmcnet.kernels.__dict__.pop("gpu", None)
        vmcnet.kernels.__dict__.pop("linalg_gpu", None)
        machines.__dict__.pop("device", None)
    return types.SimpleNamespace(gpu=gpu, linalg=linalg_gpu, machines=device)
