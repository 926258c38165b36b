"""Milliseconds of PyTorch's training steps on a GPU, of the sizes of tools/bench_peers.py, as JSON; tools/gpu-check runs it."""

import json
import time

import torch

from peer_sizes import DROPOUT, HEADS, LAYERS_OF_STACK, LENGTH, SIZES, VOCABULARY
from peer_transformers import OwnBlocks, Updates


def milliseconds(update):
    """Of one step, over half a second. Each ends with reading its loss, so nothing is left to wait for."""
    for _ in range(3):
        update()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < 0.5:
        update()
        count += 1
    return 1e3 * (time.perf_counter() - start) / count


def main():
    torch.set_default_device("cuda")
    found = {}
    for name, size in SIZES.items():
        batch = [torch.randint(4, VOCABULARY, (size["sentences"], LENGTH)) for _ in range(3)]
        for is_compiled in ((False, True) if name == "small" else (False,)):  # compiling takes most of the time
            for precision in ("fp32", "bf16"):
                model = OwnBlocks(VOCABULARY, size["width"], size["ffn"], HEADS, LAYERS_OF_STACK, DROPOUT)
                updates = Updates(model, {}, 0.1, precision, is_compiled, device="cuda")
                key = f"{name} {precision}, {'compiled' if is_compiled else 'eager'}"
                found[key] = milliseconds(lambda: updates.update(*batch, rate=1e-4))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
