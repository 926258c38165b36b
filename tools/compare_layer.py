#!/usr/bin/env python3
"""Compares `moe-bench layer` with a second implementation of every router that does not draw at
random, written from the papers in JAX.

    python3 -m venv build/jax && build/jax/bin/pip install jax safetensors scipy
    build/jax/bin/python tools/compare_layer.py build/moe-bench --cases 20

The second implementation (layer_reference.py) is dense, in float64, and as slow as it is obvious: a table of combine
weights [tokens, experts], every expert applied to every token, gradients by JAX. Compared are the output, the kept pairs,
drops, balance and z-loss, and the gradients of everything given. Prints the largest difference of each router; exit status 1
above the tolerance of 2e-5. Routers whose training draws at random are compared at evaluation, or where nothing is drawn.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from layer_pieces import Case
from layer_reference import ROUTERS

TOLERANCE = 2e-5
TIGHT = [{}, {"capacity": 1}, {"capacity": 2}, {"capacity_factor": 1.0}, {"capacity_factor": 1.25, "minimum_capacity": 2}]
RULES = ["norm", "mesh", "flaxformer", "fairseq", "deepspeed", "tutel", "vmoe", "megablocks"]
BALANCES = ["norm", "flaxformer", "mesh_switch", "mesh_top_2", "fairseq", "deepspeed", "megablocks", "hf_switch", "hf_nllb",
            "st_moe"]


def options_of(router, generator):
    """A random setting of a router."""
    def pick(*values):
        return values[generator.integers(len(values))]

    strategy = {"router": router, "experts": pick(2, 3, 4, 8)}
    if router == "dense":
        return {"router": router}, "train"
    phase = pick("train", "evaluate")
    if router in ("task_static", "hash", "stable"):
        return strategy, phase
    strategy["group"] = pick("batch", "sentence")
    if router == "base":
        strategy.pop("group")
        return strategy | pick({}, {"residual": True}, {"residual": True, "sublayers": 2}), phase
    if router == "soft":
        return strategy | {"slots": pick(1, 3)}, phase
    if router == "expert_choice":
        return strategy | pick({}, {"capacity": 2}, {"capacity_factor": 1.5}) | {
            "score": pick("experts", "tokens"), "share": bool(pick(0, 1))}, phase
    strategy |= pick(*TIGHT) | {"fill": pick("position", "bpr", "per_expert_prob"), "balance_counts": pick("all", "first")}
    if generator.random() < 0.5:
        strategy |= {"balance": pick(*BALANCES), "z_padding": pick("excluded", "included", "zero_logits")}
    if generator.random() < 0.3:
        strategy |= {"capacity": None, "capacity_factor": pick(0.5, 1.0, 1.25), "capacity_rule": pick(*RULES),
                     "minimum_capacity": pick(None, 1), "evaluation_capacity_factor": pick(None, 0.25, 1.0)}
    if generator.random() < 0.7:
        strategy["normalise"] = pick("none", "before", "after")
    if router == "gshard":
        strategy |= {"second": pick("all", "threshold", "none"), "second_weight": pick("share", "raw"),
                     "second_place_loss": pick(0, 0.5)}
        return strategy | ({"expert_output_masking": pick(0, 0.2)} if phase == "evaluate" else {}), phase
    if router == "noisy_top_k":
        phase = "evaluate"
    if router == "switch" and generator.random() < 0.3:
        strategy["fill"] = "ntlb"
    if router == "switch":
        strategy["dropped"] = pick("zero", "input")
    if router not in ("switch",):
        strategy["k"] = min(pick(1, 2, 3), strategy["experts"])
    if router == "bias_balanced":
        strategy |= {"score": pick("sigmoid", "softmax"), "route_scale": pick(1.0, 2.5)}
        if strategy["experts"] == 8:
            strategy |= {"expert_groups": pick(1, 2, 4), "groups_per_token": 1, "k": min(strategy["k"], 2)}
        if strategy["k"] == 1:
            strategy.pop("normalise", None)  # one weight is never divided by itself (bias_balanced.cpp)
    if strategy.get("k", 1) == 1 and router not in ("bias_balanced", "gshard") and generator.random() < 0.1:
        strategy["normalise"] = "batch"
    if router == "smoe":
        strategy |= {"experts": pick(4, 8), "strata": 2, "k": pick(1, 2), "norm": pick("inputs", "states")}
    return strategy, "evaluate" if router == "cmr" else phase


def ours(binary, case, folder):
    condition = {"strategy": {k: v for k, v in case.strategy.items()}, "auxiliary_weight": case.auxiliary,
                 "phase": case.phase, "seed": case.seed, "layer": case.layer, "step": 3, "pass": 1}
    (folder / "layer.json").write_text(json.dumps(condition))
    tensors = {name: np.ascontiguousarray(value, np.float32) for name, value in case.inputs.items()}
    safetensors.numpy.save_file(tensors | {k: np.ascontiguousarray(v) for k, v in case.given.items()},
                                folder / "in.safetensors")
    subprocess.run([binary, "layer", "--config", folder / "layer.json", "--input", folder / "in.safetensors", "--output",
                    folder / "out.safetensors"], check=True)
    return safetensors.numpy.load_file(folder / "out.safetensors")


def theirs(case, reference):
    learned = {name: jnp.asarray(value) for name, value in case.inputs.items() if name not in ("x", "grad_output")}
    x_TD = jnp.asarray(case.inputs["x"]).reshape(case.T, case.D)
    upstream_TD = case.inputs["grad_output"].reshape(case.T, case.D)
    aside = {}

    def total(x, p):
        # Decisions need numbers: JAX differentiates without tracing values away.
        result = reference(case, p, x)
        aside["result"] = result
        return (result.output * upstream_TD).sum() + case.auxiliary * result.balance

    _, pull = jax.vjp(total, x_TD, learned)
    plain = reference(case, learned, x_TD)
    grad_x, grads = pull(1.0)
    return plain, {"x": grad_x} | grads


def differences(case, result, gradients, out):
    """(name, largest difference) of everything that is compared."""
    yield "output", np.abs(out["output"].reshape(case.T, case.D) - np.asarray(result.output)).max()
    if result.pairs is not None:
        pairs = list(zip(out["pair_expert"].tolist(), out["pair_token"].tolist()))
        yield "pairs", 0.0 if sorted(pairs) == sorted(result.pairs) and pairs == sorted(pairs) else 1.0
    yield "dropped", float(np.abs(out["dropped"] - result.dropped).max())
    yield "balance_loss", abs(float(out["balance_loss"][0]) - float(result.balance))
    if "z_loss" in out and float(result.z):
        yield "z_loss", abs(float(out["z_loss"][0]) - float(result.z)) / max(1, abs(float(result.z)))
    for name, gradient in gradients.items():
        ours_gradient = out["grad." + name].reshape(np.shape(gradient))
        size = max(1.0, np.abs(gradient).max(initial=0))
        yield "grad." + name, np.abs(ours_gradient - np.asarray(gradient)).max(initial=0) / size


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("binary", type=Path, help="moe-bench")
    parser.add_argument("--cases", type=int, default=20, help="random layers of each router")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--router", choices=sorted(ROUTERS), help="this one alone")
    arguments = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for name in [arguments.router] if arguments.router else ROUTERS:
            parameters, reference = ROUTERS[name]
            worst = (0.0, "", {})
            for number in range(arguments.cases):
                generator = np.random.default_rng([arguments.seed, number, *name.encode()])
                strategy, phase = options_of(name, generator)
                case = Case(generator, strategy, phase, integers=number % 4 == 3 and name not in ("cosine", "soft"))
                parameters(case)
                case.add_experts(1 if name == "dense" else case.E)
                out = ours(arguments.binary.resolve(), case, Path(folder))
                result, gradients = theirs(case, reference)
                for what, difference in differences(case, result, gradients, out):
                    if not difference <= worst[0]:
                        worst = (difference, what, strategy | {"phase": phase, "case": number})
            failed = failed or not worst[0] <= TOLERANCE
            print(f"{name:18} {arguments.cases} layers, largest difference {worst[0]:.2g}"
                  + (f" ({worst[1]}: {json.dumps(worst[2])})" if not worst[0] <= TOLERANCE else ""), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
