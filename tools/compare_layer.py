#!/usr/bin/env python3
"""Compares `moe-bench layer` with a second implementation of every router, written from the papers in JAX.

    python3 -m venv build/jax && build/jax/bin/pip install jax safetensors scipy
    build/jax/bin/python tools/compare_layer.py build/moe-bench --cases 20

The second implementation is dense, in float64, and as slow as it is obvious: a table of combine weights [tokens, experts],
every expert applied to every token, gradients by JAX. Compared are the output, the kept pairs, drops, balance and z-loss,
and the gradients of everything given. Prints the largest difference of each router; exit status 1 above the tolerance of
2e-5. Routers whose training draws at random are compared at evaluation, or where nothing is drawn.
"""

import argparse
import collections
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from scipy.optimize import linear_sum_assignment

jax.config.update("jax_enable_x64", True)
TOLERANCE = 2e-5
NEGATIVE = -1e30


class Case:
    """One layer: conditions, inputs as float64, and what the tokens are."""

    def __init__(self, generator, strategy, phase="train", integers=False):
        self.strategy, self.phase, self.generator, self.integers = strategy, phase, generator, integers
        self.B, self.S, self.D, self.F = (int(generator.integers(1, 4)), int(generator.integers(1, 7)), 8, 16)
        self.T = self.B * self.S
        self.E = strategy.get("experts", 4)
        self.seed, self.layer = int(generator.integers(1, 1000)), int(generator.integers(0, 3))
        padding = np.zeros((self.B, self.S), np.uint8)
        if generator.random() < 0.6:  # padding stands at the end of a row
            for row in range(self.B):
                padding[row, self.S - int(generator.integers(0, self.S)):] = 1
        ids = generator.integers(0, 12, (self.B, self.S))
        direction = generator.integers(0, 3, self.B)
        direction[0] = 2
        self.inputs = {"x": self.draw(self.B, self.S, self.D), "grad_output": self.draw(self.B, self.S, self.D)}
        self.given = {"padding": padding, "token_ids": ids, "direction": direction,
                      "token_counts": np.full(12, 3, np.int64)}
        self.valid = padding.reshape(-1) == 0
        self.ids, self.row = ids.reshape(-1), np.repeat(np.arange(self.B), self.S)
        self.task = np.repeat(direction, self.S)
        self.auxiliary = float(np.float32(generator.random()))

    def draw(self, *shape):
        if self.integers:  # products of small whole numbers are exact, and make exact ties
            return self.generator.integers(-1, 2, shape).astype(np.float64)
        return self.generator.standard_normal(shape).astype(np.float32).astype(np.float64)

    def parameter(self, name, *shape, scale=1.0):
        """Draws a parameter of the router, unless it is there."""
        if name not in self.inputs:
            self.inputs[name] = (scale * self.draw(*shape)).astype(np.float32).astype(np.float64)

    def option(self, name, default=None):
        value = self.strategy.get(name, default)
        return default if value is None else value

    def groups(self):
        return self.row if self.option("group", "batch") == "sentence" else np.zeros(self.T, int)

    def add_experts(self, count, hidden=None):
        F = hidden or self.F
        scale = 1 if self.integers else 0.5
        for name, shape in (("w1", (count, F, self.D)), ("b1", (count, F)), ("w2", (count, self.D, F)),
                            ("b2", (count, self.D))):
            self.parameter(name, *shape, scale=scale)


Result = collections.namedtuple("Result", "output pairs dropped balance z")


def run_experts(p, x):
    """Every expert on every token, [E, T, D]."""
    hidden = jax.nn.relu(jnp.einsum("td,efd->etf", x, p["w1"]) + p["b1"][:, None])
    return jnp.einsum("etf,edf->etd", hidden, p["w2"]) + p["b2"][:, None]


def combine(p, x, weight_TE):
    return jnp.einsum("te,etd->td", weight_TE, run_experts(p, x))


def best(score_TE, valid, k):
    """The k best experts of each token; equal scores go to the lower index; -1 for padding."""
    order = np.argsort(-np.asarray(score_TE), axis=1, kind="stable")[:, :k]
    return np.where(valid[:, None], order, -1)


def capacity_of(case, k, tokens, experts):
    if case.option("capacity"):
        return min(case.option("capacity"), tokens)
    factor = case.option("capacity_factor" if case.phase == "train" else "evaluation_capacity_factor")
    if factor is None:
        return tokens * k
    return min(tokens, max(case.option("minimum_capacity", 0), int(np.ceil(factor * k * tokens / experts - 1e-9))))


def fill(case, chosen_TK, score_TK, experts, valid):
    """Which choices find a slot."""
    groups, kept = case.groups(), np.zeros(chosen_TK.shape, bool)
    K, fill_order = chosen_TK.shape[1], case.option("fill", "position")
    entries = [(k, t) for k in range(K) for t in range(case.T) if chosen_TK[t, k] >= 0]
    if fill_order == "bpr":
        entries.sort(key=lambda entry: (entry[0], -score_TK[entry[1], 0]))
    elif fill_order == "per_expert_prob":
        entries.sort(key=lambda entry: -score_TK[entry[1], entry[0]])
    taken = collections.Counter()
    for k, t in entries:
        slot = (groups[t], chosen_TK[t, k])
        room = capacity_of(case, K, int(valid[groups == groups[t]].sum()), experts)
        kept[t, k] = taken[slot] < room
        taken[slot] += 1
    return kept


def next_best(case, ranked_TR, experts):
    """No token left behind: (expert, kept) of each token."""
    groups, taken = case.groups(), collections.Counter()
    expert, kept = ranked_TR[:, 0].copy(), np.zeros(case.T, bool)
    for rank in range(ranked_TR.shape[1]):
        for t in range(case.T):
            if kept[t] or ranked_TR[t, rank] < 0:
                continue
            slot = (groups[t], ranked_TR[t, rank])
            if taken[slot] < capacity_of(case, 1, int(case.valid[groups == groups[t]].sum()), experts):
                taken[slot] += 1
                expert[t], kept[t] = ranked_TR[t, rank], True
    return expert[:, None], kept[:, None]


def balance_loss(case, probability_TE, chosen_TK, valid):
    E, losses = probability_TE.shape[1], []
    counted = chosen_TK[:, :1] if case.option("balance_counts", "all") == "first" else chosen_TK
    for group in np.unique(case.groups()):
        mine = (case.groups() == group) & valid
        if not mine.any():
            continue
        f = np.bincount(counted[mine][counted[mine] >= 0], minlength=E) / (counted.shape[1] * mine.sum())
        losses.append(E * (f * probability_TE[np.flatnonzero(mine)].mean(0)).sum())
    return sum(losses) / len(losses) if losses else jnp.zeros(())


def z_loss(logit_TE, valid):
    rows = np.flatnonzero(valid)
    return (jax.nn.logsumexp(logit_TE[rows], axis=1) ** 2).mean() if len(rows) else jnp.zeros(())


Choice = collections.namedtuple("Choice", "weight_TE pairs dropped balance z first")


def token_choice(case, k, logit_TE, valid=None, probability_TE=None, score_TE=None, select_TE=None, normalise="none",
                 scale=1.0, second=None):
    """Choose k experts by `select_TE`, give slots, weigh by `score_TE`."""
    valid = case.valid if valid is None else valid
    probability_TE = jax.nn.softmax(logit_TE, 1) if probability_TE is None else probability_TE
    score_TE = probability_TE if score_TE is None else score_TE
    select_TE = logit_TE if select_TE is None else select_TE
    E = logit_TE.shape[1]
    concrete = np.asarray(jax.lax.stop_gradient(score_TE))
    select = np.asarray(jax.lax.stop_gradient(select_TE))
    candidate_TK = best(select, valid, k)
    chosen_TK = candidate_TK.copy()
    rows = np.arange(case.T)[:, None]
    if second == "none":
        chosen_TK[:, 1] = -1
    elif second == "threshold":
        share = concrete[rows, candidate_TK.clip(0)]
        chosen_TK[share[:, 1] / share.sum(1) <= case.option("threshold", 0.2), 1] = -1
    wanted_TK = chosen_TK
    if case.option("fill") == "ntlb":
        chosen_TK, kept = next_best(case, best(select, valid, min(4, E)), E)
        candidate_TK = chosen_TK
    else:
        kept = fill(case, chosen_TK, concrete[rows, candidate_TK.clip(0)], E, valid)
    weight_TK = score_TE[rows, candidate_TK.clip(0)]
    normalise = case.option("normalise", normalise)
    if normalise != "none":
        counted = weight_TK if normalise == "before" else weight_TK * kept
        weight_TK = weight_TK / jnp.maximum(counted.sum(1, keepdims=True), 1.1920929e-7)
    weight_TE = jnp.zeros((case.T, E)).at[rows, candidate_TK.clip(0)].add(weight_TK * kept * scale)
    pairs = sorted((int(chosen_TK[t, c]), t) for t in range(case.T) for c in range(kept.shape[1]) if kept[t, c])
    dropped = ((chosen_TK >= 0) & ~kept).sum(1)
    return Choice(weight_TE, pairs, dropped, balance_loss(case, probability_TE, wanted_TK, valid),
                  z_loss(logit_TE, valid), wanted_TK[:, 0])


def finish(p, x, choice):
    return Result(combine(p, x, choice.weight_TE), choice.pairs, choice.dropped, choice.balance, choice.z)


def mean_rows(case, x):
    """Mean of the valid states of each token's row."""
    means = []
    for row in range(case.B):
        mine = np.flatnonzero((case.row == row) & case.valid)
        means.append(x[mine].mean(0) if len(mine) else jnp.zeros(case.D))
    return jnp.stack(means)[case.row]


# A router: (parameters to draw, reference). `p` holds the inputs as JAX arrays, x is [T, D].

def gate(case):
    case.parameter("router.weight", case.E, case.D)


def switch(case, p, x):
    return finish(p, x, token_choice(case, 1, x @ p["router.weight"].T))


def gshard(case, p, x):
    second = case.option("second", "all") if case.phase == "train" else "all"
    return finish(p, x, token_choice(case, 2, x @ p["router.weight"].T, normalise="after", second=second))


def top_k(case, p, x):
    return finish(p, x, token_choice(case, case.option("k", 2), x @ p["router.weight"].T))


def bias_balanced_gate(case):
    gate(case)
    case.given["router.bias"] = case.draw(case.E).astype(np.float32)


def bias_balanced(case, p, x):
    k, logit = case.option("k", 2), x @ p["router.weight"].T
    softmax = jax.nn.softmax(logit, 1)
    score = softmax if case.option("score") == "softmax" else jax.nn.sigmoid(logit)
    return finish(p, x, token_choice(
        case, k, logit, probability_TE=score / score.sum(1, keepdims=True), score_TE=score,
        select_TE=score + case.given["router.bias"], normalise="before" if k > 1 else "none",
        scale=case.option("route_scale", 1.0)))


def cosine_gate(case):
    case.parameter("router.projection", 256, case.D, scale=0.3)
    case.parameter("router.weight", case.E, 256)
    case.parameter("router.log_scale", 1)


def cosine(case, p, x):
    def unit(rows):
        return rows / jnp.maximum(jnp.linalg.norm(rows, axis=1, keepdims=True), 1e-12)

    scale = jnp.minimum(jnp.exp(p["router.log_scale"]), 100)
    logit = unit(x @ p["router.projection"].T) @ unit(p["router.weight"]).T * scale
    return finish(p, x, token_choice(case, case.option("k", 1), logit))


def shared_gate(case):
    gate(case)
    case.add_experts(case.E + 1)


def with_shared(case, choice, routed, shared):
    """The choice, its weights times `routed` [T], beside expert E with weights `shared` [T]."""
    weight_TE = jnp.concatenate([choice.weight_TE * routed[:, None], (shared * case.valid)[:, None]], 1)
    pairs = choice.pairs + [(case.E, t) for t in np.flatnonzero(case.valid)]
    return choice._replace(weight_TE=weight_TE, pairs=pairs)


def shared_expert(case, p, x):
    choice = token_choice(case, case.option("k", 1), x @ p["router.weight"].T)
    return finish(p, x, with_shared(case, choice, jnp.ones(case.T), jnp.ones(case.T)))


def cmr_gate(case):
    shared_gate(case)
    case.parameter("router.cmr_weight", 1, case.D)
    case.parameter("router.cmr_bias", 1)


def cmr(case, p, x):
    share = jax.nn.sigmoid((x @ p["router.cmr_weight"].T)[:, 0] + p["router.cmr_bias"])
    choice = token_choice(case, case.option("k", 2), x @ p["router.weight"].T, normalise="after")
    return finish(p, x, with_shared(case, choice, share, 1 - share))


def expert_choice(case, p, x):
    logit, groups = x @ p["router.weight"].T, case.groups()
    if case.option("score", "experts") == "experts":
        score = jax.nn.softmax(logit, 1)
    else:
        score = jnp.zeros((case.T, case.E))
        for group in np.unique(groups):
            mine = np.flatnonzero((groups == group) & case.valid)
            if len(mine):
                score = score.at[mine].set(jax.nn.softmax(logit[mine], 0))
    concrete, taken = np.asarray(jax.lax.stop_gradient(score)), np.zeros((case.T, case.E), bool)
    for group in np.unique(groups):
        mine = np.flatnonzero((groups == group) & case.valid)
        size = case.option("capacity") or int(np.ceil(case.option("capacity_factor", 1) * len(mine) / case.E - 1e-9))
        for e in range(case.E):
            taken[mine[np.argsort(-concrete[mine, e], kind="stable")[:size]], e] = True
    weight = score * taken
    if case.option("share"):
        weight = weight / np.maximum(taken.sum(1, keepdims=True), 1)
    pairs = sorted((int(e), int(t)) for t, e in zip(*np.nonzero(taken)))
    return Result(combine(p, x, weight), pairs, np.zeros(case.T, int), jnp.zeros(()), z_loss(logit, case.valid))


def base(case, p, x):
    affinity = x @ p["router.weight"].T
    concrete, tokens = np.asarray(jax.lax.stop_gradient(affinity)), np.flatnonzero(case.valid)
    chosen = best(concrete, case.valid, 1)
    if case.phase == "train" and len(tokens):
        # Ceil slots an expert; the last of each is worth taking by a few experts only: rows of nobody fill the rest.
        each, rest = divmod(len(tokens), case.E)
        columns = np.repeat(np.arange(case.E), each + (rest > 0))
        extra = np.zeros((len(columns) - len(tokens), len(columns)))
        if rest:  # nobody may stand in last slots alone
            last = np.tile(np.arange(each + 1) == each, case.E)
            extra[:, ~last] = -1e6
        table = np.concatenate([concrete[tokens][:, columns], extra])
        chosen[tokens, 0] = columns[linear_sum_assignment(-table)[1][:len(tokens)]]
    weight = jax.nn.sigmoid(affinity) * (chosen == np.arange(case.E)[None])
    output = combine(p, x, weight)
    if case.option("pass_through"):
        output = output + x * ((1 - weight.sum(1)) * case.valid)[:, None]
    pairs = sorted((int(chosen[t, 0]), int(t)) for t in tokens)
    return Result(output, pairs, np.zeros(case.T, int), jnp.zeros(()), jnp.zeros(()))


def soft_gate(case):
    case.parameter("router.slots", case.E, case.option("slots", 8), case.D)
    case.parameter("router.scale", 1)


def soft(case, p, x):
    def unit(rows):
        return rows / (jnp.linalg.norm(rows, axis=-1, keepdims=True) + 1e-6)

    P, groups = case.option("slots", 8), case.groups()
    logit = p["router.scale"] * unit(x) @ unit(p["router.slots"].reshape(-1, case.D)).T
    output = jnp.zeros((case.T, case.D))
    for group in np.unique(groups):
        mine = np.flatnonzero((groups == group) & case.valid)
        if not len(mine):
            continue
        slots = (jax.nn.softmax(logit[mine], 0).T @ x[mine]).reshape(case.E, P, case.D)
        outputs = [run_experts(p, slots[e])[e] for e in range(case.E)]
        output = output.at[mine].set(jax.nn.softmax(logit[mine], 1) @ jnp.concatenate(outputs))
    return Result(output, None, np.zeros(case.T, int), jnp.zeros(()), jnp.zeros(()))


def smoe_gate(case):
    for stratum in range(case.option("strata", 2)):
        case.parameter(f"router.{stratum}.weight", case.E, case.D)
        if stratum > 0:
            case.parameter(f"norm.{stratum - 1}.weight", case.D)
            case.parameter(f"norm.{stratum - 1}.bias", case.D)


def smoe(case, p, x):
    L, k = case.option("strata", 2), case.option("k", 2)
    size = case.E // L
    state, y = np.where(case.valid, 0, L), jnp.zeros((case.T, case.D))
    pairs, dropped, balances, zs = [], np.zeros(case.T, int), [], []
    for current in range(L):
        mine = state == current
        if not mine.any() and current > 0:
            continue
        states = x
        if current > 0:
            h = x + y
            centred = h - h.mean(1, keepdims=True)
            states = centred / jnp.sqrt((centred**2).mean(1, keepdims=True) + 1e-5)
            states = states * p[f"norm.{current - 1}.weight"] + p[f"norm.{current - 1}.bias"]
        first = current * size
        choice = token_choice(case, k, states @ p[f"router.{current}.weight"][first:].T, valid=mine, normalise="after")
        weight = jnp.concatenate([jnp.zeros((case.T, first)), choice.weight_TE], 1)
        y = y + combine(p, states, weight)
        pairs += [(e + first, t) for e, t in choice.pairs]
        dropped = dropped + choice.dropped
        balances.append(choice.balance)
        zs.append(choice.z)
        state = np.where(mine, (choice.first + first) // size + 1, state)
    return Result(y, sorted(pairs), dropped, sum(balances) / len(balances), sum(zs) / len(zs))


def stable_gate(case):
    gate(case)
    case.parameter("router.distilled_embedding", 12, 50)
    case.parameter("router.distilled_weight", case.E, 50)


def stable(case, p, x):
    affinity = x @ p["router.weight"].T
    chosen = best(jax.lax.stop_gradient(affinity), case.valid, 1)
    weight = jax.nn.sigmoid(affinity) * (chosen == np.arange(case.E)[None])
    even = case.valid.sum() / case.E
    load = np.bincount(chosen[case.valid, 0], minlength=case.E)
    balance = ((load - even) / even * weight.sum(0)).sum() / case.valid.sum()
    pairs = sorted((int(chosen[t, 0]), int(t)) for t in np.flatnonzero(case.valid))
    return Result(combine(p, x, weight), pairs, np.zeros(case.T, int), balance, jnp.zeros(()))


def fixed(case, p, x, chosen_T):
    chosen = np.where(case.valid, chosen_T, -1)[:, None]
    weight = jnp.asarray(chosen == np.arange(case.E)[None], float)
    pairs = sorted((int(chosen[t, 0]), int(t)) for t in np.flatnonzero(case.valid))
    return Result(combine(p, x, weight), pairs, np.zeros(case.T, int), jnp.zeros(()), jnp.zeros(()))


def task_static(case, p, x):
    return fixed(case, p, x, case.task % case.E)


def mix(value):
    """splitmix64."""
    mask = (1 << 64) - 1
    value = (value + 0x9E3779B97F4A7C15) & mask
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
    return value ^ (value >> 31)


def hash_router(case, p, x):
    keys = [mix(mix(mix(case.seed) ^ case.layer) ^ int(v)) % case.E for v in case.ids]
    return fixed(case, p, x, np.array(keys))


def dense(case, p, x):
    return fixed(case, p, x, np.zeros(case.T, int))


def task_learned_gate(case):
    gate(case)
    case.parameter("router.task_embedding", 3, case.D)


def task_learned(case, p, x):
    logit = p["router.task_embedding"][case.task] @ p["router.weight"].T
    return finish(p, x, token_choice(case, case.option("k", 1), logit))


def sentence(case, p, x):
    return finish(p, x, token_choice(case, case.option("k", 1), mean_rows(case, x) @ p["router.weight"].T))


def task_aware_gate(case):
    case.parameter("router.weight", 3, case.E, case.D)


def task_aware_token(case, p, x):
    logit = jnp.einsum("td,ted->te", x, p["router.weight"][case.task])
    return finish(p, x, token_choice(case, case.option("k", 1), logit))


def nothing(case):
    pass


ROUTERS = {
    "dense": (nothing, dense), "switch": (gate, switch), "gshard": (gate, gshard), "top_k": (gate, top_k),
    "bias_balanced": (bias_balanced_gate, bias_balanced), "cosine": (cosine_gate, cosine),
    "shared_expert": (shared_gate, shared_expert), "cmr": (cmr_gate, cmr), "expert_choice": (gate, expert_choice),
    "base": (gate, base), "soft": (soft_gate, soft), "smoe": (smoe_gate, smoe), "stable": (stable_gate, stable),
    "task_static": (nothing, task_static), "hash": (nothing, hash_router),
    "task_learned": (task_learned_gate, task_learned), "sentence": (gate, sentence),
    "task_aware_token": (task_aware_gate, task_aware_token),
}
TIGHT = [{}, {"capacity": 1}, {"capacity": 2}, {"capacity_factor": 1.0}, {"capacity_factor": 1.25, "minimum_capacity": 2}]


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
        return strategy | {"pass_through": bool(pick(0, 1))}, phase
    if router == "soft":
        return strategy | {"slots": pick(1, 3)}, phase
    if router == "expert_choice":
        return strategy | pick({}, {"capacity": 2}, {"capacity_factor": 1.5}) | {
            "score": pick("experts", "tokens"), "share": bool(pick(0, 1))}, phase
    strategy |= pick(*TIGHT) | {"fill": pick("position", "bpr", "per_expert_prob"), "balance_counts": pick("all", "first")}
    if generator.random() < 0.7:
        strategy["normalise"] = pick("none", "before", "after")
    if router == "gshard":
        return strategy | {"second": pick("all", "threshold", "none")}, phase
    if router == "switch" and generator.random() < 0.3:
        strategy["fill"] = "ntlb"
    if router not in ("switch",):
        strategy["k"] = min(pick(1, 2, 3), strategy["experts"])
    if router == "bias_balanced":
        strategy |= {"score": pick("sigmoid", "softmax"), "route_scale": pick(1.0, 2.5)}
    if router == "smoe":
        strategy |= {"experts": pick(4, 8), "strata": 2, "k": pick(1, 2)}
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
