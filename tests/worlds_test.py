"""Whether the whole pipeline finds the orderings that known-answer worlds (data/worlds.h) have by construction.

    worlds_test.py ROOT --binary BUILD/moe-bench --out FOLDER [--quick]

Runs experiments/worlds.json below FOLDER (some twenty minutes on two cores; goes on where it was stopped) and checks the means over its
seeds; with --quick, small worlds in half a minute. Prints a line for each expectation; exit status 1 when one fails. What the
calibration taught, and why some expectations differ from what one would first think, is in experiments/README.md.
"""

import argparse
import collections
import hashlib
import json
import os
import pathlib
import statistics
import subprocess
import sys

NULL_FLOOR = 0.6108643 * 8 / 9  # nats a token: eight drawn words and an end that is certain
MODEL = {"encoder_layers": 1, "decoder_layers": 1, "width": 64, "ffn": 16, "heads": 4, "dropout": 0, "decoder_ffn": False,
         "moe_layers": {"encoder": [0], "decoder": []}}
TASKS = [f"{letter}a-zz" for letter in "abcdefgh"]


def run_sweep(binary, sweep, out):
    """All finished results of a sweep, which is run as far as it is missing."""
    command = [binary, "run", sweep, "--out", out, "--threads", "1", "--quiet"]
    done = subprocess.run(command, env={**os.environ, "MOE_BENCH_PYTHON": "/bin/false"}, stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"worlds_test: {sweep} ended with status {done.returncode}.")
    return [json.loads(file.read_text()) for file in sorted(pathlib.Path(out).glob("runs/*/result.json"))]


class Scores:
    """Means of a measure, by world and label; (hidden-task, tagged) where the text names the direction."""

    def __init__(self, results):
        self.losses, self.accuracies = collections.defaultdict(list), collections.defaultdict(list)
        for result in results:
            data = result["config"]["data"]
            world = data["world"]
            if len({name.split("-")[1] for name in data["directions"]}) > 1:
                world += ", tagged"
            label = result["strategy"]["label"].replace("label_smoothing 0, ", "").replace(", label_smoothing 0", "")
            key = (world, label.replace(" (label_smoothing 0)", ""))
            self.losses[key].append(statistics.mean(score["loss"] for score in result["scores"]))
            self.accuracies[key].append(statistics.mean(score["word_accuracy"] for score in result["scores"]))

    def loss(self, world, label):
        return statistics.mean(self.losses[world, label])

    def accuracy(self, world, label):
        return statistics.mean(self.accuracies[world, label])


class Checks:
    def __init__(self):
        self.failed = 0

    def expect(self, condition, text):
        self.failed += not condition
        print("ok    " if condition else "FAILED", text, flush=True)

    def below(self, scores, world, better, worse, margin):
        """`better` has a loss lower than `worse` by more than the margin; a negative margin allows it to be higher."""
        difference = scores.loss(world, worse) - scores.loss(world, better)
        self.expect(difference > margin, f"{world}: {better} below {worse} by {difference:.3f} nats, more than {margin}")


def check_worlds(scores, checks):
    for better, worse, margin in (("oracle", "dense", 0.4), ("switch", "dense", 0.3), ("switch", "random", 0.3),
                                  ("dense-wide", "dense", 0.2), ("oracle", "switch", -0.05)):
        checks.below(scores, "senses", better, worse, margin)
    for better, worse, margin in (("dense-wide", "dense", 0.1), ("dense", "random", 0.03),
                                  ("hash (table balanced)", "switch", -0.1), ("hash (table balanced)", "dense", -0.1),
                                  ("oracle", "dense", -0.1)):
        checks.below(scores, "lexicon", better, worse, margin)
    blind = max(scores.accuracy("hidden-task", label) for label in ("dense", "switch", "random"))
    checks.expect(blind < 1 / 8 + 0.02, f"hidden-task: who is not told the direction is right {blind:.3f} of the time")
    for label in ("task_static", "oracle"):
        told = scores.accuracy("hidden-task", label)
        checks.expect(told > 0.98, f"hidden-task: {label} is right {told:.3f} of the time")
    checks.below(scores, "hidden-task, tagged", "task_static", "dense", 0.005)
    losses = [scores.loss("null", label) for world, label in scores.losses if world == "null"]
    checks.expect(max(losses) - min(losses) < 0.02, f"null: all strategies within {max(losses) - min(losses):.4f} nats")
    checks.expect(min(losses) > NULL_FLOOR - 0.01, f"null: none below the entropy {NULL_FLOOR:.4f}: {min(losses):.4f}")
    for router, plain in (("dense (2 passes, consistency 5)", "dense"), ("thor", "thor (consistency 0)")):
        checks.below(scores, "scarce-noisy", router, plain, 0.02)


def quick_sweep(world, strategies, **more):
    synthetic = {"train_sentences": 500, "valid_sentences": 50, "test_sentences": 50} | more.pop("synthetic")
    return {"name": world, "data": {"source": "synthetic", "world": world, "synthetic": synthetic, **more.pop("data", {})},
            "model": MODEL, "strategy": more.pop("strategy"), "grid": {"strategy": strategies},
            "training": {"tokens_per_batch": 512, "learning_rate": 6e-3, "warmup": 30, **more},
            "evaluation": {"every": 50, "beam": 1, "average_share": 0}}


def check_quick(binary, folder, checks):
    def run(sweep):
        (folder / f"{sweep['name']}.json").write_text(json.dumps(sweep))
        return run_sweep(binary, folder / f"{sweep['name']}.json", folder / sweep["name"])

    blind = quick_sweep("hidden-task", [{"router": "dense"}, {"router": "oracle"}, {"router": "task_static"}],
                        synthetic={"contexts": 16}, data={"directions": TASKS}, strategy={"experts": 8}, updates=200)
    scores = Scores(run(blind))
    for label in ("oracle", "task_static"):
        told = scores.accuracy("hidden-task", label)
        checks.expect(told > 0.9, f"hidden-task: {label} is right {told:.3f} of the time")
    untold = scores.accuracy("hidden-task", "dense")
    checks.expect(untold < 0.19, f"hidden-task: dense is right {untold:.3f} of the time")  # 1/8 and 4 sigma of 400

    one_expert = [{"router": name} for name in ("dense", "hash", "random", "task_static", "oracle")]
    one_expert.append({"router": "thor", "objective": {"passes": 1, "consistency": 0}})
    one_expert.append({"router": "dense", "objective": {"passes": 2, "consistency": 5}})
    identity = quick_sweep("lexicon", one_expert, synthetic={"contexts": 8}, data={"directions": ["aa-zz"]},
                           strategy={"experts": 1}, updates=100)
    curves = {result["strategy"]["label"]: [point["valid_loss"] for point in result["curve"]] for result in run(identity)}
    two_passes = curves.pop("dense (2 passes, consistency 5)")

    def distance_to_dense(curve):
        return max(abs(a - b) for a, b in zip(curve, curves["dense"], strict=True))

    for label, curve in curves.items():
        checks.expect(distance_to_dense(curve) < 1e-9, f"identity: {label} with one expert has the curve of dense")
    distance = distance_to_dense(two_passes)
    checks.expect(distance < 0.01, f"identity: two passes of dense stay within {distance:.4f} nats of its curve")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    # A folder for each program: another one's results say nothing about this one.
    folder = arguments.out / hashlib.sha256(pathlib.Path(arguments.binary).read_bytes()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    checks = Checks()
    if arguments.quick:
        check_quick(arguments.binary, folder, checks)
    else:
        check_worlds(Scores(run_sweep(arguments.binary, arguments.root / "experiments/worlds.json", folder)), checks)
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
