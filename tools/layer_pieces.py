"""What the references of tools/layer_reference.py share: a random layer, its experts, slots, choices and losses."""

import collections
import fractions
import math

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)


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
    train = case.phase == "train"
    cf = case.option("capacity_factor" if train else "evaluation_capacity_factor")
    if cf is None:
        return tokens * k
    rule, cf = case.option("capacity_rule", "norm"), fractions.Fraction(str(cf))
    even = -(-tokens // experts)
    slots = {
        "norm": math.ceil(cf * k * tokens / experts), "deepspeed": math.ceil(cf * k * tokens / experts),
        "mesh": math.floor(cf * tokens / experts), "flaxformer": round(cf * tokens / experts),
        "fairseq": (math.floor(cf * even) if k == 1 else k * even) if train else math.ceil(cf * tokens),
        "tutel": k * math.floor(cf * even), "vmoe": 4 * -(-math.ceil(cf * k * tokens / experts) // 4),
        "megablocks": math.floor(cf * k * tokens / experts) or tokens,
    }[rule]
    least = case.option("minimum_capacity", {"mesh": 4, "flaxformer": 4, "deepspeed": 8}.get(rule, 0))
    return min(tokens, max(least, slots))


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


def balance_loss(case, probability_TE, chosen_TK, kept_TK, valid, weight_TE=None, rule=None):
    """By the project that the option `balance` names; one term a group, their mean in the end."""
    E, K = probability_TE.shape[1], chosen_TK.shape[1]
    rule, losses = rule or case.option("balance", "norm"), []
    first_only = case.option("balance_counts", "all") == "first" or rule in (
        "mesh_switch", "mesh_top_2", "fairseq", "hf_switch", "hf_nllb", "st_moe") or (rule == "deepspeed" and K <= 2)
    counts_padding = rule in ("mesh_switch", "megablocks", "hf_switch", "st_moe")
    own_best = best(np.asarray(jax.lax.stop_gradient(probability_TE)), np.ones(case.T, bool), K)
    for group in np.unique(case.groups()):
        members = np.flatnonzero(case.groups() == group)
        real = valid[members]
        if not real.any():
            continue
        V, S, f = real.sum(), len(members), np.zeros(E)
        for t in members:
            for c in range(1 if first_only else K):
                e = chosen_TK[t, c] if valid[t] else own_best[t, c] if counts_padding else 0 if rule == "hf_nllb" else -1
                if e >= 0 and valid[t] and not kept_TK[t, c]:
                    e = {"hf_switch": 0, "hf_nllb": 0, "st_moe": -1}.get(rule, e)
                if e >= 0:
                    f[e] += 1
        if rule != "flaxformer" and not first_only:
            f = f / K
        mask = np.ones(S) if counts_padding or rule in ("fairseq", "deepspeed") else real
        size = V if rule == "norm" else S
        P = ((weight_TE if rule == "hf_nllb" else probability_TE)[members] * mask[:, None]).sum(0) / size
        losses.append(E * (f / size * P).sum() * (V / S if rule == "mesh_switch" else 1))
    return sum(losses) / len(losses) if losses else jnp.zeros(())


def second_place_loss(case, probability_TE, select, valid):
    """Mesh TensorFlow's: of second choices, by the probabilities without the first; padding keeps its own there."""
    best_T2 = best(select, valid, 2)
    first = (np.arange(probability_TE.shape[1])[None] == best_T2[:, :1]) & valid[:, None]
    rest_TE = jnp.where(first, 0, probability_TE)
    rest_TE = rest_TE / (rest_TE.sum(1, keepdims=True) + 1e-9)
    rule = case.option("balance", "norm")
    kept = np.ones((case.T, 1), bool)
    return balance_loss(case, rest_TE, best_T2[:, 1:], kept, valid, rest_TE, "fairseq" if rule == "mesh_top_2" else rule)


def z_loss(logit_TE, valid, padding="excluded"):
    square = jax.nn.logsumexp(logit_TE, axis=1) ** 2
    if padding == "zero_logits":
        square = jnp.where(valid, square, np.log(logit_TE.shape[1]) ** 2)
    rows = np.flatnonzero(valid) if padding == "excluded" else np.arange(len(valid))
    return square[rows].mean() if len(rows) else jnp.zeros(())


Choice = collections.namedtuple("Choice", "weight_TE pairs dropped balance z first passed_T")


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
    if normalise == "batch":
        weight_TK = weight_TK / jnp.maximum((weight_TK * (candidate_TK >= 0)).sum(), 1.1920929e-7)
    elif normalise != "none":
        counted = weight_TK if normalise == "before" else weight_TK * kept
        weight_TK = weight_TK / jnp.maximum(counted.sum(1, keepdims=True), 1.1920929e-7)
    if case.option("second_weight") == "raw":
        weight_TK = weight_TK.at[:, 1].set(score_TE[rows[:, 0], candidate_TK[:, 1].clip(0)])
    weight_TE = jnp.zeros((case.T, E)).at[rows, candidate_TK.clip(0)].add(weight_TK * kept * scale)
    balance = balance_loss(case, probability_TE, wanted_TK, kept, valid, weight_TE)
    if case.option("second_place_loss"):
        balance = balance + case.option("second_place_loss") * second_place_loss(case, probability_TE, select, valid)
    weight_TE = weight_TE * (1 - case.option("expert_output_masking", 0))
    pairs = sorted((int(chosen_TK[t, c]), t) for t in range(case.T) for c in range(kept.shape[1]) if kept[t, c])
    dropped = (chosen_TK >= 0) & ~kept
    passed_T = (score_TE[rows, candidate_TK.clip(0)] * dropped).sum(1)
    return Choice(weight_TE, pairs, dropped.sum(1), balance, z_loss(logit_TE, valid, case.option("z_padding", "excluded")), wanted_TK[:, 0], passed_T)


def finish(p, x, choice, dropped="zero"):
    output = combine(p, x, choice.weight_TE)
    if dropped == "input":
        output = output + x * choice.passed_T[:, None]
    return Result(output, choice.pairs, choice.dropped, choice.balance, choice.z)


def mean_rows(case, x):
    """Mean of the valid states of each token's row."""
    means = []
    for row in range(case.B):
        mine = np.flatnonzero((case.row == row) & case.valid)
        means.append(x[mine].mean(0) if len(mine) else jnp.zeros(case.D))
    return jnp.stack(means)[case.row]
