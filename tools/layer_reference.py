"""Every router once more, dense and slow, in JAX and float64: what tools/compare_layer.py compares `moe-bench layer` with.

A reference takes a case, its inputs `p` as JAX arrays and the states x [T, D], and returns the layer's output, the kept
pairs, drops and losses. Choices are made on plain numbers; the weights that follow from them carry the gradients.
"""

import jax
import jax.numpy as jnp
import numpy as np
from layer_pieces import Result, best, combine, finish, mean_rows, run_experts, token_choice, z_loss
from scipy.optimize import linear_sum_assignment

# A router: (parameters to draw, reference). `p` holds the inputs as JAX arrays, x is [T, D].

def gate(case):
    case.parameter("router.weight", case.E, case.D)


def switch(case, p, x):
    return finish(p, x, token_choice(case, 1, x @ p["router.weight"].T), case.option("dropped", "zero"))


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
    select = np.array(jax.lax.stop_gradient(score)) + case.given["router.bias"]
    groups, limit = case.option("expert_groups", 1), case.option("groups_per_token", 1)
    size = case.E // groups
    for t in range(case.T):
        sums = [np.sort(select[t, g * size:(g + 1) * size])[-2:].sum() for g in range(groups)]
        for g in np.argsort(-np.array(sums), kind="stable")[limit:]:
            select[t, g * size:(g + 1) * size] = -np.inf
    return finish(p, x, token_choice(
        case, k, logit, probability_TE=score / score.sum(1, keepdims=True), score_TE=score,
        select_TE=select, normalise="before" if k > 1 else "none",
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


def layer_norm(rows, scale, shift):
    centred = rows - rows.mean(1, keepdims=True)
    return centred / jnp.sqrt((centred**2).mean(1, keepdims=True) + 1e-5) * scale + shift


def base_gate(case):
    gate(case)
    if case.option("residual"):
        nets = case.E * case.option("sublayers", 1)
        case.parameter("norm.weight", nets, case.D)
        case.parameter("norm.bias", nets, case.D)
        case.add_experts(nets)


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
    if case.option("residual"):
        return base_stack(case, p, x, chosen[:, 0], weight.sum(1))
    pairs = sorted((int(chosen[t, 0]), int(t)) for t in tokens)
    return Result(combine(p, x, weight), pairs, np.zeros(case.T, int), jnp.zeros(()), jnp.zeros(()))


def base_stack(case, p, x, chosen_T, weight_T):
    """a Exp(x) + (1 - a) x, less x."""
    state, pairs = x, []
    for net in range(case.option("sublayers", 1)):
        number_T = chosen_T + net * case.E
        states = layer_norm(state, p["norm.weight"][number_T], p["norm.bias"][number_T])
        state = state + combine(p, states, (number_T[:, None] == np.arange(len(p["w1"]))[None]).astype(float))
        pairs += [(int(number_T[t]), int(t)) for t in np.flatnonzero(case.valid)]
    output = (weight_T[:, None] * (state - x)) * case.valid[:, None]
    return Result(output, sorted(pairs), np.zeros(case.T, int), jnp.zeros(()), jnp.zeros(()))


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
    L, states = case.option("strata", 2), case.option("norm") == "states"
    for stratum in range(L):
        case.parameter(f"router.{stratum}.weight", case.E, case.D)
    for number in range(L if states else L - 1):
        case.parameter(f"norm.{number}.weight", case.D)
        case.parameter(f"norm.{number}.bias", case.D)


def smoe(case, p, x):
    L, k = case.option("strata", 2), case.option("k", 2)
    size = case.E // L
    state, now = np.where(case.valid, 0, L), x
    norms_states = case.option("norm") == "states"

    def norm(number, rows):
        return layer_norm(rows, p[f"norm.{number}.weight"], p[f"norm.{number}.bias"])

    pairs, dropped, balances, zs = [], np.zeros(case.T, int), [], []
    for current in range(L):
        mine = state == current
        if not mine.any() and current > 0:
            continue
        if current > 0 and norms_states:
            now = jnp.where(mine[:, None], norm(current - 1, now), now)
        states = norm(current - 1, now) if current > 0 and not norms_states else now
        first = current * size
        choice = token_choice(case, k, states @ p[f"router.{current}.weight"][first:].T, valid=mine, normalise="after")
        weight = jnp.concatenate([jnp.zeros((case.T, first)), choice.weight_TE], 1)
        now = now + combine(p, states, weight)
        pairs += [(e + first, t) for e, t in choice.pairs]
        dropped = dropped + choice.dropped
        balances.append(choice.balance)
        zs.append(choice.z)
        state = np.where(mine, (choice.first + first) // size + 1, state)
    if norms_states:
        now = jnp.where(case.valid[:, None], norm(L - 1, now), now)
    return Result(now - x, sorted(pairs), dropped, sum(balances) / len(balances), sum(zs) / len(zs))


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
    "noisy_top_k": (gate, top_k),
    "bias_balanced": (bias_balanced_gate, bias_balanced), "cosine": (cosine_gate, cosine),
    "shared_expert": (shared_gate, shared_expert), "cmr": (cmr_gate, cmr), "expert_choice": (gate, expert_choice),
    "base": (base_gate, base), "soft": (soft_gate, soft), "smoe": (smoe_gate, smoe), "stable": (stable_gate, stable),
    "task_static": (nothing, task_static), "hash": (nothing, hash_router),
    "task_learned": (task_learned_gate, task_learned), "sentence": (gate, sentence),
    "task_aware_token": (task_aware_gate, task_aware_token),
}
