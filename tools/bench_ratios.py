#!/usr/bin/env python3
"""Ratios of a benchmark result that tools/bench wrote, each beside the limit we hold ourselves to. Exits with 1 when one
is above its limit."""

import json
import statistics
import sys

DENSE = "inference/dense/tokens:{}"
RATIOS = [  # name, over name, limit; {} stands for the number of tokens
    ("training/switch/64/tokens:{}", "training/switch/4/tokens:{}", {2048: 3.0, 16384: 1.5}),
    ("training/switch/4/tokens:{}", "training/dense/tokens:{}", {2048: None, 16384: None}),
    ("products/grouped_mm/experts:4/tokens:{}", "products/loop/experts:4/tokens:{}", {2048: None, 16384: None}),
    ("products/grouped_mm/experts:64/tokens:{}", "products/loop/experts:64/tokens:{}", {2048: None, 16384: None}),
] + [
    (f"inference/thor/64/{mode}/tokens:{{}}", DENSE, {2048: 1.5, 16384: 1.5})
    for mode in ("sentence", "token", "position_shared", "fixed:0")
]


def median_times(path):
    """Milliseconds of each benchmark, the median over its repetitions."""
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)["benchmarks"]
    times = {}
    for entry in entries:
        if entry.get("run_type") == "iteration":
            times.setdefault(entry["run_name"].removesuffix("/real_time"), []).append(entry["real_time"])
    return {name: statistics.median(values) for name, values in times.items()}


def main():
    times = median_times(sys.argv[1])
    too_slow = False
    for name, over, limits in RATIOS:
        for tokens, limit in limits.items():
            one, other = times.get(name.format(tokens)), times.get(over.format(tokens))
            if one is None or other is None:
                continue
            ratio = one / other
            too_slow |= limit is not None and ratio > limit
            verdict = "" if limit is None else f"  limit {limit:.1f}" + (" EXCEEDED" if ratio > limit else "")
            print(f"{name.format(tokens):45} {one:9.1f} ms  = {ratio:5.2f} x {over.format(tokens)}{verdict}")
    return 1 if too_slow else 0


if __name__ == "__main__":
    sys.exit(main())
