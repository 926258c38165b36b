#!/usr/bin/env python3
"""Ratios of the benchmark results that tools/bench wrote into a folder, each beside the limit we hold ourselves to, if any.

floor: the plain feed-forward net on as many rows, in the same run. roofline: the floor, and the bytes of the weights of the
experts in use (read forward, read backward, gradients written) at the bandwidth of a copy, measured in the same run.
Exits with 1 when a ratio is above its limit.
"""

import json
import pathlib
import statistics
import sys

MEBIBYTES_A_WEIGHT = 2 * 256 * 1024 * 4 / 2**20  # both matrices of an expert in float32


class Results:
    """Benchmarks by name, and their times; every number is a median over repetitions."""

    def __init__(self, file):
        repetitions = {}
        for entry in json.loads(file.read_text(encoding="utf-8"))["benchmarks"]:
            if entry.get("run_type") == "iteration":
                repetitions.setdefault(entry["run_name"].removesuffix("/real_time"), []).append(entry)
        self.entries = {name: medians(entries) for name, entries in repetitions.items()}
        self.times = {name: entry["real_time"] for name, entry in self.entries.items()}


def medians(entries):
    return {key: statistics.median(entry[key] for entry in entries) if isinstance(value, (int, float)) else value
            for key, value in entries[0].items()}


class Report:
    def __init__(self):
        self.exceeded = 0

    def ratio(self, value, limit):
        """The ratio as text, marked where it is above its limit."""
        if limit is None:
            return f"{value:6.2f}         "
        is_above = value > limit
        self.exceeded += is_above
        return f"{value:6.2f} {'>' if is_above else '<'} {limit:4.2f}  "


def layer_limits(name, experts):
    """Limits of time over floor and over roofline."""
    pieces = name.split("/")
    if pieces[0] == "training":
        if pieces[1] == "thor":
            return 1.05, None
        if pieces[1] in ("switch", "top_k"):
            return {4: 1.20, 16: 1.40}.get(experts), 1.60 if experts > 64 else 1.25
        return None, None
    if pieces[2] in ("fixed:0", "position_shared"):
        return 1.10, None
    return None, 1.25


def print_layers(results, report):
    gigabytes = results.entries["memory"]["GB/s"]
    print(f"MoE layers; memory copies at {gigabytes:.0f} GB/s\n{'':54}{'ms':>9} {'x floor':>14} {'x roofline':>16}  product")
    for name, entry in results.entries.items():
        kind, precision = name.split("/")[0], "bf16" if "/bf16/" in name else "fp32"
        if kind not in ("training", "inference") or "/dense/" in name:
            continue
        rows = entry["pairs"] if kind == "training" else entry["tokens"]
        floor = results.times[f"{kind}/dense/{precision}/experts:1/tokens:{rows:.0f}"]
        bytes_of_expert = MEBIBYTES_A_WEIGHT * 2**20 / (2 if precision == "bf16" else 1)
        moved = entry["experts_used"] * bytes_of_expert * (3 if kind == "training" else 1)
        roofline = floor + 1e3 * moved / (gigabytes * 1e9)
        time = results.times[name]
        floor_limit, roofline_limit = layer_limits(name, int(entry["experts"]))
        print(f"{name:54}{time:9.2f} {report.ratio(time / floor, floor_limit)} "
              f"{report.ratio(time / roofline, roofline_limit)} {entry['label']}")


def print_steps(results, report):
    print("\ntraining steps, beside their matrix products back to back\n" + f"{'':30}{'ms':>9}{'products':>10} {'ratio':>8}")
    for name, entry in results.entries.items():
        if not name.startswith("step/"):
            continue
        time, products = results.times[name], results.times[name.replace("step/", "products/")]
        limit = 1.30 if name.endswith("fp32") else 1.60
        phases = sorted(((value, key[3:]) for key, value in entry.items() if key.startswith("ms ")), reverse=True)
        print(f"{name:30}{time:9.1f}{products:10.1f} {report.ratio(time / products, limit)} "
              f"{entry['target_tokens/s']:.0f} tokens/s, {entry['label']}")
        print("    ms: " + ", ".join(f"{phase} {spent:.1f}" for spent, phase in phases if spent > 0.005 * time))


def print_kernels(results, report):
    print("\nkernels beside LibTorch's operations, forward and backward\n" + f"{'':30}{'ms':>9}{'LibTorch':>10} {'ratio':>8}")
    for name, entry in results.entries.items():
        beside = name.replace("/own/", "/libtorch/")
        if beside == name or beside not in results.times:
            continue
        time, libtorch = results.times[name], results.times[beside]
        print(f"{name.replace('/own', ''):30}{time:9.2f}{libtorch:10.2f} {report.ratio(time / libtorch, 1.0)} {entry['label']}")


def main():
    folder = pathlib.Path(sys.argv[1])
    report = Report()
    print_layers(Results(folder / "moe_layer.json"), report)
    print_steps(Results(folder / "training_step.json"), report)
    print_kernels(Results(folder / "kernels.json"), report)
    print(f"\n{report.exceeded} above their limit" if report.exceeded else "\nnone above its limit")
    return 1 if report.exceeded else 0


if __name__ == "__main__":
    sys.exit(main())
