"""Writes what scipy and numpy say of samples, for the tests of src/comparison to be compared with.

    python3 -m venv /tmp/scipy && /tmp/scipy/bin/pip install scipy==1.17.1 numpy==2.4.6
    /tmp/scipy/bin/python test/data/scipy/generate.py
    npx biome check --write test/data/scipy

The samples are drawn from a fixed seed and are part of the files, so that nothing has to be drawn again to test.
"""

import json
from pathlib import Path

import numpy
import scipy
from scipy import stats

HERE = Path(__file__).parent
PERCENTILES = [5, 25, 50, 75, 95]


def write(name, cases):
    versions = {"scipy": scipy.__version__, "numpy": numpy.__version__}
    text = json.dumps({"versions": versions, "cases": cases}, indent=1)
    (HERE / name).write_text(text + "\n")


def distribution():
    dfs = [1, 1.5, 2, 3.7, 5, 10, 29.25, 120, 1_000.5, 99_999]
    p_values = [
        {"df": df, "t": t, "pValue": 2 * stats.t.sf(t, df)}
        for df in dfs
        for t in [0, 1e-6, 0.1, 0.7, 1, 1.96, 3, 8, 40]
    ]
    critical = [
        {"df": df, "confidence": confidence, "t": stats.t.ppf(0.5 + confidence / 2, df)}
        for df in dfs
        for confidence in [0.51, 0.68, 0.9, 0.95, 0.99, 0.9999]
    ]
    write("student-t.json", {"pValues": p_values, "criticalValues": critical})


def samples(random):
    yield [1.5, 2.5]
    yield [40.0, 42.0, 41.0]
    yield [-3.0, -1.0, -2.5, -2.0]
    yield [1e-9, 2e-9, 4e-9]
    yield [1e9 + 1, 1e9 + 2, 1e9 + 4]
    for size in [5, 10, 33, 100]:
        yield [float(round(value, 6)) for value in random.normal(50, 7, size)]
        yield [float(round(value, 6)) for value in random.lognormal(3, 1, size)]


def summaries(random):
    cases = []
    for values in samples(random):
        array = numpy.array(values)
        intervals = [
            {
                "confidence": confidence,
                "interval": list(
                    stats.t.interval(confidence, len(values) - 1, loc=array.mean(), scale=stats.sem(array))
                ),
            }
            for confidence in [0.8, 0.95, 0.99]
        ]
        cases.append(
            {
                "values": values,
                "mean": array.mean(),
                "stddev": array.std(ddof=1),
                "percentiles": dict(zip(map(str, PERCENTILES), numpy.percentile(array, PERCENTILES))),
                "intervals": intervals,
            }
        )
    write("summaries.json", cases)


def welch(random):
    cases = []
    for size, other_size, deviation in [(2, 2, 1), (3, 5, 2), (5, 5, 0.1), (10, 4, 3), (30, 50, 1), (100, 7, 9)]:
        for shift in [0, 0.5, 5]:
            one = [float(round(value, 6)) for value in random.normal(20 + shift, 1, size)]
            other = [float(round(value, 6)) for value in random.normal(20, deviation, other_size)]
            result = stats.ttest_ind(one, other, equal_var=False)
            interval = result.confidence_interval(0.95)
            cases.append(
                {
                    "one": one,
                    "other": other,
                    "t": result.statistic,
                    "df": result.df,
                    "pValue": result.pvalue,
                    "interval95": [interval.low, interval.high],
                }
            )
    write("welch.json", cases)


generator = numpy.random.default_rng(20261125)
distribution()
summaries(generator)
welch(generator)
