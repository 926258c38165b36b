#!/usr/bin/env python3
"""Makes up a folder of results, to see how long a report of many takes.

    tools/make_results.py OUT [--runs 1000] [--validations 20] [--layers 4]

Strategies, numbers of experts, language pairs and seeds are crossed until there are as many runs as asked for. The numbers
are drawn, not trained: higher with more experts and lower for some strategies, with noise over seeds. Then:

    /usr/bin/time -v build/moe-bench report OUT
"""

import argparse
import hashlib
import itertools
import json
import math
import pathlib
import random

ROUTERS = ["dense", "switch", "gshard", "hash", "random", "thor", "top_k", "cosine", "frozen", "sentence", "shared_expert", "base"]
EXPERTS = [2, 4, 8, 16]
DIRECTIONS = ["de-en", "fr-en", "cs-en", "et-en", "hi-en", "fi-en", "ro-en"]
SEEDS = [1, 2, 3, 4]
DRAWN = {"random", "thor"}  # evaluated over several draws
UPDATES = 5000
CHOICES = 4096  # kept of each layer


def configurations():
    for direction, router, experts, seed in itertools.product(DIRECTIONS, ROUTERS, EXPERTS, SEEDS):
        if router != "dense" or experts == EXPERTS[0]:
            yield direction, router, 1 if router == "dense" else experts, seed


def shares(draw, count):
    weights = [draw.gammavariate(4, 1) for _ in range(count)]
    return [weight / sum(weights) for weight in weights]


def metric(value, draws, signature):
    spread = math.sqrt(sum((draw - value) ** 2 for draw in draws) / max(len(draws) - 1, 1))
    return {"score": value, "standard_deviation": spread, "draws": draws, "signature": signature}


def curve_of(draw, last_bleu, loss, validations):
    for i in range(1, validations + 1):
        left = math.exp(-4 * i / validations)  # of the way to the end
        own = loss + 3 * left + draw.gauss(0, 0.005)
        yield {"update": UPDATES * i // validations, "flops": 1.2e15 * i / validations, "cross_entropy": own + 0.8,
               "learning_rate": 0.001, "valid_loss": own, "valid_perplexity": math.exp(own),
               "valid_bleu": max(last_bleu * (1 - left) + draw.gauss(0, 0.1), 0.0)}


def layer_of(draw, ordinal, layers, experts, direction, validations):
    load = shares(draw, experts)
    encoder = ordinal < layers // 2
    return {"layer": ordinal, "stack": "encoder" if encoder else "decoder",
            "block": 1 + 2 * (ordinal if encoder else ordinal - layers // 2), "experts": experts, "tokens": 18000,
            "load": load, "coefficient_of_variation": 0.5, "maximum_over_mean": max(load) * experts,
            "entropy": -sum(share * math.log(share) for share in load), "dead_experts": 0, "dropped": 0.0,
            "fully_dropped": 0.0, "skipped": 0.0, "confidence": None if experts == 1 else draw.uniform(0.4, 0.9),
            "load_by_direction": [{"direction": direction, "load": load}], "co_activation": None,
            "flip_rate": draw.uniform(0, 0.1), "saturation": [i / validations for i in range(1, validations)]}


def result_of(configuration, validations, layers):
    direction, router, experts, seed = configuration
    draw = random.Random(repr(configuration))
    bleu = 25 + 2 * DIRECTIONS.index(direction) + 0.2 * ROUTERS.index(router) + 0.4 * math.log2(experts) + draw.gauss(0, 0.3)
    loss = 2.5 - 0.02 * bleu
    draws = [bleu + draw.gauss(0, 0.2) for _ in range(3)] if router in DRAWN else [bleu]
    config = {"data": {"source": "text", "directions": [direction], "train": "train", "valid": "val", "test": ["test"]},
              "model": {"preset": "tiny", "width": 128, "dropout": 0.1, "moe_every": 2},
              "strategy": {"router": router} | ({"experts": experts} if experts > 1 else {}),
              "training": {"updates": UPDATES, "tokens_per_batch": 2048, "seed": seed},
              "evaluation": {"every": UPDATES // validations, "beam": 5}}
    digest = hashlib.sha256(json.dumps(config).encode()).hexdigest()[:8]
    swaps = [{"swap": swap, "loss": loss + 0.1, "added": abs(draw.gauss(0.1, 0.05))}
             for swap in ("shuffled", "second_best", "random")]
    modes = [{"mode": mode, "loss": loss + abs(draw.gauss(0, 0.01)), "deviation": None if mode == "mean" else 0.002,
              "evaluations": 1 if mode == "mean" else 3} for mode in ("token", "mean", "fixed")]
    return {"schema_version": 1, "run_id": f"{router}-e{experts}-{direction}-s{seed}-{digest}", "status": "finished",
            "failure": None, "strategy": {"router": router, "label": router, "experts": experts}, "seed": seed,
            "config": config, "semantics_version": 1,
            "data_digest": hashlib.sha256(direction.encode()).hexdigest()[:16],
            "parameters": {"total": 1000000 + 300000 * experts, "active": 1300000},
            "flops": {"training": 1.2e15 * draw.uniform(1, 1.1), "per_target_token": 9e7},
            "training": {"updates": UPDATES, "epochs": 17.5, "target_tokens": 8000000, "stopped_by": "updates",
                         "undertrained": draw.random() < 0.05, "last_fifth_improvement": 0.002},
            "curve": list(curve_of(draw, bleu - 1, loss, validations)),
            "scores": [{"set": "test", "direction": direction, "sentences": 1000, "loss": loss, "perplexity": math.exp(loss),
                        "bleu": metric(bleu, draws, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"),
                        "chrf": metric(bleu + 20, [one + 20 for one in draws], "nrefs:1|case:mixed|eff:yes|nc:6|nw:0"),
                        "hypotheses": []}],
            "routing": [layer_of(draw, i, layers, experts, direction, validations) for i in range(layers)],
            **({"routing_choices": "routing_choices.txt", "routing_swaps": swaps} if experts > 1 else {}),
            **({"inference": {"modes": modes, "expert_disagreement": draw.uniform(0, 0.1)}} if router in DRAWN else {}),
            "measurements": {"started": "2026-01-02T03:04:05Z",
                             "host": {"cpu": "Made up", "cores": 2, "threads": 1, "device": "cpu", "jobs": 1},
                             "software": {"moe_bench": "0.1.0", "revision": "none", "libtorch": "none", "compiler": "none"},
                             "seconds": {"total": 3600.0, "training": 3500.0 + draw.gauss(0, 50), "validation": 80.0, "test": 20.0},
                             "curve_seconds": [175.0 * i for i in range(1, validations + 1)],
                             "target_tokens_per_second": 2300.0 + draw.gauss(0, 50),
                             "decoded_sentences_per_second": 350.0 + draw.gauss(0, 10), "peak_memory_bytes": 560000000 + 8000000 * experts}}


def choices_of(result):
    """A line of first choices for each layer, as routing_choices.h has them."""
    draw = random.Random(result["run_id"])
    return "".join(" ".join(map(str, draw.choices(range(layer["experts"]), layer["load"], k=CHOICES))) + "\n"
                   for layer in result["routing"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--validations", type=int, default=20)
    parser.add_argument("--layers", type=int, default=4)
    arguments = parser.parse_args()
    written = 0
    for configuration in itertools.islice(configurations(), arguments.runs):
        result = result_of(configuration, arguments.validations, arguments.layers)
        folder = arguments.out / "runs" / result["run_id"]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        if "routing_choices" in result:
            (folder / result["routing_choices"]).write_text(choices_of(result), encoding="utf-8")
        written += 1
    print(f"{written} runs in {arguments.out}")
    if written < arguments.runs:
        print(f"There are no more configurations; {arguments.runs} were asked for.")


if __name__ == "__main__":
    main()
