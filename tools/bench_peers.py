#!/usr/bin/env python3
"""Training steps, MoE layers and translation of ours and of others, alternately on the same sizes; tools/bench-peers sets it up.

Checks first that at dropout 0 PyTorch's losses from our weights and batches are ours, then times round after round, every
program once a round, and prints medians with ours over each peer. Everything runs on two threads, or as many as --threads.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

import torch

from peer_decoders import CTranslate2Decoder, DecodingCase, TransformersDecoder
from peer_layers import LAYERS, make_layer
from peer_sizes import DROPOUT, HEADS, LAYERS_OF_STACK, LENGTH, SIZES, VOCABULARY
from peer_transformers import BuiltInTransformer, OwnBlocks, Updates, load_case

EXPERTS, TOKENS, WIDTH, HIDDEN = (4, 64), 2048, 256, 1024


def ours(build, program, filters, threads):
    """What one run of a benchmark program of ours says, by name: times in milliseconds, and its counters."""
    command = [build / program, f"--benchmark_filter={filters}", "--benchmark_min_time=0.5", "--benchmark_format=json"]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": str(threads)}, capture_output=True, check=True)
    entries = json.loads(done.stdout)["benchmarks"]
    return {entry["name"].removesuffix("/real_time"): entry for entry in entries}


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


PEERS = {f"{name}, {'compiled' if is_compiled else 'eager'}": (make, is_compiled)
         for name, make in (("nn.Transformer", BuiltInTransformer), ("own blocks on SDPA", OwnBlocks))
         for is_compiled in (False, True)}


def step_of(peer, name, precision):
    """What does one of the peer's training steps."""
    size, (make, is_compiled) = SIZES[name], PEERS[peer]
    batch = [torch.randint(4, VOCABULARY, (size["sentences"], LENGTH)) for _ in range(3)]
    torch.manual_seed(1)
    model = make(VOCABULARY, size["width"], size["ffn"], HEADS, LAYERS_OF_STACK, DROPOUT)
    training = Updates(model, {}, 0.1, precision, is_compiled)
    return lambda: training.update(*batch, rate=1e-4)


def compare_steps(arguments):
    for name in arguments.models:
        for precision in arguments.precisions:
            works = {peer: step_of(peer, name, precision) for peer in PEERS}
            times = {"moe-bench": [], **{peer: [] for peer in works}}
            for work in works.values():
                work()
                work()
            for _ in range(arguments.rounds):
                program = ours(arguments.build, "bench_training_step", f"^step/{name}/{precision}", arguments.threads)
                times["moe-bench"].append(program[f"step/{name}/{precision}"]["real_time"])
                for peer, work in works.items():
                    times[peer].append(milliseconds(work))
            tokens = SIZES[name]["sentences"] * LENGTH
            print_times(f"training step, {name}, {precision}", times, lambda ms, t=tokens: f"{1e3 * t / ms:8.0f} tokens/s")


def print_own_memory(peer, name, precision):
    """Of this process: in megabytes before the peer's model is made, and at most in three of its training steps."""
    def megabytes(key):
        return int(re.search(rf"^{key}:\s*(\d+)", pathlib.Path("/proc/self/status").read_text(), re.M)[1]) / 1024

    start = megabytes("VmRSS")
    work = step_of(peer, name, precision)
    for _ in range(3):
        work()
    print(json.dumps({"start MB": start, "peak MB": megabytes("VmHWM")}))


def compare_memory(arguments):
    """Each program in a process of its own."""
    for name in arguments.models:
        for precision in arguments.precisions:
            key = f"step/{name}/{precision}"
            entries = {"moe-bench": ours(arguments.build, "bench_training_step", f"^{key}/", arguments.threads)[key]}
            for peer in PEERS:
                command = [sys.executable, __file__, arguments.build, "--threads", str(arguments.threads), "--memory-of",
                           peer, name, precision]
                entries[peer] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
            print(f"\nmemory of a training step, {name}, {precision}")
            for peer, entry in entries.items():
                print(f"  {peer:30} {entry['peak MB']:7.0f} MB at most, {entry['start MB']:5.0f} of them before there is a model",
                      flush=True)


def compare_layers(arguments):
    for precision in arguments.precisions:
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
                    times["moe-bench"].append(ours(arguments.build, "bench_moe_layer", f"^{key}/", arguments.threads)[key]["real_time"])
                    for peer, layer in layers.items():
                        times[peer].append(milliseconds(lambda layer=layer: work(layer)))
                print_times(f"layer, {router}, {experts} experts, {precision}", times, lambda ms: "")


def compare_decoding(arguments):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "decoding.safetensors"
        subprocess.run([arguments.build / "bench_decoding", f"--dump={file}"], check=True)
        case = DecodingCase(file)
        peers = {"CTranslate2": CTranslate2Decoder(case, pathlib.Path(folder) / "model", arguments.threads),
                 "transformers generate": TransformersDecoder(case)}
        for beam in (1, 5):
            for name, peer in peers.items():
                pairs = list(zip(case.translations(beam), peer.translate(beam)))
                same = sum(ours_ids == theirs for ours_ids, theirs in pairs)
                print(f"beam {beam}: {same} of {len(pairs)} translations of {name} are ours", flush=True)
            key = f"decode/small/beam:{beam}"
            times = {"moe-bench": [], **{peer: [] for peer in peers}}
            for _ in range(arguments.rounds):
                times["moe-bench"].append(ours(arguments.build, "bench_decoding", f"^{key}/", arguments.threads)[key]["real_time"])
                for name, peer in peers.items():
                    times[name].append(milliseconds(lambda peer=peer: peer.translate(beam)))
            count = len(case.source)
            print_times(f"translation, small, fp32, beam {beam}, {count} sentences of {case.source.size(1)} tokens to "
                        f"{case.most_tokens}", times, lambda ms, n=count: f"{1e3 * n / ms:8.1f} sentences/s")


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
    parser.add_argument("--precisions", nargs="*", default=["fp32", "bf16"],
                        help="of steps and layers; PyTorch's bf16 takes hours on processors with AVX2 alone")
    parser.add_argument("--parts", nargs="*", default=["losses", "steps", "memory", "layers", "decoding"])
    parser.add_argument("--memory-of", nargs=3, metavar=("PEER", "MODEL", "PRECISION"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.memory_of:
        print_own_memory(*arguments.memory_of)
        return
    if "losses" in arguments.parts:
        compare_losses(arguments.build, arguments.updates)
    if "steps" in arguments.parts:
        compare_steps(arguments)
    if "memory" in arguments.parts:
        compare_memory(arguments)
    if "layers" in arguments.parts:
        compare_layers(arguments)
    if "decoding" in arguments.parts:
        compare_decoding(arguments)


if __name__ == "__main__":
    sys.exit(main())
