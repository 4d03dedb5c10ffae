"""How well do a flow that is stopped early, the LASSO, the elastic net and ridge regression predict, chosen by CV?

Ours is `MirrorRegressorCV`, which chooses scale and stopping time, and the same averaged over scales. The peers are
scikit-learn's, at their defaults but for the grids that the notes print. All see the same splits, in turns; seconds are
those of the CPU.
"""

import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNetCV, LassoCV, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from benchmarks.harness import Array, Settings
from linreg_mirror import MirrorRegressorCV
from linreg_mirror.problems import from_file

_FILES = ("riboflavin", "eyedata", "gasoline_nir")
_TRAINING = 0.75  # of the samples of a file
_ROWS = 120  # of which the polynomials are fitted
_MEANS = 10  # of a tumour's measurements: means; the others are standard errors and extremes
_FIRST_SEED = 100  # of the splits: scales, and how to combine them, were chosen on those of seeds 0 to 11
_RATIOS = (0.1, 0.5, 0.9)
_RIDGE = np.logspace(-3, 6, 50)

_OURS: dict[str, Callable[[], Any]] = {
    "MirrorRegressorCV (ours)": MirrorRegressorCV,
    "its average over scales (ours)": lambda: MirrorRegressorCV(average=True),
}

Split = tuple[Array, Array, Array, Array]


def measure(settings: Settings, progress: Callable[[str], None]) -> dict[str, Any]:
    splits = settings.repeats
    data = _quick() if settings.quick else _data()
    rows, errors = [], {}
    models = _models()
    _scores(models, next(iter(_quick().values()))(0))  # warm-up: compilation, imports
    for name, split in data.items():
        runs = []
        for seed in range(_FIRST_SEED, _FIRST_SEED + splits):
            progress(f"{name}: split {seed - _FIRST_SEED + 1} of {splits}")
            parts = split(seed)
            runs.append(_scores(models, parts))
        errors[name] = np.array([[error for error, _ in run] for run in runs])
        seconds = np.array([[spent for _, spent in run] for run in runs])
        case = {"data": name, "training": len(parts[1]), "test": len(parts[3]), "features": parts[0].shape[1]}
        rows += [_row(case, k, errors[name], seconds) for k in range(len(models))]
    return {
        "question": "Error of prediction of linear models whose regularisation is chosen by cross-validation",
        "rows": rows,
        "tables": {
            **{
                f"Mean ranks of {ours} and its peers, 1 is best": [
                    *(_ranks(name, found, ours) for name, found in errors.items()),
                    _ranks("all", np.vstack(list(errors.values())), ours),
                ]
                for ours in _OURS
            },
            **{
                f"Splits on which {ours} predicts better than": [
                    _wins(name, found, ours) for name, found in errors.items()
                ]
                for ours in _OURS
            },
        },
        "notes": [
            "error: mean squared error of prediction over the variance of the test targets, mean of all splits; "
            "the ratio is that of CPU seconds, the median over splits; splits are in turns",
            f"splits: {splits}, numpy.random.default_rng(seed).permutation, seeds {_FIRST_SEED} to "
            f"{_FIRST_SEED + splits - 1}; {_TRAINING:.0%} of a file's samples are for training, {_ROWS} of those of "
            "diabetes and breast cancer",
            "diabetes and breast cancer: standardised measurements and all their products up to three factors; of "
            f"tumours the {_MEANS} means, y = 1 or -1",
            "riboflavin, eyedata and gasoline_nir: files of LINREG_MIRROR_BENCHMARK_DATA, left out where they are not",
            f"grids: ours {', '.join(map(str, MirrorRegressorCV()._candidates()))}, {MirrorRegressorCV().n_points} "
            "stopping times each; LassoCV 100 penalties; ElasticNetCV 100 penalties for each l1_ratio of "
            f"{_RATIOS}; RidgeCV 50 of 1e-3 to 1e6, by leave-one-out; all others by 5 folds; features standardised on "
            "the training samples for all",
        ],
    }


def _models() -> dict[str, Callable[[], Any]]:
    return {
        **_OURS,
        "LassoCV": lambda: LassoCV(cv=5),
        "ElasticNetCV": lambda: ElasticNetCV(l1_ratio=_RATIOS, cv=5),
        "RidgeCV": lambda: RidgeCV(_RIDGE),
    }


def _data() -> dict[str, Callable[[int], Split]]:
    folder = os.environ.get("LINREG_MIRROR_BENCHMARK_DATA")
    found: dict[str, Callable[[int], Split]] = {}
    for name in _FILES:
        path = Path(folder or ".") / f"{name}.npz"
        if folder and path.exists():
            problem = from_file(path)
            found[name] = _of_arrays(np.asarray(problem.X), problem.y)
    tumours, benign = load_breast_cancer(return_X_y=True)
    found["diabetes, cubic"] = _of_polynomials(*load_diabetes(return_X_y=True), degree=3, rows=_ROWS)
    found["breast cancer, cubic"] = _of_polynomials(tumours[:, :_MEANS], 2.0 * benign - 1, degree=3, rows=_ROWS)
    return found


def _quick() -> dict[str, Callable[[int], Split]]:
    return {"diabetes, quadratic": _of_polynomials(*load_diabetes(return_X_y=True), degree=2, rows=40)}


def _of_arrays(X: Array, y: Array) -> Callable[[int], Split]:
    def split(seed: int) -> Split:
        order = np.random.default_rng(seed).permutation(len(y))
        training, test = np.split(order, [round(_TRAINING * len(y))])
        return X[training], y[training], X[test], y[test]

    return split


def _of_polynomials(X: Array, y: Array, degree: int, rows: int) -> Callable[[int], Split]:
    def split(seed: int) -> Split:
        training, test = np.split(np.random.default_rng(seed).permutation(len(y)), [rows])
        products = make_pipeline(StandardScaler(), PolynomialFeatures(degree, include_bias=False))
        return products.fit_transform(X[training]), y[training], products.transform(X[test]), y[test]

    return split


def _scores(models: dict[str, Callable[[], Any]], split: Split) -> list[tuple[float, float]]:
    """Return error and CPU seconds of each model on one split."""
    X, y, X_test, y_test = split
    found = []
    for make in models.values():
        model = make_pipeline(StandardScaler(), make())
        started = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # coordinate descent, near the weakest penalties
            model.fit(X, y)
        spent = time.process_time() - started
        found.append((float(np.mean((model.predict(X_test) - y_test) ** 2) / y_test.var()), spent))
    return found


def _row(case: dict[str, Any], k: int, errors: Array, seconds: Array) -> dict[str, Any]:
    right = bool(np.isfinite(errors[:, k]).all())
    return {
        "case": case,
        "competitor": list(_models())[k],
        "ours": list(_models())[k] in _OURS,
        "ratio": statistics.median(seconds[:, k] / seconds[:, 0]),
        "seconds": statistics.median(seconds[:, k]),
        "runs": seconds[:, k].tolist(),
        "completed": right,
        "reports_success": True,
        "errors": {"error": float(errors[:, k].mean())} if right else {},
        "message": "",
        "counts": {},
        "error_of_each_split": errors[:, k].tolist(),
        "verdict": "ok" if right else "predicts no numbers",
    }


def _ranks(name: str, errors: Array, ours: str) -> dict[str, Any]:
    names = [model for model in _models() if model == ours or model not in _OURS]
    found = errors[:, [list(_models()).index(model) for model in names]]
    return {"data": name, **dict(zip(names, rankdata(found, axis=1).mean(axis=0).tolist(), strict=True))}


def _wins(name: str, errors: Array, ours: str) -> dict[str, Any]:
    own = errors[:, list(_models()).index(ours)]
    return {
        "data": name,
        **{p: f"{(own < errors[:, k]).sum()} of {len(own)}" for k, p in enumerate(_models()) if p not in _OURS},
    }
