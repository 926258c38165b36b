"""Every CUDA kernel compiles for sm_80, sm_90 and sm_100, without a warning, a register spill or local memory, within
seconds.

    cuda_compile_test.py ROOT [FILE.cu ...]

Without nvcc it says so and ends with 77, which CTest calls skipped. No GPU is needed.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
ARCHITECTURES = [80, 90, 100]
SLOWEST = 60  # seconds a file on a busy machine; an idle one needs less than 10
FLAGS = ["-std=c++20", "-O3", "--expt-relaxed-constexpr", "-Xcompiler=-Wall,-Wextra", "-Werror=all-warnings",
         "-Xptxas=-v,--warn-on-spills,--warn-on-local-memory-usage"]
KERNEL = re.compile(r"Compiling entry function '(\w+)' for '(\w+)'")
MEMORY = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")


def find_nvcc():
    return shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")


def compile_file(nvcc, root, source, folder):
    """nvcc's answer and its seconds."""
    codes = [f"-gencode=arch=compute_{sm},code=sm_{sm}" for sm in ARCHITECTURES]
    start = time.monotonic()
    done = subprocess.run([nvcc, *FLAGS, *codes, f"-I{root}", "-c", source, "-o", folder / "kernel.o"],
                          capture_output=True, text=True)
    return done, time.monotonic() - start


def faults_of(report):
    """One sentence for each kernel that keeps anything but registers and shared memory, and the kernels seen."""
    faults, kernels, kernel = [], 0, None
    for line in report.splitlines():
        if found := KERNEL.search(line):
            kernel, kernels = found.groups(), kernels + 1
        elif (found := MEMORY.search(line)) and any(int(size) for size in found.groups()):
            stack, stores, loads = found.groups()
            name, architecture = kernel or ("?", "?")
            faults.append(f"{name} for {architecture} has {stack} bytes of stack and spills {stores} and {loads} bytes.")
    return faults, kernels


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("files", type=pathlib.Path, nargs="*")
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    nvcc = find_nvcc()
    if nvcc is None:
        print("Skipped: there is no nvcc.")
        return SKIPPED
    sources = arguments.files or sorted((root / "kernels/cuda").glob("*.cu"))
    faults = [] if sources else ["kernels/cuda: there is no kernel."]
    with tempfile.TemporaryDirectory() as folder:
        for source in sources:
            done, seconds = compile_file(nvcc, root, source, pathlib.Path(folder))
            report = done.stdout + done.stderr
            found, kernels = faults_of(report)
            print(f"{source.name}: {kernels // len(ARCHITECTURES)} kernels in {seconds:.1f} s")
            if done.returncode != 0:
                faults.append(f"{source}: nvcc ended with {done.returncode}:\n{report[-3000:]}")
            elif kernels == 0:
                faults.append(f"{source}: it holds no kernel, or nvcc no longer says what it compiles.")
            faults += [f"{source}: {fault}" for fault in found]
            if seconds > SLOWEST:
                faults.append(f"{source}: it took {seconds:.0f} s, over {SLOWEST}; its headers are too large.")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
