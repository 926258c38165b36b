#!/usr/bin/env python3
"""Compares `moe-bench score` with sacreBLEU on random texts that are hard to tokenise.

    python3 -m venv build/sacrebleu && build/sacrebleu/bin/pip install sacrebleu==2.6.0
    build/sacrebleu/bin/python tools/compare_sacrebleu.py build/moe-bench --sets 1000

Prints the largest difference in each mode. Exit status 1 when one is above 1e-6, or when a signature, a count or a
length differs at all. Significance tests draw other random numbers than sacreBLEU, so that for them the largest
difference in standard errors is printed; the limit is 5. `--store FILE` writes what tests/metrics/sacrebleu_test.cpp
replays, from sacreBLEU alone.
"""

import argparse
import dataclasses
import json
import math
import random
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest

TOLERANCE = 1e-6
STANDARD_ERRORS = 5
SAMPLES = 2000

WORDS = """the a dog dogs runs over Two men in front of house Straße Ärger ΟΔΟΣ ΣΑΣ İstanbul naïve élan Ελλάδα мир
don't it's rock'n'roll U.S. e.g. well-known 1990-95 3,5 1,000.50 .5 5. ,5 5, 10% $20 €5 24/7 a/b (hi) "quoted" [x] {y}
1-2 2- -3 x-1 9-a ... -- -, ,- ., 1.2.3 1,,2 !? ;: ~ ^ ` # @home a_b \\ | < > = + * &quot; &amp; &lt; &gt; &amp;lt; &apos;
<skipped> x<skipped>y <skip ped> 日本語 中文字符 東京,大阪 5月3日 。 、 한국어 สวัสดี مرحبا ١٢٣ ½ 😀 👨‍👩‍👧 🇩🇪 e\u0301 \ufeffx \u200bz \u00ad
\ud55c\u3001 ǅ ﬁ ẞ K Å""".split()
SPACES = [" "] * 30 + ["  ", "\t", "\u00a0", "\u2003", "\u3000", "\u2028", "\u0085", "\x0b", "\x0c", "\x1c", "\x1f",
                       "\r", "\u202f", "\u200b", "\ufeff", "", ""]
ENDS = [""] * 12 + [" ", ".", " .", "-", "\r", "\u3000", "!", ",", "\u2029"]


ASSIGNED = [chr(point) for point in range(0x110000)
            if chr(point) != "\n" and unicodedata.category(chr(point)) not in ("Cn", "Co", "Cs")]


def word(generator):
    """A word of the list, or now and then any characters that are assigned at all."""
    if generator.random() < 0.9:
        return generator.choice(WORDS)
    return "".join(generator.choice(["", "a", "1"]) + generator.choice(ASSIGNED) for _ in range(3))


def sentence(generator):
    """A random line without U+000A; sometimes empty or blank."""
    chance = generator.random()
    if chance < 0.06:
        return ""
    if chance < 0.09:
        return generator.choice(SPACES)
    length = generator.choice([1, 2, 3, 5, 8, 13, 21])
    return "".join(word(generator) + generator.choice(SPACES) for _ in range(length)) + generator.choice(ENDS)


def disturbed(generator, line):
    """The line with some characters and words changed, so that n-grams of every order match sometimes."""
    if generator.random() < 0.05:
        return sentence(generator)
    words = line.split(" ")
    for _ in range(generator.choice([0, 0, 1, 1, 2, 4])):
        place = generator.randrange(len(words))
        words[place] = generator.choice([word(generator), words[place].upper(), words[place][1:], ""])
    if generator.random() < 0.1:
        generator.shuffle(words)
    return " ".join(words)


def random_set(generator, lines=None):
    """(hypotheses, references): 1 to 12 lines unless given, one to three references."""
    lines = lines or generator.choice([1, 2, 5, 12])
    first = [sentence(generator) for _ in range(lines)]
    references = [first]
    for _ in range(generator.choice([0, 0, 0, 1, 2])):
        references.append([disturbed(generator, line) for line in first])
    return [disturbed(generator, line) for line in first], references


def every_character():
    """A set in which each assigned character stands between letters, between digits and alone."""
    hypotheses, lowered = [], []
    for start in range(0, len(ASSIGNED), 100):
        some = ASSIGNED[start:start + 100]
        hypotheses.append(" ".join(f"a{c}b 1{c}2 {c}" for c in some))
        lowered.append(" ".join(f"a{c.lower()}b 1{c}2 {c.upper()}" for c in some))
    return hypotheses, [lowered]


@dataclasses.dataclass(frozen=True)
class Mode:
    """How a set is scored; the fields are the options of `moe-bench score`."""
    metric: str
    tokenize: str = "13a"
    smooth: str = "exp"
    smooth_value: float = None
    word_order: int = 0
    lowercase: bool = False
    sentence_level: bool = False

    def given(self):
        """The fields that are not at their default, the metric among them."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)
                if getattr(self, field.name) != field.default}

    def name(self):
        fields = ["tokenize", "smooth", "smooth_value"] if self.metric == "bleu" else ["word_order"]
        parts = [str(getattr(self, field)) for field in fields if getattr(self, field) is not None]
        return " ".join([self.metric, *parts, *(["lowercase"] if self.lowercase else []),
                         *(["sentences"] if self.sentence_level else [])])

    def options(self):
        options = []
        for field, value in self.given().items():
            options += ["--" + field.replace("_", "-")] + ([] if value is True else [str(value)])
        return options

    def theirs(self):
        """The metric of sacreBLEU."""
        if self.metric == "chrf":
            return CHRF(lowercase=self.lowercase, word_order=self.word_order)
        return BLEU(lowercase=self.lowercase, tokenize=self.tokenize, smooth_method=self.smooth, force=True,
                    smooth_value=self.smooth_value, effective_order=self.sentence_level)


TOKENIZERS = ("13a", "intl", "char", "none")
SMOOTHINGS = ("exp", "floor", "add-k", "none")


def modes():
    for lowercase in (False, True):
        for tokenize in TOKENIZERS:
            for smooth in SMOOTHINGS:
                yield Mode("bleu", tokenize, smooth, lowercase=lowercase)
        for order in (0, 2):
            yield Mode("chrf", word_order=order, lowercase=lowercase)
    for smooth, value in (("floor", 0.5), ("floor", 0.0), ("add-k", 0.25), ("add-k", 3.0), ("add-k", 0.0)):
        yield Mode("bleu", smooth=smooth, smooth_value=value)
    for tokenize, smooth in zip(TOKENIZERS, SMOOTHINGS):
        yield Mode("bleu", tokenize, smooth, sentence_level=True)
        yield Mode("bleu", "13a", smooth, lowercase=True, sentence_level=True)
    yield Mode("bleu", smooth="add-k", smooth_value=0.25, sentence_level=True)
    for order in (0, 2):
        yield Mode("chrf", word_order=order, sentence_level=True)


def write_lines(path, lines):
    path.write_bytes("".join(line + "\n" for line in lines).encode("utf-8"))
    return str(path)


def ours(binary, folder, options, systems, references):
    """The results of `moe-bench score --json`."""
    command = [binary, "score", "--json", *options]
    for number, reference in enumerate(references):
        command += ["--reference", write_lines(folder / f"reference{number}", reference)]
    command += [write_lines(folder / f"system{number}", system) for number, system in enumerate(systems)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["results"]


def entry(mode, score, signature):
    """A score of sacreBLEU as our JSON has it."""
    expected = {"metric": mode.metric, "score": score.score, "signature": signature}
    if mode.metric == "bleu":
        expected |= {"brevity_penalty": score.bp, "system_length": score.sys_len, "reference_length": score.ref_len,
                     "counts": score.counts, "totals": score.totals}
    return expected


def theirs(mode, hypotheses, references):
    """The same results from sacreBLEU."""
    metric = mode.theirs()
    if not mode.sentence_level:
        score = metric.corpus_score(hypotheses, references)
        return [entry(mode, score, str(metric.get_signature()))]
    scores = [super(type(metric), metric).sentence_score(hypothesis, list(texts))
              for hypothesis, *texts in zip(hypotheses, *references)]
    signature = str(metric.get_signature())
    return [entry(mode, score, signature) | {"line": line} for line, score in enumerate(scores, 1)]


def difference(got, expected):
    """Largest difference of the numbers with a fraction; infinite when anything else differs."""
    if len(got) != len(expected):
        return math.inf
    largest = 0.0
    for one, other in zip(got, expected):
        real = [key for key, value in other.items() if isinstance(value, float)]
        if one.keys() != other.keys() or any(one[key] != other[key] for key in other if key not in real):
            return math.inf
        largest = max(largest, *(abs(one[key] - other[key]) for key in real))
    return largest


def compare_modes(binary, folder, sets):
    """{name of a mode: largest difference}; set 0 has every character, in the modes in which characters matter."""
    largest = {}
    for number, (hypotheses, references) in enumerate(sets):
        for mode in modes():
            if number == 0 and (mode.smooth != "exp" or mode.sentence_level):
                continue
            got = ours(binary, folder, mode.options(), [hypotheses], references)
            expected = theirs(mode, hypotheses, references)
            gap = difference(got, expected)
            largest[mode.name()] = max(gap, largest.get(mode.name(), 0.0))
            if gap > TOLERANCE:
                print(f"set {number}, {mode.name()}:\n  ours   {got}\n  theirs {expected}\n"
                      f"  hypotheses {hypotheses!r}\n  references {references!r}"[:4000], file=sys.stderr)
    return largest


def paired_set(generator):
    """(systems, references): a baseline, one as good, one that is worse, and the baseline again."""
    first, references = random_set(generator, lines=generator.choice([40, 100]))
    share = generator.choice([0.1, 0.3, 0.6])
    second = [disturbed(generator, target) if generator.random() < share else line
              for line, target in zip(first, references[0])]
    third = [sentence(generator) if generator.random() < share / 4 else line for line in second]
    return [first, second, third, first], references


def paired_theirs(test, systems, references, samples):
    """{metric: (signature, results of the systems)}"""
    named = [(str(number), system) for number, system in enumerate(systems)]
    metrics = {"BLEU": BLEU(force=True), "chrF2++": CHRF(word_order=2)}
    signatures, scores = PairedTest(named, metrics, references, test_type=test, n_samples=samples)()
    return {name.lower()[:4]: (str(signatures[name]), scores[name]) for name in metrics}


def paired_errors(got, signature, result, samples):
    """{what: its difference in standard errors}; infinite where something that is not drawn differs."""
    if got["signature"] != signature or abs(got["score"] - result.score) > TOLERANCE:
        return {"score": math.inf}
    errors = {}
    if result.p_value is not None:
        p = (got["p_value"] + result.p_value) / 2
        errors["p"] = abs(got["p_value"] - result.p_value) / math.sqrt(2 * p * (1 - p) / samples)
    if result.mean is not None:
        deviation = result.ci / 1.96
        errors["mean"] = abs(got["mean"] - result.mean) / (deviation * math.sqrt(2 / samples))
        # The error of a quantile is sqrt(q (1 - q) / n) over the density there; two of them, in two systems.
        errors["ci"] = abs(got["ci"] - result.ci) / (deviation * math.sqrt(0.025 * 0.975 / samples) / 0.0584)
    return errors


def compare_paired(binary, folder, sets):
    """{what: largest difference in standard errors}"""
    largest = {}
    for systems, references in sets:
        for test in ("bs", "ar"):
            options = ["--word-order", "2", f"--paired-{test}", f"--paired-{test}-n", str(SAMPLES)]
            got = ours(binary, folder, options, systems, references)
            for metric, (signature, results) in paired_theirs(test, systems, references, SAMPLES).items():
                entries = [one for one in got if one["metric"] == metric]
                for one, result in zip(entries, results, strict=True):
                    for what, error in paired_errors(one, signature, result, SAMPLES).items():
                        name = f"paired {test} {metric} {what}"
                        largest[name] = max(error, largest.get(name, 0.0))
    return largest


def store(path, generator):
    """Sets and what sacreBLEU says about them, one scored mode a line."""
    sets = []
    for lines in (1, 3, 8):
        hypotheses, references = random_set(generator, lines)
        scored = [mode.given() | {"scores": [one["score"] for one in theirs(mode, hypotheses, references)],
                                  "signature": theirs(mode, hypotheses, references)[0]["signature"]}
                  for mode in modes()]
        sets.append({"hypotheses": hypotheses, "references": references, "modes": scored})
    systems, references = paired_set(generator)
    tests = []
    for test in ("bs", "ar"):
        for metric, (signature, results) in paired_theirs(test, systems, references, 10000).items():
            tests.append({"test": test, "metric": metric, "signature": signature,
                          "results": [vars(result) for result in results]})
    lines = []
    for one in sets:
        scored = ",\n  ".join(json.dumps(mode) for mode in one.pop("modes"))
        lines.append(json.dumps(one)[:-1] + ',\n "modes": [\n  ' + scored + "]}")
    paired = {"samples": 10000, "systems": systems, "references": references, "tests": tests}
    path.write_text('{"source": "sacreBLEU 2.6.0, by tools/compare_sacrebleu.py --store",\n"sets": [\n' + ",\n".join(lines)
                    + '],\n"paired": ' + json.dumps(paired, default=float) + "}\n", encoding="ascii")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", nargs="?", help="path of moe-bench")
    parser.add_argument("--sets", type=int, default=100, help="random sets for each mode (default 100)")
    parser.add_argument("--paired-sets", type=int, default=5, help="random sets for each test (default 5)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", type=Path, metavar="FILE", help="write sacreBLEU's scores instead of comparing")
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    if arguments.store:
        store(arguments.store, generator)
        return 0
    if not arguments.binary:
        parser.error("name the moe-bench to compare")
    binary = str(Path(arguments.binary).resolve())
    sets = [every_character()] + [random_set(generator) for _ in range(arguments.sets)]
    paired_sets = [paired_set(generator) for _ in range(arguments.paired_sets)]
    with tempfile.TemporaryDirectory() as folder:
        gaps = compare_modes(binary, Path(folder), sets)
        errors = compare_paired(binary, Path(folder), paired_sets)
    for name, gap in gaps.items():
        print(f"{name:36} {gap:.3g}")
    for name, error in errors.items():
        print(f"{name:36} {error:.2f} standard errors")
    return 1 if max(gaps.values()) > TOLERANCE or max(errors.values(), default=0) > STANDARD_ERRORS else 0


if __name__ == "__main__":
    sys.exit(main())
