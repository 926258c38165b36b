"""Checks a CUDA build on a machine with a GPU and prints one table; tools/gpu-check starts it.

Each check has a time limit, and one that fails does not stop the others. Status 0: all passed; 1: some did not; 3: a program
that a check needs is missing, or there is no GPU. With --dry-run nothing is run: it prints the commands, and what is missing.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

LIMIT = 480  # seconds of all checks together
SANITIZERS = {"memcheck": "--leak-check=no", "racecheck": "--racecheck-report=all"}
# Short runs of a router with a gate and of a dense net, that write a checkpoint every 40 updates.
SWEEP = {
    "name": "gpu-check",
    "data": {"source": "synthetic", "directions": ["aa-ba"], "vocabulary": 200,
             "synthetic": {"train_sentences": 400, "valid_sentences": 16, "test_sentences": 16}},
    "model": {"encoder_layers": 2, "decoder_layers": 2, "width": 64, "ffn": 128, "heads": 4, "moe_every": 2},
    "strategy": {"experts": 4},
    "training": {"tokens_per_batch": 1024, "updates": 400, "warmup": 80},
    "evaluation": {"every": 40, "beam": 1},
    "grid": {"strategy": [{"router": "switch"}, {"router": "dense"}]},
}
WAITS = re.compile(r"host waits of a step, (\w+): (\d+)")
PEERS = "PyTorch's step time"
STEPS = r"^(step|products)/(small|tiny)/(fp32|bf16)/cuda"


class Failed(Exception):
    """A check did not pass; its text says why, in one line."""


END = [float("inf")]  # when all checks must have ended


def run(command, seconds, **environment):
    """What a command prints. It fails when the command does, or takes longer."""
    seconds = round(min(seconds, END[0] - time.monotonic()))
    if seconds <= 0:
        raise Failed(f"the {LIMIT} s of all checks are over")
    try:
        done = subprocess.run([str(word) for word in command], env={**os.environ, **environment}, capture_output=True,
                              text=True, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{pathlib.Path(command[0]).name} took over {seconds} s") from error
    if done.returncode != 0:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:] or ["it printed nothing"]
        raise Failed(f"{pathlib.Path(command[0]).name} ended with {done.returncode}: {last[0]}")
    return done.stdout


def checked_cases(printed):
    if "nothing was checked" in printed:
        raise Failed("the tests found no GPU")
    return (re.findall(r"All tests passed \((.*?)\)", printed) or ["passed"])[-1]


class Checks:
    def __init__(self, build):
        self.build = build

    def commands(self):
        """Name of each check -> its command, as --dry-run prints it, and the function that runs it."""
        kernels, training = [self.build / "test_kernels", "[cuda]"], [self.build / "test_training", "[cuda]"]
        routing = [self.build / "test_routers", "[cuda]"]
        checks = {"kernels": (kernels, lambda: checked_cases(run(kernels, 60))),
                  "routing": (routing, lambda: checked_cases(run(routing, 60)))}
        for tool, option in SANITIZERS.items():
            command = ["compute-sanitizer", f"--tool={tool}", option, "--error-exitcode=9", *kernels]
            checks[tool] = (command, lambda command=command: checked_cases(run(command, 120)))
        checks["LibTorch's operations"] = (
            ["env", "MOE_BENCH_CUDA_KERNELS=0", *kernels],
            lambda: checked_cases(run(kernels, 60, MOE_BENCH_CUDA_KERNELS="0")))
        checks["golden runs"] = ([*training], lambda: self.golden_runs(training))
        checks["kill and resume"] = ([self.build / "moe-bench", "run", "SWEEP", "--device", "cuda"], self.kill_and_resume)
        steps = [self.build / "bench_training_step", f"--benchmark_filter={STEPS}", "--benchmark_min_time=0.5",
                 "--benchmark_format=json"]
        checks["step time"] = (steps, lambda: self.step_time(steps))
        checks["step time of LibTorch's operations"] = (
            ["env", "MOE_BENCH_CUDA_KERNELS=0", *steps], lambda: self.step_time(steps, MOE_BENCH_CUDA_KERNELS="0"))
        layers = [self.build / "bench_moe_layer", "--benchmark_filter=^cuda/", "--benchmark_min_time=0.3",
                  "--benchmark_format=json"]
        checks["layer time"] = (layers, lambda: self.layer_time(layers))
        peers = [sys.executable, pathlib.Path(__file__).with_name("gpu_peers.py")]
        checks[PEERS] = (peers, lambda: self.peer_time(peers))
        return checks

    def golden_runs(self, command):
        printed = run(command, 90)
        waits = WAITS.findall(printed)
        said = ", ".join(f"{router} {count}" for router, count in waits)
        return f"{checked_cases(printed)}; host waits of a step (0 is the goal): {said or 'not counted'}"

    def kill_and_resume(self):
        """A sweep that is killed once it has a checkpoint must end, bit for bit, like one that is left alone."""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "sweep.json").write_text(json.dumps(SWEEP), encoding="utf-8")
            command = [self.build / "moe-bench", "run", folder / "sweep.json", "--device", "cuda", "--jobs", "1", "--quiet"]
            run([*command, "--out", folder / "whole"], 90)
            self.kill_at_checkpoint([*command, "--out", folder / "cut"], folder / "cut")
            run([*command, "--out", folder / "cut"], 90)
            different = [name for name, record in results_of(folder / "whole").items()
                         if results_of(folder / "cut").get(name) != record]
            if different:
                raise Failed(f"other results after the cut: {', '.join(different)}")
            return f"{len(results_of(folder / 'whole'))} runs end like uncut ones"

    @staticmethod
    def kill_at_checkpoint(command, out):
        process = subprocess.Popen([str(word) for word in command], start_new_session=True, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline and not list(out.glob("runs/*/checkpoint.safetensors")):
            time.sleep(0.002)
        was_running = process.poll() is None
        if was_running:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if not was_running:
            raise Failed("the sweep ended before it could be killed")

    def layer_time(self, command):
        own, library = times_of(command), times_of(command, MOE_BENCH_CUDA_KERNELS="0")
        if not own:
            raise Failed("bench_moe_layer measured nothing on a GPU")
        return "; ".join(f"{name.removeprefix('cuda/training/')} {milliseconds:.2f} ms (LibTorch's operations {library[name]:.2f})"
                         for name, milliseconds in own.items())

    def step_time(self, command, **environment):
        times, said = times_of(command, **environment), []
        for name, milliseconds in times.items():
            kind, size, precision, _ = name.split("/")
            if kind == "step":
                products = times[f"products/{size}/{precision}/cuda"]
                said.append(f"{size} {precision} {milliseconds:.2f} ms ({milliseconds / products:.2f} x its products)")
        if not said:
            raise Failed("bench_training_step measured nothing on a GPU")
        return "; ".join(said)

    def peer_time(self, command):
        return "; ".join(f"{name} {milliseconds:.2f} ms" for name, milliseconds in json.loads(run(command, 150)).items())


def times_of(command, **environment):
    """Milliseconds by name, of a program of Google Benchmark."""
    entries = json.loads(run(command, 90, **environment))["benchmarks"]
    return {entry["name"].removesuffix("/real_time"): entry["real_time"] for entry in entries}


def results_of(out):
    """Folder of each run -> its result without what the machine and the moment decide."""
    results = {}
    for file in sorted(out.glob("runs/*/result.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        record.pop("measurements", None)
        results[file.parent.name] = record
    return results


def programs_of(command):
    """The first word, and the first after the settings of a program that starts another."""
    if command[0] not in ("env", "compute-sanitizer"):
        return [command[0]]
    started = next(word for word in command[1:] if isinstance(word, pathlib.Path))
    return [command[0], started]


def missing_programs(checks):
    missing = {}
    for name, (command, _) in checks.items():
        for program in programs_of(command):
            if shutil.which(str(program)) is None:
                missing.setdefault(str(program), []).append(name)
    if importlib.util.find_spec("torch") is None:
        missing["torch for Python"] = [PEERS]
    return missing


def gpu_name():
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-gpu=name,compute_cap,driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True)
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout.strip() else None


def dry_run(checks):
    for name, (command, _) in checks.items():
        print(f"{name}: {' '.join(str(word) for word in command)}")
    missing = missing_programs(checks)
    for program, names in missing.items():
        print(f"missing: {program}, for {', '.join(names)}")
    if gpu_name() is None:
        print("missing: a GPU that nvidia-smi names")
    return 3 if missing or gpu_name() is None else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build-cuda"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("gpu-check.json"))
    arguments = parser.parse_args()
    os.environ["MOE_BENCH_CUDA_KERNELS"] = "1"  # they are off otherwise
    checks = Checks(arguments.build.resolve()).commands()
    if arguments.dry_run:
        return dry_run(checks)
    gpu = gpu_name()
    if gpu is None:
        print("gpu-check: nvidia-smi names no GPU.", file=sys.stderr)
        return 3
    missing = missing_programs(checks)
    rows = []
    END[0] = time.monotonic() + LIMIT
    for name, (command, check) in checks.items():
        start = time.monotonic()
        lacking = [program for program, names in missing.items() if name in names]
        try:
            verdict, said = ("missing", f"there is no {lacking[0]}") if lacking else ("passed", check())
        except (Failed, OSError, ValueError, KeyError) as error:
            verdict, said = "failed", str(error)
        rows.append({"check": name, "verdict": verdict, "says": said, "seconds": round(time.monotonic() - start, 1)})
        print(f"{name}: {verdict}", flush=True)
    arguments.out.write_text(json.dumps({"gpu": gpu, "checks": rows}, indent=2) + "\n", encoding="utf-8")
    print(f"\nOn {gpu}:\n\n| check | verdict | seconds | says |\n| --- | --- | --- | --- |")
    for row in rows:
        print(f"| {row['check']} | {row['verdict']} | {row['seconds']} | {row['says']} |")
    if any(row["verdict"] == "failed" for row in rows):
        return 1
    return 3 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
