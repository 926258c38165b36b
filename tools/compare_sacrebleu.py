#!/usr/bin/env python3
"""Compares `moe-bench score` with sacreBLEU on random texts that are hard to tokenise.

    python3 -m venv build/sacrebleu && build/sacrebleu/bin/pip install sacrebleu==2.6.0
    build/sacrebleu/bin/python tools/compare_sacrebleu.py build/moe-bench

Prints the largest difference of each metric. Exit status 1 when one is above 1e-6, or when a signature, a count or a
length differs at all.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from sacrebleu.metrics import BLEU, CHRF

TOLERANCE = 1e-6

WORDS = """the a dog dogs runs over Two men in front of house Straße Ärger ΟΔΟΣ ΣΑΣ İstanbul naïve élan Ελλάδα мир
don't it's rock'n'roll U.S. e.g. well-known 1990-95 3,5 1,000.50 .5 5. ,5 5, 10% $20 €5 24/7 a/b (hi) "quoted" [x] {y}
1-2 2- -3 x-1 9-a ... -- -, ,- ., 1.2.3 1,,2 !? ;: ~ ^ ` # @home a_b \\ | < > = + * &quot; &amp; &lt; &gt; &amp;lt; &apos;
<skipped> x<skipped>y <skip ped> 日本語 中文字符 東京,大阪 5月3日 。 、 한국어 สวัสดี مرحبا ١٢٣ ½ 😀 👨‍👩‍👧 🇩🇪 e\u0301 \ufeffx \u200bz \u00ad
\ud55c\u3001 ǅ ﬁ ẞ K Å""".split()
SPACES = [" "] * 30 + ["  ", "\t", "\u00a0", "\u2003", "\u3000", "\u2028", "\u0085", "\x0b", "\x0c", "\x1c", "\x1f",
                       "\r", "\u202f", "\u200b", "\ufeff", "", ""]
ENDS = [""] * 12 + [" ", ".", " .", "-", "\r", "\u3000", "!", ",", "\u2029"]


def sentence(generator):
    """A random line without U+000A; sometimes empty or blank."""
    chance = generator.random()
    if chance < 0.06:
        return ""
    if chance < 0.09:
        return generator.choice(SPACES)
    length = generator.choice([1, 2, 3, 5, 8, 13, 21])
    return "".join(generator.choice(WORDS) + generator.choice(SPACES) for _ in range(length)) + generator.choice(ENDS)


def disturbed(generator, line):
    """The line with some characters and words changed, so that n-grams of every order match sometimes."""
    if generator.random() < 0.05:
        return sentence(generator)
    words = line.split(" ")
    for _ in range(generator.choice([0, 0, 1, 1, 2, 4])):
        place = generator.randrange(len(words))
        words[place] = generator.choice([generator.choice(WORDS), words[place].upper(), words[place][1:], ""])
    if generator.random() < 0.1:
        generator.shuffle(words)
    return " ".join(words)


def random_set(generator):
    """(hypotheses, references): 1 to 12 lines, one to three references."""
    lines = generator.choice([1, 2, 5, 12])
    first = [sentence(generator) for _ in range(lines)]
    references = [first]
    for _ in range(generator.choice([0, 0, 0, 1, 2])):
        references.append([disturbed(generator, line) for line in first])
    return [disturbed(generator, line) for line in first], references


def cases():
    """(name, options of moe-bench score, the metric of sacreBLEU)"""
    for lowercase in (False, True):
        flag = ["--lowercase"] if lowercase else []
        suffix = " lowercase" if lowercase else ""
        for tokenize in ("13a", "none"):
            for smooth in ("exp", "none"):
                yield (f"bleu {tokenize} {smooth}{suffix}",
                       ["--metric", "bleu", "--tokenize", tokenize, "--smooth", smooth, *flag],
                       BLEU(lowercase=lowercase, tokenize=tokenize, smooth_method=smooth, force=True))
        for order in (0, 2):
            yield (f"chrf word order {order}{suffix}", ["--metric", "chrf", "--word-order", str(order), *flag],
                   CHRF(lowercase=lowercase, word_order=order))


def write_lines(path, lines):
    path.write_bytes("".join(line + "\n" for line in lines).encode("utf-8"))
    return str(path)


def ours(binary, folder, options, hypotheses, references):
    """What `moe-bench score --json` says about one metric."""
    command = [binary, "score", "--json", *options]
    for number, reference in enumerate(references):
        command += ["--reference", write_lines(folder / f"reference{number}", reference)]
    command.append(write_lines(folder / "hypothesis", hypotheses))
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["results"][0]


def theirs(metric, hypotheses, references):
    """The same document from sacreBLEU."""
    score = metric.corpus_score(hypotheses, references)
    expected = {"metric": "bleu" if isinstance(metric, BLEU) else "chrf", "score": score.score,
                "signature": str(metric.get_signature())}
    if isinstance(metric, BLEU):
        expected |= {"brevity_penalty": score.bp, "system_length": score.sys_len, "reference_length": score.ref_len,
                     "counts": score.counts, "totals": score.totals}
    return expected


def difference(got, expected):
    """Largest difference of the numbers with a fraction; infinite when anything else differs."""
    real = [key for key, value in expected.items() if isinstance(value, float)]
    exact = [key for key in expected if key not in real]
    if got.keys() != expected.keys() or any(got[key] != expected[key] for key in exact):
        return float("inf")
    return max(abs(got[key] - expected[key]) for key in real)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", help="path of moe-bench")
    parser.add_argument("--sets", type=int, default=100, help="random sets for each metric (default 100)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    binary = str(Path(arguments.binary).resolve())
    largest = {}
    with tempfile.TemporaryDirectory() as folder:
        generator = random.Random(arguments.seed)
        for number in range(arguments.sets):
            hypotheses, references = random_set(generator)
            for name, options, metric in cases():
                got = ours(binary, Path(folder), options, hypotheses, references)
                expected = theirs(metric, hypotheses, references)
                gap = difference(got, expected)
                largest[name] = max(gap, largest.get(name, 0.0))
                if gap > TOLERANCE:
                    print(f"set {number}, {name}:\n  ours   {got}\n  theirs {expected}\n"
                          f"  hypotheses {hypotheses!r}\n  references {references!r}", file=sys.stderr)
    for name, gap in largest.items():
        print(f"{name:28} {gap:.3g}")
    return 1 if max(largest.values()) > TOLERANCE else 0


if __name__ == "__main__":
    sys.exit(main())
