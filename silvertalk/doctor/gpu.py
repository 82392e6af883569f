"""The GPU, as a node needs it: driver, memory, CUDA's libraries, and the two libraries that run models on it.

Nothing here needs torch or CTranslate2 to be installed: the driver is asked through its own library, the others in a
process of their own, which may crash.
"""

from __future__ import annotations

import asyncio
import ctypes
import sys
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from silvertalk.doctor.finding import Finding

MIB = 1024**2
GIB = 1024**3
LEAST_GPU_BYTES = 7 * GIB
"""Weights are 1.6 GB (large-v3-turbo, float16) and 1.9 GB (XTTS, float32); the rest is two CUDA contexts, beams and the
audio in work, reckoned and not measured. A card sold as 8 GB reports a little less."""

DRIVER = "libcuda.so.1"
CUBLAS = "libcublas.so.12"
"""What CTranslate2 4.8 opens by this name on its first use of CUDA. It needs no cuDNN."""

PROBE_SECONDS = 120.0
"""torch alone takes 20 s from a cold disk."""

PROBE_CTRANSLATE2 = """
import ctranslate2, json
count = ctranslate2.get_cuda_device_count()
types = sorted(ctranslate2.get_supported_compute_types("cuda")) if count else []
print(json.dumps({"version": ctranslate2.__version__, "devices": count, "detail": " ".join(types)}))
"""
PROBE_TORCH = """
import json, torch
count = torch.cuda.device_count() if torch.cuda.is_available() else 0
print(json.dumps({"version": torch.__version__, "devices": count, "detail": torch.version.cuda or ""}))
"""

_TEXT_BYTES = 256


class Gpu(NamedTuple):
    name: str
    memory_bytes: int


class Driver(NamedTuple):
    """What the driver says: its CUDA version such as (12, 8), and the GPUs; or `problem` in its own words."""

    cuda: tuple[int, int] = (0, 0)
    gpus: tuple[Gpu, ...] = ()
    problem: str = ""


class Library(msgspec.Struct, frozen=True):
    """What a probe printed. `detail`: CTranslate2's compute types, torch's version of CUDA."""

    version: str
    devices: int
    detail: str


def ask_driver(library: str = DRIVER) -> Driver:
    """The driver's own account, through its C interface (CUDA Driver API, `cuInit` and its neighbours)."""
    try:
        cuda = ctypes.CDLL(library)
    except OSError as error:
        return Driver(problem=f"{library} cannot be loaded ({_reason(error, library)})")
    number, total = ctypes.c_int(), ctypes.c_size_t()
    if code := cuda.cuInit(0):
        return Driver(problem=f"the driver does not start (cuInit says {code})")
    cuda.cuDriverGetVersion(ctypes.byref(number))
    version = (number.value // 1000, number.value % 1000 // 10)
    if code := cuda.cuDeviceGetCount(ctypes.byref(number)):
        return Driver(version, problem=f"the driver counts no GPUs (cuDeviceGetCount says {code})")
    gpus = []
    for index in range(number.value):
        device, name = ctypes.c_int(), ctypes.create_string_buffer(_TEXT_BYTES)
        cuda.cuDeviceGet(ctypes.byref(device), index)
        cuda.cuDeviceGetName(name, _TEXT_BYTES, device)
        cuda.cuDeviceTotalMem_v2(ctypes.byref(total), device)
        gpus.append(Gpu(name.value.decode(errors="replace"), total.value))
    return Driver(version, tuple(gpus))


async def ask_library(program: str) -> Library | str:
    """Run a probe with this interpreter: what it printed, or the last line of its complaint."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-c", program),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            said, complaint = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"no answer within {PROBE_SECONDS:.0f} s"
    if process.returncode:
        lines = complaint.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it ended with {process.returncode}"
    return msgspec.json.decode(said, type=Library)


# --- judging ---------------------------------------------------------------------------------------------------------


def check_driver(driver: Driver) -> Finding:
    """Is there a GPU, and a driver that shows it?"""
    if driver.problem or not driver.gpus:
        return Finding(
            "GPU",
            False,
            f"No NVIDIA GPU can be used here: {driver.problem or 'the driver shows none'}.",
            "Install NVIDIA's driver; in a container, let the host give it the GPU (docker run --gpus all). "
            "Without one, use `--profile cpu`.",
        )
    shown = ", ".join(f"{gpu.name} ({gpu.memory_bytes / GIB:.0f} GiB)" for gpu in driver.gpus)
    return Finding("GPU", True, f"{shown}; the driver knows CUDA up to {_dotted(driver.cuda)}.")


def check_gpu_memory(driver: Driver) -> Finding | None:
    """Do the models fit into the first GPU, which is the one that is used?"""
    if not driver.gpus:
        return None
    gpu = driver.gpus[0]
    if gpu.memory_bytes < LEAST_GPU_BYTES:
        return Finding(
            "GPU memory",
            False,
            f"{gpu.name} has {gpu.memory_bytes / GIB:.1f} GiB; large Whisper and XTTS want {LEAST_GPU_BYTES // GIB}.",
            "Set STT_MODEL=whisper-small, or TTS_ENGINE=kokoro for a voice on the processor.",
        )
    return Finding("GPU memory", True, f"{gpu.memory_bytes / GIB:.0f} GiB are enough for both models.")


def check_cublas(library: str = CUBLAS) -> Finding:
    """Can CUDA's linear algebra be loaded under the name by which CTranslate2 opens it?"""
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return Finding(
            "cuBLAS",
            False,
            f"{library} cannot be loaded ({_reason(error, library)}): Whisper would fail at its first word.",
            "Install CUDA 12's cuBLAS: `pip install 'nvidia-cublas-cu12<13'`, and name its folder "
            "(site-packages/nvidia/cublas/lib) in LD_LIBRARY_PATH.",
        )
    return Finding("cuBLAS", True, f"{library} loads; no cuDNN is needed.")


def check_ctranslate2(found: Library | str, compute_type: str) -> Finding:
    """Does the library that runs Whisper see the GPU, and this arithmetic on it?"""
    name = "Whisper on the GPU"
    if isinstance(found, str):
        return Finding(
            name,
            False,
            f"CTranslate2 does not load: {found}.",
            "Run `pip install --no-deps --require-hashes -r requirements.lock`.",
        )
    if not found.devices:
        return Finding(
            name,
            False,
            f"CTranslate2 {found.version} sees no GPU.",
            "Mend what is said of the GPU above; set STT_DEVICE=cpu to go on without.",
        )
    if compute_type not in found.detail.split():
        return Finding(
            name,
            False,
            f"This GPU does not compute in {compute_type}; it knows {found.detail}.",
            "Set STT_COMPUTE_TYPE to one of these.",
        )
    return Finding(name, True, f"CTranslate2 {found.version} sees {found.devices} and computes in {compute_type}.")


def check_torch(found: Library | str, driver: Driver) -> Finding:
    """Does torch, which XTTS needs, see the GPU?"""
    name = "XTTS on the GPU"
    if isinstance(found, str):
        return Finding(
            name,
            False,
            f"torch does not load: {found}.",
            "Run the node from .venv-gpu, which `make test-gpu` builds, or use the image of deploy/node.Dockerfile.",
        )
    if not found.detail:
        return Finding(
            name,
            False,
            f"torch {found.version} was built without CUDA.",
            "Install a build of torch with CUDA, not one marked +cpu.",
        )
    built = tuple(int(part) for part in found.detail.split(".")[:2])
    if driver.gpus and built[0] > driver.cuda[0]:
        return Finding(
            name,
            False,
            f"torch {found.version} is built for CUDA {found.detail}, and the driver ends at {_dotted(driver.cuda)}.",
            f"Install a newer driver, or a build of torch for CUDA {driver.cuda[0]}.",
        )
    if not found.devices:
        return Finding(name, False, f"torch {found.version} (CUDA {found.detail}) sees no GPU.", "Mend the GPU first.")
    return Finding(name, True, f"torch {found.version} (CUDA {found.detail}) sees {found.devices}.")


def check_licence(accepted: bool) -> Finding:
    """Have XTTS' terms been accepted by whoever runs it?"""
    if accepted:
        return Finding("XTTS licence", True, "COQUI_TOS_AGREED is set: its terms were accepted (no commercial use).")
    return Finding(
        "XTTS licence",
        False,
        "XTTS' weights are under the Coqui Public Model License, which forbids commercial use, and nobody accepted it.",
        "Read it, and set COQUI_TOS_AGREED=1; or use TTS_ENGINE=kokoro.",
    )


def _reason(error: OSError, library: str) -> str:
    """The loader's complaint, without the name that it begins with."""
    return str(error).removeprefix(f"{library}: ")


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))
