"""The doctor on GPUs: this machine may have none, so what is judged is shown to it, and its driver is built here."""

import importlib.metadata
import shutil
import subprocess
from pathlib import Path

import pytest

from silvertalk.doctor.gpu import (
    GIB,
    PROBE_CTRANSLATE2,
    Driver,
    Gpu,
    Library,
    ask_driver,
    ask_library,
    check_ctranslate2,
    check_cublas,
    check_driver,
    check_gpu_memory,
    check_licence,
    check_torch,
)

H200 = Driver((12, 8), (Gpu("NVIDIA H200", 139 * GIB),))
NONE = Driver(problem="libcuda.so.1 cannot be loaded (no such file)")

LIBCUDA = """
#include <string.h>
int cuInit(unsigned flags) { return flags == 0 ? 0 : 1; }
int cuDriverGetVersion(int *version) { *version = 12080; return 0; }
int cuDeviceGetCount(int *count) { *count = 2; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal + 7; return 0; }
int cuDeviceGetName(char *name, int length, int device) {
  strncpy(name, device == 7 ? "Big" : "Small", length);
  return 0;
}
int cuDeviceTotalMem_v2(unsigned long *bytes, int device) { *bytes = device == 7 ? 80UL << 30 : 4UL << 30; return 0; }
"""
"""The driver's interface as CUDA's own header has it, with two GPUs of ours behind it."""


def test_the_driver_is_asked_through_its_own_interface(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here to build a driver of our own with")
    (tmp_path / "driver.c").write_text(LIBCUDA)
    library = tmp_path / "libcuda.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, tmp_path / "driver.c"], check=True)
    driver = ask_driver(str(library))
    assert driver == Driver((12, 8), (Gpu("Big", 80 * GIB), Gpu("Small", 4 * GIB)))
    (tmp_path / "driver.c").write_text("int cuInit(unsigned flags) { return 100; }")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", tmp_path / "sick.so", tmp_path / "driver.c"], check=True)
    sick = check_driver(ask_driver(str(tmp_path / "sick.so")))
    assert sick.ok is False and "100" in sick.sentence


def test_a_machine_without_a_driver() -> None:
    driver = ask_driver("libcuda-that-is-nowhere.so.1")
    assert driver.problem.count("libcuda-that-is-nowhere.so.1") == 1
    finding = check_driver(driver)
    assert finding.ok is False and "--profile cpu" in finding.mend
    assert check_driver(Driver((12, 8))).ok is False, "a driver that shows no GPU"


def test_gpus_and_their_memory() -> None:
    found = check_driver(H200)
    assert found.ok is True and "NVIDIA H200 (139 GiB)" in found.sentence and "12.8" in found.sentence
    assert check_gpu_memory(H200) is not None and check_gpu_memory(NONE) is None
    small = check_gpu_memory(Driver((12, 8), (Gpu("GTX", 4 * GIB),)))
    assert small is not None and small.ok is False and "TTS_ENGINE=kokoro" in small.mend


def test_cublas_is_loaded_by_its_name() -> None:
    assert check_cublas("libc.so.6").ok is True
    absent = check_cublas("libcublas-that-is-nowhere.so.12")
    assert absent.ok is False and "LD_LIBRARY_PATH" in absent.mend


@pytest.mark.parametrize(
    ("found", "ok", "word"),
    [
        (Library("4.8.5", 1, "float16 float32"), True, "float16"),
        (Library("4.8.5", 0, ""), False, "sees no GPU"),
        (Library("4.8.5", 1, "float32 int8"), False, "float32 int8"),
        ("ModuleNotFoundError: No module named 'ctranslate2'", False, "does not load"),
    ],
)
def test_what_runs_whisper(found: Library | str, ok: bool, word: str) -> None:
    finding = check_ctranslate2(found, "float16")
    assert finding.ok is ok and word in finding.sentence


@pytest.mark.parametrize(
    ("found", "ok", "word"),
    [
        (Library("2.13.0+cu128", 1, "12.8"), True, "sees 1"),
        (Library("2.13.0+cpu", 0, ""), False, "without CUDA"),
        (Library("2.13.0", 0, "13.0"), False, "the driver ends at 12.8"),
        (Library("2.13.0+cu128", 0, "12.8"), False, "sees no GPU"),
        ("ModuleNotFoundError: No module named 'torch'", False, "does not load"),
    ],
)
def test_what_runs_xtts(found: Library | str, ok: bool, word: str) -> None:
    finding = check_torch(found, H200)
    assert finding.ok is ok and word in finding.sentence


def test_xtts_terms() -> None:
    assert check_licence(True).ok is True
    refused = check_licence(False)
    assert refused.ok is False and "COQUI_TOS_AGREED=1" in refused.mend


async def test_a_library_is_asked_in_a_process_that_may_crash() -> None:
    found = await ask_library(PROBE_CTRANSLATE2)
    assert isinstance(found, Library) and found.version == importlib.metadata.version("ctranslate2")
    assert await ask_library("import no_such_library") == "ModuleNotFoundError: No module named 'no_such_library'"
    crashed = await ask_library("import os; os.abort()")
    assert isinstance(crashed, str) and "-6" in crashed
