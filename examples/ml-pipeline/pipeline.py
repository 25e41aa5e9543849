"""A test program for BatchTest: which classifier reads handwritten digits better?

In:  the variant's parameter `train` as an environment variable, and BATCHTEST_REPETITION.
Out: one JSON object in the file that BATCHTEST_RESULT_FILE names, and exit code 0.

The repetition seeds both the split and the model. Every variant therefore sees the same splits, one per repetition,
so that a difference between two variants comes from the models and not from an easier split.
"""

import json
import os
import sys
import time

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from xgboost import XGBClassifier

# One thread each: trials run side by side, and threads that compete for cores would be timed as slow fits.
MODELS = {
    "rf": lambda seed: RandomForestClassifier(n_estimators=200, random_state=seed, n_jobs=1),
    "xgb": lambda seed: XGBClassifier(n_estimators=200, random_state=seed, n_jobs=1),
}


def environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        sys.exit(f"pipeline.py: environment variable {name} is not set")
    return value


def measure(train: str, seed: int) -> dict[str, float]:
    """Accuracy on unseen digits (0 to 1) and the seconds that fitting took."""
    digits = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        digits.data, digits.target, test_size=0.25, stratify=digits.target, random_state=seed
    )
    model = MODELS[train](seed)
    start = time.perf_counter()
    model.fit(train_x, train_y)
    fit_seconds = time.perf_counter() - start
    return {"accuracy": float(accuracy_score(test_y, model.predict(test_x))), "fit_seconds": fit_seconds}


def main() -> None:
    result_file = environment("BATCHTEST_RESULT_FILE")
    seed = int(environment("BATCHTEST_REPETITION"))
    train = environment("train")
    if train not in MODELS:
        sys.exit(f'pipeline.py: environment variable train is "{train}"; expected one of: {", ".join(MODELS)}')
    with open(result_file, "w", encoding="utf-8") as file:
        json.dump({"metrics": measure(train, seed)}, file)


if __name__ == "__main__":
    main()
