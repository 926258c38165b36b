#!/usr/bin/env python3
"""Training steps and MoE layers of ours and of others, alternately on the same sizes; tools/bench-peers sets it up.

Checks first that at dropout 0 PyTorch's losses from our weights and batches are ours, then times round after round, every
program once a round, and prints medians with ours over each peer. Everything runs on two threads, or as many as --threads.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch

from peer_layers import LAYERS, make_layer
from peer_transformers import BuiltInTransformer, OwnBlocks, Updates, load_case

SIZES = {  # of bench/training_case.cpp
    "small": {"width": 256, "ffn": 1024, "sentences": 128},
    "tiny": {"width": 128, "ffn": 256, "sentences": 64},
}
HEADS, LAYERS_OF_STACK, VOCABULARY, LENGTH, DROPOUT = 4, 4, 8000, 32, 0.1
EXPERTS, TOKENS, WIDTH, HIDDEN = (4, 64), 2048, 256, 1024


def ours(build, program, filters, threads):
    """Milliseconds and peak megabytes by name of one run of a benchmark program of ours."""
    command = [build / program, f"--benchmark_filter={filters}", "--benchmark_min_time=0.5", "--benchmark_format=json"]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": str(threads)}, capture_output=True, check=True)
    entries = json.loads(done.stdout)["benchmarks"]
    return {entry["name"].removesuffix("/real_time"): entry["real_time"] for entry in entries}


def milliseconds(work, at_least=0.5):
    """Of one call, the mean over half a second."""
    start, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - start < at_least:
        work()
        count += 1
    return 1e3 * (time.perf_counter() - start) / count


def compare_losses(build, updates):
    """PyTorch from our weights on our batches: the largest relative difference of the loss."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([build / "bench_training_step", f"--dump={folder}/case"], check=True)
        for name in SIZES:
            case = load_case(pathlib.Path(folder) / f"case-{name}.safetensors")
            training = Updates(OwnBlocks.from_case(case), case.training, case.label_smoothing)
            worst = 0.0
            for i in range(updates):
                loss = training.update(*case.batch(i), rate=case.rates[i])
                worst = max(worst, abs(loss / case.losses[i] - 1))
            verdict = "" if worst < 0.01 else "  MORE THAN 1 %"
            print(f"{name}: losses of {updates} updates at dropout 0 within {100 * worst:.4f} % of PyTorch's{verdict}",
                  flush=True)


def step_peers(name, precision):
    """Name of each peer, and what does one of its training steps."""
    size = SIZES[name]
    shape = (size["sentences"], LENGTH)
    batch = [torch.randint(4, VOCABULARY, shape) for _ in range(3)]
    for model_name, make in (("nn.Transformer", BuiltInTransformer), ("own blocks on SDPA", OwnBlocks)):
        for is_compiled in (False, True):
            torch.manual_seed(1)
            model = make(VOCABULARY, size["width"], size["ffn"], HEADS, LAYERS_OF_STACK, DROPOUT)
            training = Updates(model, {}, 0.1, precision, is_compiled)
            yield (f"{model_name}, {'compiled' if is_compiled else 'eager'}",
                   lambda training=training: training.update(*batch, rate=1e-4))


def compare_steps(arguments):
    for name in arguments.models:
        for precision in ("fp32", "bf16"):
            peers = list(step_peers(name, precision))
            times = {"moe-bench": [], **{peer: [] for peer, _ in peers}}
            for _, work in peers:
                work()
                work()
            for _ in range(arguments.rounds):
                program = ours(arguments.build, "bench_training_step", f"^step/{name}/{precision}", arguments.threads)
                times["moe-bench"].append(program[f"step/{name}/{precision}"])
                for peer, work in peers:
                    times[peer].append(milliseconds(work))
            tokens = SIZES[name]["sentences"] * LENGTH
            print_times(f"training step, {name}, {precision}", times, lambda ms, t=tokens: f"{1e3 * t / ms:8.0f} tokens/s")


def compare_layers(arguments):
    for precision in ("fp32", "bf16"):
        dtype = torch.float32 if precision == "fp32" else torch.bfloat16
        for router, peers in LAYERS.items():
            for experts in EXPERTS:
                layers = {peer: make_layer(peer, experts, WIDTH, HIDDEN, dtype) for peer in peers}
                x = torch.randn(1, TOKENS, WIDTH, dtype=dtype).requires_grad_(True)
                upstream = torch.randn_like(x)

                def work(layer, x=x, upstream=upstream):
                    layer.zero_grad()
                    x.grad = None
                    layer(x).backward(upstream)

                key = f"training/{router}/{precision}/experts:{experts}/tokens:{TOKENS}"
                times = {"moe-bench": [], **{peer: [] for peer in peers}}
                for _ in range(arguments.rounds):
                    times["moe-bench"].append(ours(arguments.build, "bench_moe_layer", f"^{key}/", arguments.threads)[key])
                    for peer, layer in layers.items():
                        times[peer].append(milliseconds(lambda layer=layer: work(layer)))
                print_times(f"layer, {router}, {experts} experts, {precision}", times, lambda ms: "")


def print_times(title, times, more):
    print(f"\n{title} (medians of {len(times['moe-bench'])})")
    mine = statistics.median(times["moe-bench"])
    for name, values in times.items():
        median = statistics.median(values)
        print(f"  {name:30} {median:9.1f} ms {more(median)}  {median / mine:6.2f} x ours", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--updates", type=int, default=200, help="whose losses are compared")
    parser.add_argument("--models", nargs="*", default=list(SIZES))
    parser.add_argument("--parts", nargs="*", default=["losses", "steps", "layers"])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if "losses" in arguments.parts:
        compare_losses(arguments.build, arguments.updates)
    if "steps" in arguments.parts:
        compare_steps(arguments)
    if "layers" in arguments.parts:
        compare_layers(arguments)


if __name__ == "__main__":
    sys.exit(main())
