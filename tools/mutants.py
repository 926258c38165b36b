#!/usr/bin/env python3
"""Breaks routers and the work of several ranks on purpose, one line at a time, and sees whether their tests notice.

    tools/mutants.py                        all of them, about a minute each
    tools/mutants.py --only NAME...         those whose description or file has one of the texts in it
    tools/mutants.py --sample N [--seed S]  N of them, drawn at random
    tools/mutants.py --check                only whether each can still be put into its file; builds nothing

Each mutant below is put into the source, the tests of its kind are built and run, and the source is put back. What became of
it:

    dead    a test noticed
    ALIVE   no test noticed: a test is missing
    STALE   its text does not stand exactly once in its file: the mutant has to follow the code
    BROKEN  it does not compile

The exit status is 1 if any is not dead. Needs a build/ (tools/setup all) whose tests pass, and no uncommitted change of the
files.
"""

import argparse
import pathlib
import random
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# (what is broken, file, text that stands there once, text in its place)
# of routers/, tried on the tests of routers
OF_ROUTERS = [
    ("smoe: the gates of a layer draw alike", "smoe.cpp", "if (stratum > 0) of_gate.seed =", "if (stratum < 0) of_gate.seed ="),
    ("task_learned: noise token by token", "task_learned.cpp", "one_place(tokens)", "tokens"),
    ("ntlb: the first choice is the one that stands in", "token_choice.cpp",
     "choice_T = wanted_TK.select(1, 0)", "choice_T = decision.expert_TK.select(1, 0)"),
    ("ntlb: closed experts stand in", "token_choice.cpp", "expert_TR.masked_fill(torch::isneginf(score_TR), -1)", "expert_TR"),
    ("routing_swap: weights stay where they are", "routing_swap.cpp", "*of_choice = of_choice->index_select(0, source_M);",
     "*of_choice = of_choice->clone();"),
    ("routing_swap: the second best is the best", "routing_swap.cpp", "is_chosen == among_chosen && (best < 0",
     "(best < 0"),
    ("routing_swap: shared experts are swapped too", "routing_swap.cpp", "return choice.expert >= experts;",
     "return choice.expert > experts;"),
    ("routing_swap: all tokens move by one number", "routing_swap.cpp",
     "token_stream(stream, tokens, choice.row).below(experts)", "stream.below(experts)"),
    ("weight: unnormalised when it should be", "token_choice.cpp", "if (policy_.normalise == Normalise::none) return",
     "if (policy_.normalise != Normalise::none) return"),
    ("weight: `after` counts dropped choices", "token_choice.cpp", "probability_TK * decision.kept_TK.to(probability_TK.device())",
     "probability_TK * torch::ones_like(probability_TK)"),
    ("weight: of the wrong expert", "gating.cpp", "probability_TE.gather(1, index_TK.clamp_min(0))",
     "probability_TE.gather(1, index_TK.clamp_min(1))"),
    ("tie rule: the higher expert wins", "gating.cpp", "score[expert] > score[best[place - 1]]",
     "score[expert] >= score[best[place - 1]]"),
    ("padding mask: padding is routed", "gating.cpp", "if (valid[t]) best_of_row(score",
     "best_of_row(score"),
    ("padding mask: padding in P of the balance loss", "balance_loss.cpp", 
     "tokens.valid_T.to(probability_TE.device()).logical_not().unsqueeze(1), 0)",
     "tokens.valid_T.to(probability_TE.device()).logical_not().unsqueeze(1), 0.5)"),
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
    ("gshard: evaluation is not scaled by what is masked", "gshard.cpp", "plan.assignment.weight_M * (1 - rate)",
     "plan.assignment.weight_M * 1"),
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
    ("thor: one draw for both passes", "streams.cpp", ".at(tokens.call.forward_pass)", ".at(0)"),
    ("expert_choice: ties go to the later token", "expert_choice.cpp", ": a < b;", ": a > b;"),
    ("expert_choice: takes padding", "expert_choice.cpp", "if (valid[t]) members", "members"),
    ("expert_choice: shows the decoder its future", "expert_choice.cpp",
     "if (context_.stack == Stack::encoder) return", "if (true) return"),
    ("expert_choice: one token too few", "expert_choice.cpp", "i < taken; ++i", "i + 1 < taken; ++i"),
    ("base: greedy in training", "base.cpp", "tokens.call.phase == Phase::train ?",
     "tokens.call.phase == Phase::evaluate ?"),
    ("base: an expert takes a slot more than its share", "balanced_assignment.cpp", "load_[expert] < own_slots_",
     "load_[expert] <= own_slots_"),
    ("base: never gives a slot back", "balanced_assignment.cpp", "if (!uses_pool(to)) return false;", "return false;"),
    ("soft: padding in the slots", "soft.cpp", "logit_GLQ.masked_fill(invalid_GL1, std::numeric_limits<float>::lowest())",
     "logit_GLQ"),
    ("soft: dispatch over the slots", "soft.cpp", "masked_GLQ.softmax(1)", "masked_GLQ.softmax(2)"),
    ("smoe: a drop stops a token", "smoe.cpp", "if (choice[t] >= 0) state[t]",
     "if (choice[t] >= 0 && plan.statistics.dropped_T[t].item<std::int64_t>() == 0) state[t]"),
    ("smoe: no norm before the second round", "smoe.cpp", "input_TD = norm(current)(input_TD)", "input_TD = input_TD * 1"),
    ("smoe: all states are normed after a round", "smoe.cpp", "(last.round_state_T == current)",
     "(last.round_state_T >= current)"),
    ("base: a stack forgets its weight", "base.cpp", "state_TD + y_TD / divisor_T.unsqueeze(1)", "state_TD + y_TD"),
    ("base: divides by a weight of 0", "base.cpp", "weight_T.masked_fill(weight_T < smallest_weight, 1)", "weight_T"),
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
    ("shared_expert: takes padding", "plan.cpp", "tokens.valid_T.nonzero().squeeze(1).to(assignment.token_M.device())",
     "torch::arange(tokens.count()).to(assignment.token_M.device())"),
    ("sentence: padding in the mean", "sentence.cpp", "x_TD.masked_fill(valid_T1.logical_not(), 0)", "x_TD"),
    ("sentence: the decoder pools its own states", "sentence.cpp", "tokens.memory_RD.defined()", "false"),
    ("task_static: another task's expert", "task_static.cpp", "tasks_of(tokens, context_)",
     "(tasks_of(tokens, context_) + 1)"),
    ("task_aware_token: everybody's first gate", "task_aware_token.cpp", "task_T.view({-1, 1, 1})",
     "torch::zeros_like(task_T).view({-1, 1, 1})"),
    ("task_learned: the token is seen", "task_learned.cpp", "embedding_GD_.index_select(0, task_T)", "x_TD"),
    ("cosine: lengths count", "cosine.cpp", "unit(projected_TP).matmul", "projected_TP.matmul"),
]
# tried on the tests of ranks
OF_RANKS = [
    ("gradients: the mean for the sum", "parallel/gradient_reduce.cpp", "earlier.values[i] += later.values[i];",
     "earlier.values[i] = (earlier.values[i] + later.values[i]) / 2;"),
    ("gradients: of experts times the number of ranks", "parallel/expert_exchange.cpp",
     "parameter.mutable_grad() = sum.defined() ? sum :", "parameter.mutable_grad() = sum.defined() ? sum * ranks_.size() :"),
    ("gradients: added in the order of the ranks", "parallel/tree_sum.h",
     "return earlier.level == later.level && earlier.first % (std::int64_t{2} << earlier.level) == 0;", "return true;"),
    ("gradients: a micro-batch without calls is no leaf of the tree", "parallel/expert_exchange.cpp",
     "if (source.next == source.micro_batch) leaf = std::move(source.gradients);",
     "if (source.next != source.micro_batch) continue;\n    leaf = std::move(source.gradients);"),
    ("clip norm: experts of other ranks are missed", "training/optimizer.cpp",
     "if (!is_stacked && !model_.exchange()->ranks().is_first()) continue;",
     "if (!model_.exchange()->ranks().is_first()) continue;"),
    ("exchange: rows go out in another order than they come back", "kernels/experts/remote_experts.cpp",
     "x_TD.index_select(0, token_M)", "x_TD.index_select(0, token_M.flip(0))"),
    ("exchange: the graph is cut", "kernels/experts/remote_experts.cpp",
     "RemoteExpertsFunction::apply(x_TD.contiguous()", "RemoteExpertsFunction::apply(x_TD.contiguous().detach().requires_grad_(true)"),
    ("exchange: an owner begins with expert 0", "model/moe_layer.cpp", "merged ? 0 : owned_.first}", "0}"),
    ("random draws: by rank", "training/trainer.cpp", "{report.update, i, training_.accumulate",
     "{report.update, i + where_.ranks.rank(), training_.accumulate"),
    ("balance loss: over ranks", "training/trainer.cpp", "static_cast<double>(training_.accumulate * objective_.passes)",
     "static_cast<double>(training_.accumulate * objective_.passes * where_.ranks.size())"),
    ("evaluation: batches in the order of whoever is first", "parallel/share_out.h",
     "for (const std::string& part : parts) {", "for (const std::string& part : {parts.back(), parts.front()}) {"),
]
MUTANTS = [(what, f"routers/{file}", old, new) for what, file, old, new in OF_ROUTERS] + OF_RANKS


# A mutant may loop for ever; the tests take some seconds.
TEST_SECONDS = 600


def run(*command, timeout=None):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout)


def tests_of(file):
    """Programs with their arguments that should notice a mutant of the file."""
    if file.startswith("routers/"):
        return [["test_routers"]]
    return [["test_parallel"], ["test_training", "[#ranks_test]", "--filenames-as-tags"]]


def why_stale(file, old, new):
    """Why the mutant cannot be put into its file, or None."""
    path = ROOT / file
    if not path.is_file():
        return f"{file} does not exist"
    count = path.read_text(encoding="utf-8").count(old)
    if count != 1:
        return f"{old!r} stands {count} times in {file}"
    return "it changes nothing" if old == new else None


def build(tests):
    """Sources are compiled several at a time (cmake/Libraries.cmake), so a mutant costs the batch that its file is in."""
    return run("cmake", "--build", "build", "--target", *[program for program, *_ in tests])


def tests_pass(tests):
    try:
        return all(run(f"build/{program}", *arguments, "--abort", timeout=TEST_SECONDS).returncode == 0
                   for program, *arguments in tests)
    except subprocess.TimeoutExpired:
        return False


def outcome(file, old, new):
    """What became of one mutant, and more about it."""
    reason = why_stale(file, old, new)
    if reason:
        return "STALE", reason
    path = ROOT / file
    source = path.read_text(encoding="utf-8")
    try:
        path.write_text(source.replace(old, new), encoding="utf-8")
        built = build(tests_of(file))
        if built.returncode != 0:
            errors = [line for line in built.stdout.splitlines() if "error" in line]
            return "BROKEN", errors[0] if errors else built.stdout[-300:]
        return ("ALIVE", "") if tests_pass(tests_of(file)) else ("dead", "")
    finally:
        path.write_text(source, encoding="utf-8")


def try_out(mutants):
    """Prints what becomes of each mutant; whether all are dead."""
    files = sorted({file for _, file, _, _ in mutants})
    if run("git", "diff", "HEAD", "--quiet", "--", *files).returncode != 0:
        sys.exit(f"mutants: one of {', '.join(files)} has changes that are not committed.")
    tests = []
    for file in files:
        tests += [test for test in tests_of(file) if test not in tests]
    built = build(tests)
    if built.returncode != 0:
        sys.exit(f"mutants: the unbroken sources do not build:\n{(built.stdout + built.stderr)[-2000:]}")
    if not tests_pass(tests):
        sys.exit("mutants: the tests fail on the unbroken sources.")
    results = []
    try:
        for what, file, old, new in mutants:
            result, more = outcome(file, old, new)
            results.append(result)
            print(f"{result:6} {file}: {what}{' (' + more + ')' if more else ''}", flush=True)
    finally:
        build(tests)  # of the sources as they were
    print(", ".join(f"{results.count(result)} {result}" for result in sorted(set(results))))
    return set(results) == {"dead"}


def check(mutants):
    """Prints each mutant that cannot be put into its file; whether there is none."""
    reasons = [(what, file, why_stale(file, old, new)) for what, file, old, new in mutants]
    stale = [mutant for mutant in reasons if mutant[2]]
    for what, file, reason in stale:
        print(f"STALE  {file}: {what} ({reason})")
    print(f"{len(mutants) - len(stale)} of {len(mutants)} mutants apply")
    return not stale


def chosen(mutants, only, sample, seed):
    if only:
        mutants = [mutant for mutant in mutants if any(text in mutant[0] or text in mutant[1] for text in only)]
        if not mutants:
            sys.exit(f"mutants: no description and no file has {' or '.join(map(repr, only))} in it.")
    if sample is not None and sample < len(mutants):
        places = random.Random(seed).sample(range(len(mutants)), sample)
        mutants = [mutants[place] for place in sorted(places)]
    return mutants


def at_least_one(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"found {number}, allowed is at least 1")
    return number


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only see whether each can be put into its file")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="those with this in description or file")
    parser.add_argument("--sample", type=at_least_one, metavar="N", help="so many of them, drawn at random")
    parser.add_argument("--seed", type=int, metavar="S", help="of the sample; without it, another sample each time")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception, so that the source is put back
    mutants = chosen(MUTANTS, arguments.only, arguments.sample, arguments.seed)
    sys.exit(0 if (check if arguments.check else try_out)(mutants) else 1)


if __name__ == "__main__":
    main()
