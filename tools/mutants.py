#!/usr/bin/env python3
"""Breaks the routers on purpose, one line at a time, and sees whether their tests notice.

    tools/mutants.py [--only TEXT]

Each mutant below is put into the source, `test_routers` is built and run, and the source is put back. A mutant that no
test notices is printed as ALIVE, and the exit status is then 1. Needs a build/ (tools/setup) and a clean work tree; takes
about a minute a mutant.
"""

import argparse
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# (what is broken, file, text that stands there once, text in its place)
MUTANTS = [
    ("weight: unnormalised when it should be", "token_choice.cpp", "if (policy_.normalise == Normalise::none) return",
     "if (policy_.normalise != Normalise::none) return"),
    ("weight: `after` counts dropped choices", "token_choice.cpp", "probability_TK * decision.kept_TK.to(probability_TK.device())",
     "probability_TK * torch::ones_like(probability_TK)"),
    ("weight: of the wrong expert", "gating.cpp", "probability_TE.gather(1, index_TK.clamp_min(0))",
     "probability_TE.gather(1, index_TK.clamp_min(1))"),
    ("tie rule: the higher expert wins", "gating.cpp", "score[expert] > score[best[place - 1]]",
     "score[expert] >= score[best[place - 1]]"),
    ("padding mask: padding is routed", "gating.cpp", "if (valid[t]) best_of_row<Score>(score[t], best[t]);",
     "best_of_row<Score>(score[t], best[t]);"),
    ("padding mask: padding in P of the balance loss", "balance_loss.cpp", "probability_TE.masked_fill(padding_T1, 0)",
     "probability_TE.masked_fill(padding_T1, 0.5)"),
    ("balance loss: dropped tokens count for nobody", "balance_loss.cpp",
     "rule.dropped == Dropped::sent_to_expert_0 ? 0 : -1", "-1"),
    ("balance loss: padding has no best choice", "balance_loss.cpp", "if (rule.padding_in_f == Padding::left_out) return expert_TK;",
     "return expert_TK;"),
    ("balance loss: pooled layers keep their own P", "balance_loss.cpp", "torch::stack(probability).mean(0)", "probability[0]"),
    ("balance loss: dropped choices have a weight", "token_choice.cpp", "weight_TK * kept_TK)", "weight_TK)"),
    ("weight: over the batch, each token by itself", "token_choice.cpp", "probability_TK.sum().clamp_min",
     "probability_TK.sum(1, true).clamp_min"),
    ("balance loss: never scaled by the valid share", "balance_loss.cpp", "if (rule.scaled_by_valid_share)",
     "if (false)"),
    ("padding mask: padding in the z-loss", "gating.cpp", "square_T.masked_fill(invalid_T, of_padding).sum()",
     "square_T.sum()"),
    ("noise: of another scale", "gating.cpp", "noise.normal / static_cast<double>(experts)", "noise.normal"),
    ("noisy_top_k: losses from noisy probabilities", "noisy_top_k.cpp", "variation(scores.clean_probability_TE,",
     "variation(scores.probability_TE,"),
    ("noisy_top_k: load against the best logit", "noisy_top_k.cpp", "narrow(1, options_.top_k.k - 1, 1)",
     "narrow(1, 0, 1)"),
    ("noisy_top_k: padding has importance", "noisy_top_k.cpp", "amount_TE.masked_fill(padding_T1, 0)", "amount_TE"),
    ("oracle: padding is routed", "oracle.cpp", ".masked_fill(tokens.valid_T.logical_not(), -1)", ""),
    ("switch: a kept token gets its input too", "switch.cpp", ".logical_and(decision.kept_TK.logical_not())", ""),
    ("gshard: evaluation is not scaled by what is masked", "gshard.cpp", "plan.weight_M = plan.weight_M * (1 - rate)",
     "plan.weight_M = plan.weight_M * 1"),
    ("bias_balanced: a group by its best expert alone", "bias_balanced.cpp", "std::min<std::int64_t>(2,",
     "std::min<std::int64_t>(1,"),
    ("hash: all hashes share a table", "hash.cpp", 'hash == 0 ? layer', 'true ? layer'),
    ("padding mask: padding counts for the capacity", "slots.cpp",
     "groups.valid_tokens[index] += valid[t] ? 1 : 0;", "groups.valid_tokens[index] += 1;"),
    ("capacity rounding: down", "capacity.cpp", "std::ceil(value - guard)", "std::floor(value)"),
    ("capacity rounding: without the guard", "capacity.cpp", "std::ceil(value - guard)", "std::ceil(value)"),
    ("capacity rounding: half away from zero", "capacity.cpp", "std::nearbyint(q.share())", "std::round(q.share())"),
    ("capacity: fairseq's top-2 by the factor", "capacity.cpp", "q.choices == 1 ?", "true ?"),
    ("capacity: no minima of their own", "capacity.cpp", "value_or(rule->minimum)", "value_or(0)"),
    ("capacity: one slot too many", "slots.cpp", "++ < capacity_[group]", "++ <= capacity_[group]"),
    ("capacity: without the factor k", "capacity.cpp", "share() * static_cast<double>(choices)", "share()"),
    ("fill: second choices before first ones", "slots.cpp", "by_rank ? k : 0", "by_rank ? -k : 0"),
    ("fill: the least probable first", "slots.cpp", 'return by_score ? -score[t]', 'return by_score ? score[t]'),
    ("gshard: the threshold is not strict", "gshard.cpp", "share > threshold_", "share >= 0"),
    ("gshard: random keeps with its share, not twice that", "gshard.cpp", ": 2 * share", ": share"),
    ("gshard: its policy holds at evaluation", "gshard.cpp", "tokens.call.phase == Phase::train ||", "true ||"),
    ("switch: draws at evaluation", "switch.cpp", "pick_ == Pick::argmax || tokens.call.phase == Phase::evaluate",
     "pick_ == Pick::argmax"),
    ("bias_balanced: the bias is in the weights", "bias_balanced.cpp",
     "scores.logit_TE = limit_groups(scores.weight_TE.detach() + bias_E_, tokens);",
     "scores.weight_TE = scores.weight_TE + bias_E_; scores.logit_TE = scores.weight_TE.detach();"),
    ("bias_balanced: the bias moves the wrong way", "bias_balanced.cpp", "(count_E.mean() - count_E)",
     "(count_E - count_E.mean())"),
    ("hash: the table of another layer", "hash.cpp", "RandomStream(context.seed).at(context.layer)",
     "RandomStream(context.seed).at(context.layer + 1)"),
    ("hash: padding is routed", "hash.cpp", "if (valid[t]) expert[t][hash] =",
     "expert[t][hash] ="),
    ("hash: ties go to the busiest", "hash.cpp", "std::min_element(load.begin(), load.end())",
     "std::max_element(load.begin(), load.end())"),
    ("random and thor: padding is routed", "inference.cpp", "if (valid[t]) expert[t][0] = stream_of(t).below(experts);",
     "expert[t][0] = stream_of(t).below(experts);"),
    ("thor: the mean is a sum", "inference.cpp", "1.0 / static_cast<double>(experts)", "1.0"),
    ("thor: one draw for both passes", "streams.cpp", ".at(tokens.pass)", ".at(0)"),
    ("expert_choice: ties go to the later token", "expert_choice.cpp", ": a < b;", ": a > b;"),
    ("expert_choice: takes padding", "expert_choice.cpp", "if (valid[t]) members", "members"),
    ("expert_choice: shows the decoder its future", "expert_choice.cpp",
     "if (context_.stack == Stack::encoder) return", "if (true) return"),
    ("expert_choice: one token too few", "expert_choice.cpp", "i < taken; ++i", "i + 1 < taken; ++i"),
    ("base: greedy in training", "base.cpp", "tokens.phase == Phase::train ?", "tokens.phase == Phase::evaluate ?"),
    ("base: an expert takes a slot more than its share", "balanced_assignment.cpp", "load_[expert] < own_slots_",
     "load_[expert] <= own_slots_"),
    ("base: never gives a slot back", "balanced_assignment.cpp", "if (!uses_pool(to)) return false;", "return false;"),
    ("soft: padding in the slots", "soft.cpp", "logit_GLQ.masked_fill(invalid_GL1, std::numeric_limits<float>::lowest())",
     "logit_GLQ"),
    ("soft: dispatch over the slots", "soft.cpp", "masked_GLQ.softmax(1)", "masked_GLQ.softmax(2)"),
    ("smoe: a drop stops a token", "smoe.cpp", "if (choice[t] >= 0) state[t]",
     "if (choice[t] >= 0 && plan.dropped_T[t].item<std::int64_t>() == 0) state[t]"),
    ("smoe: no norm before the second pass", "smoe.cpp", "input_TD = norm(current)(input_TD)", "input_TD = input_TD * 1"),
    ("smoe: all states are normed after a pass", "smoe.cpp", "(last.state_T == current)", "(last.state_T >= current)"),
    ("base: a stack forgets its weight", "base.cpp", "state_TD + y_TD / weight_T.unsqueeze(1)", "state_TD + y_TD"),
    ("base: the norm of another net", "base.cpp", "net_T.clamp_min(0)", "(net_T + 1).clamp_max(nets() - 1)"),
    ("gshard: first choices in the loss of second places", "gshard.cpp",
     "scores.probability_TE.masked_fill(is_first_TE, 0)", "scores.probability_TE"),
    ("gshard: both outputs of a token masked alike", "gshard.cpp", "token_M * 2 + choice_M", "token_M * 2"),
    ("gshard: masked elements are not rescaled", "gshard.cpp", "1 / (1 - rate)", "1.0"),
    ("smoe: later gates see all experts", "smoe.cpp", "weight_ED_.slice(0, first_)", "weight_ED_.slice(0, 0)"),
    ("stable: the words never decide", "stable.cpp", "best_experts(is_fixed ? word_logit_TE : affinity_TE",
     "best_experts(affinity_TE"),
    ("stable: even loads are punished", "stable.cpp", "((load_E - even) / even)", "(load_E / even)"),
    ("cmr: the shared expert in full", "shared_expert.cpp", "share_T.defined() ? 1 - share_T : share_T",
     "torch::Tensor()"),
    ("shared_expert: takes padding", "plan.cpp", "tokens.valid_T.nonzero().squeeze(1).to(plan.token_M.device())",
     "torch::arange(tokens.count()).to(plan.token_M.device())"),
    ("sentence: padding in the mean", "sentence.cpp", "x_TD.masked_fill(valid_T1.logical_not(), 0)", "x_TD"),
    ("sentence: the decoder pools its own states", "sentence.cpp", "tokens.memory_RD.defined()", "false"),
    ("task_static: another task's expert", "task_static.cpp", "tasks_of(tokens, context_)",
     "(tasks_of(tokens, context_) + 1)"),
    ("task_aware_token: everybody's first gate", "task_aware_token.cpp", "task_T.view({-1, 1, 1})",
     "torch::zeros_like(task_T).view({-1, 1, 1})"),
    ("task_learned: the token is seen", "task_learned.cpp", "embedding_GD_.index_select(0, task_T)", "x_TD"),
    ("cosine: lengths count", "cosine.cpp", "unit(projected_TP).matmul", "projected_TP.matmul"),
]


def run(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def outcome(path, source, old, new):
    """What became of one mutant."""
    if source.count(old) != 1:
        return f"STALE: {old!r} stands {source.count(old)} times in {path.name}"
    path.write_text(source.replace(old, new), encoding="utf-8")
    if run("cmake", "--build", "build", "--target", "test_routers").returncode != 0:
        return "STALE: does not compile"
    return "dead" if run("build/test_routers").returncode != 0 else "ALIVE"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="mutants whose description or file has this in it")
    only = parser.parse_args().only
    if run("git", "diff", "--quiet", "--", "routers").returncode != 0:
        sys.exit("mutants: routers/ has changes that are not committed.")
    failed = False
    for what, file, old, new in MUTANTS:
        if only not in what and only not in file:
            continue
        path = ROOT / "routers" / file
        source = path.read_text(encoding="utf-8")
        try:
            result = outcome(path, source, old, new)
        finally:
            path.write_text(source, encoding="utf-8")
        failed = failed or result != "dead"
        print(f"{result:6} {file}: {what}", flush=True)
    run("cmake", "--build", "build", "--target", "test_routers")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
