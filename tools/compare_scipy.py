#!/usr/bin/env python3
"""Writes what SciPy and statsmodels say about random cases of metrics/statistics.h and metrics/comparison/hypothesis_tests.h.

    python3 -m venv build/scipy && build/scipy/bin/pip install scipy==1.17.1 statsmodels==0.15.0
    build/scipy/bin/python tools/compare_scipy.py tests/metrics/scipy_cases.json

tests/metrics/statistics_test.cpp and hypothesis_tests_test.cpp demand agreement to 1e-9 with the file. Neither library
has the exact power of two one-sided tests, and statsmodels' power of a t test is NaN for some large effects (its lower
tail of the noncentral t). There the file has an integral over the sample deviation by SciPy's quadrature, which must
first agree with statsmodels' power of t tests wherever the file has that. Stops when it doesn't.
"""

import argparse
import importlib.metadata
import json
import math
import random
import sys
from pathlib import Path

import numpy
from scipy import integrate, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import DescrStatsW

TOLERANCE = 1e-10
LEVELS = (0.1, 0.05, 0.01, 0.001)
COUNTS = (2, 3, 4, 5, 8, 13, 30, 50)


def normal(value):
    """P(Z < value) of a standard normal Z."""
    return math.erfc(-value / math.sqrt(2)) / 2


def mean_over_deviation(of, freedom):
    """Mean of of(s) over the sample deviation s of normal values whose deviation is 1."""
    scale = 1 / math.sqrt(freedom)
    low, high = max(0.0, 1 - 10 * scale), 1 + 10 * scale
    density = stats.chi(freedom, scale=scale).pdf
    edges = numpy.linspace(low, high, 50)  # a narrow step cannot hide between so many
    return sum(integrate.quad(lambda s: of(s) * density(s), start, end, epsabs=1e-15, epsrel=1e-13)[0]
               for start, end in zip(edges, edges[1:]))


def integrated_power(effect, deviation, count, level):
    critical = stats.t.isf(level / 2, count - 1)
    shift = effect / deviation * math.sqrt(count)
    return mean_over_deviation(
        lambda s: normal(shift - critical * s) + normal(-shift - critical * s), count - 1)


def equivalence_power(effect, deviation, count, delta, level):
    critical = stats.t.isf(level, count - 1)
    scale = math.sqrt(count) / deviation
    return mean_over_deviation(
        lambda s: max(0.0, normal((delta - effect) * scale - critical * s)
                      - normal((-delta - effect) * scale + critical * s)), count - 1)


def fewest(power_of, power, most):
    return next((count for count in range(2, most + 1) if power_of(count) >= power), None)


def random_values(generator):
    """2 to 50 values around 0, 0.3 or 2 with a spread between 0.01 and 3, as differences in BLEU have."""
    center, spread = generator.choice([0.0, 0.3, -2.0]), 10 ** generator.uniform(-2, 0.5)
    return [round(generator.gauss(center, spread), 6) for _ in range(generator.choice(COUNTS))]


def quantiles(generator):
    for freedom in (1, 2, 3, 4, 7, 29, 200):
        for probability in (1e-12, 0.0005, 0.025, 0.3, 0.5, 0.975, 1 - 1e-6, generator.random()):
            value = float(stats.t.ppf(probability, freedom))
            yield {"freedom": freedom, "probability": probability, "value": value}


def samples(generator):
    """The tests and intervals of one mean."""
    for _ in range(40):
        values = random_values(generator)
        expected, delta = generator.choice([0.0, 0.5]), generator.choice([0.5, 0.02])
        level = generator.choice([0.95, 0.9])
        interval = DescrStatsW(values).tconfint_mean(1 - level)
        yield {"values": values, "expected": expected, "t_test_p": float(stats.ttest_1samp(values, expected).pvalue),
               "delta": delta, "equivalence_p": float(DescrStatsW(values).ttost_mean(-delta, delta)[0]),
               "level": level, "low": float(interval[0]), "high": float(interval[1])}


def corrections(generator):
    for size in (1, 2, 3, 5, 8, 20):
        for _ in range(2):
            p = [round(generator.random() ** 3, 4) for _ in range(size)]  # small ones, and some are equal
            yield {"p": p, "adjusted": [float(value) for value in multipletests(p, method="holm")[1]]}


def powers(generator):
    for count in COUNTS:
        for level in LEVELS:
            deviation = round(10 ** generator.uniform(-1, 0.5), 4)
            effect = round(generator.choice([-1, 1]) * deviation * generator.uniform(0, 6) / math.sqrt(count), 6)
            power = float(TTestPower().power(effect / deviation, count, level))
            integrated = integrated_power(effect, deviation, count, level)
            if not abs(power - integrated) <= TOLERANCE:
                sys.exit(f"statsmodels has power {power}, the integral {integrated}, for effect {effect}, deviation "
                         f"{deviation}, {count} values, level {level}")
            yield {"effect": effect, "deviation": deviation, "count": count, "level": level, "power": power}


def counts_for_power(generator):
    for level in LEVELS[:3]:
        for ratio in (0.1, 0.5, 0.8, 1.5, 4.0):
            deviation = round(generator.uniform(0.1, 2), 3)
            count = fewest(lambda n: integrated_power(ratio, 1, n, level), 0.8, 50)
            yield {"effect": ratio * deviation, "deviation": deviation, "level": level, "power": 0.8, "most": 50,
                   "count": count}


def equivalence_powers(generator):
    for count in COUNTS:
        for level in LEVELS:
            delta = 0.5
            deviation = round(delta * math.sqrt(count) / generator.uniform(1, 8), 4)
            effect = round(generator.choice([0, generator.uniform(-0.4, 0.4), 0.6]), 4)
            yield {"effect": effect, "deviation": deviation, "count": count, "delta": delta, "level": level,
                   "power": equivalence_power(effect, deviation, count, delta, level)}


def counts_for_equivalence(generator):
    for deviation in (0.05, 0.2, 0.5, 2.0):
        effect = round(generator.uniform(-0.2, 0.2), 3)
        count = fewest(lambda n: equivalence_power(effect, deviation, n, 0.5, 0.05), 0.8, 30)
        yield {"effect": effect, "deviation": deviation, "delta": 0.5, "level": 0.05, "power": 0.8, "most": 30,
               "count": count}


def slopes(generator):
    for size in (2, 3, 5, 12):
        x = [float(place) for place in range(size)] if size % 2 else [generator.gauss(100, 3) for _ in range(size)]
        y = [generator.gauss(30, 2) for _ in range(size)]
        yield {"x": x, "y": y, "slope": float(stats.linregress(x, y).slope)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="where the cases go")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    versions = " and ".join(f"{name} {importlib.metadata.version(name)}" for name in ("scipy", "statsmodels"))
    parts = []
    for kind in (quantiles, samples, corrections, powers, counts_for_power, equivalence_powers, counts_for_equivalence,
                 slopes):
        generator = random.Random(f"{arguments.seed} {kind.__name__}")
        parts.append(f'"{kind.__name__}": [\n' + ",\n".join(json.dumps(case) for case in kind(generator)) + "]")
    arguments.file.write_text(f'{{"source": "{versions}, by tools/compare_scipy.py",\n' + ",\n".join(parts) + "}\n",
                              encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
