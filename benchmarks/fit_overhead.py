"""Row 13: a fit through the factory against the library called directly, same rows, parameters, chunks and threads.

Both sides train the full number of rounds with stop rows scored each round and cut at the best one. The factory reports
metrics of the train and the stop rows, so the direct call predicts both once as well. `equal` in results.json says that
both gave the same probabilities, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import Bench, Line, Work, against, serve

ROWS, FEATURES, STOP_ROWS = 20_000, 60, 2_000
ROUNDS = 100
CONFIGS: dict[str, dict[str, Any]] = {
    "xgboost": {"n_estimators": ROUNDS, "early_stopping_rounds": ROUNDS},
    "lightgbm": {"n_estimators": ROUNDS, "early_stopping_rounds": ROUNDS},
    "catboost": {"iterations": ROUNDS, "early_stopping_rounds": ROUNDS},
    "logistic": {},
}


def lines(bench: Bench) -> list[Line]:
    """The lines of this row."""
    cases = [f"{model}-{side}" for model in CONFIGS for side in ("factory", "direct")]
    found = bench.take_turns(__file__, cases)
    work = "fit through the factory"
    return [
        against(13, f"{work}: {model}", found[f"{model}-factory"], "<= 1.05 x", "direct", found[f"{model}-direct"])
        for model in CONFIGS
    ]


def through_factory(name: str) -> Callable[[Path], Work]:
    """A case: `create(name).fit(train, stop)`."""

    def case(folder: Path) -> Work:
        from ohlcv_factory.models.registry import ModelRegistry

        train, stop = _parts()

        def work() -> Any:
            model = ModelRegistry.create(name, CONFIGS[name])
            model.fit(train, stop)
            return lambda: {"digest": _digest(model._predict_proba(stop.X))}

        return work

    return case


def directly(name: str) -> Callable[[Path], Work]:
    """A case: the library's own calls, with the parameters that the factory would give it."""

    def case(folder: Path) -> Work:
        from ohlcv_factory.models.registry import ModelRegistry
        from ohlcv_factory.runtime.threads import one_blas_thread

        model = ModelRegistry.create(name, CONFIGS[name])
        model.classes = (0, 1, 2)
        parts, fit = _parts(), DIRECT[name]

        def work() -> Any:
            with one_blas_thread():
                probabilities = fit(model, *parts)
            return lambda: {"digest": _digest(probabilities)}

        return work

    return case


def direct_xgboost(model: Any, train: Any, stop: Any) -> Any:
    """Two chunks of 50 rounds, cut at the best."""
    import xgboost

    parameters, booster, losses = model._parameters(xgboost), None, []
    rows = xgboost.QuantileDMatrix(train.X, label=train.y, weight=train.weight)
    stop_rows = xgboost.QuantileDMatrix(stop.X, label=stop.y, weight=stop.weight, ref=rows)
    for seed in _chunk_seeds(model):
        log: dict[str, Any] = {}
        booster = xgboost.train(
            {**parameters, "seed": seed},
            rows,
            model.config.chunk_trees,
            evals=[(stop_rows, "stop")],
            evals_result=log,
            xgb_model=booster,
            verbose_eval=False,
        )
        losses += log["stop"]["mlogloss"]
    kept = booster[: losses.index(min(losses)) + 1]
    kept.inplace_predict(train.X)
    return kept.inplace_predict(stop.X)


def direct_lightgbm(model: Any, train: Any, stop: Any) -> Any:
    """Two chunks of 50 rounds, cut at the best."""
    booster, best = grown_lightgbm(model, train, stop)
    booster.predict(train.X, num_iteration=best)
    return booster.predict(stop.X, num_iteration=best)


def grown_lightgbm(model: Any, train: Any, stop: Any) -> tuple[Any, int]:
    """The booster of all chunks, and its best round; `train` and `stop` hold X, y and weight."""
    import lightgbm

    parameters, booster, losses = model._parameters(lightgbm), None, []
    options = {"params": parameters, "free_raw_data": False}
    rows = lightgbm.Dataset(train.X, train.y, weight=train.weight, **options)
    stop_rows = lightgbm.Dataset(stop.X, stop.y, weight=stop.weight, reference=rows, **options)
    for seed in _chunk_seeds(model):
        log: dict[str, Any] = {}
        booster = lightgbm.train(
            {**parameters, "seed": seed},
            rows,
            model.config.chunk_trees,
            valid_sets=[stop_rows],
            init_model=booster,
            keep_training_booster=True,
            callbacks=[lightgbm.record_evaluation(log)],
        )
        losses += log["valid_0"]["multi_logloss"]
    return booster, losses.index(min(losses)) + 1


def direct_catboost(model: Any, train: Any, stop: Any) -> Any:
    """One call; CatBoost cuts at the best round itself."""
    import catboost

    booster = catboost.CatBoost({**model._parameters(catboost, ROUNDS), "use_best_model": True})
    rows, stop_rows = (catboost.Pool(part.X, part.y.astype("int32"), weight=part.weight) for part in (train, stop))
    booster.fit(rows, eval_set=stop_rows)
    booster.predict(train.X, prediction_type="Probability")
    return booster.predict(stop.X, prediction_type="Probability")


def direct_logistic(model: Any, train: Any, stop: Any) -> Any:
    """scikit-learn's estimator."""
    from sklearn.linear_model import LogisticRegression

    estimator = LogisticRegression(**model.config.model_dump()).fit(train.X, train.y, sample_weight=train.weight)
    estimator.predict_proba(train.X)
    return estimator.predict_proba(stop.X)


DIRECT = {
    "xgboost": direct_xgboost,
    "lightgbm": direct_lightgbm,
    "catboost": direct_catboost,
    "logistic": direct_logistic,
}


def _parts() -> tuple[Any, Any]:
    """Training and stop rows with a planted signal; threads are set first, as the command line does it."""
    from ohlcv_factory.runtime.threads import set_threads

    set_threads()

    from ohlcv_factory.testing.models import planted_samples

    rows = planted_samples(ROWS + STOP_ROWS, FEATURES)
    return rows.take(slice(0, ROWS)), rows.take(slice(ROWS, None))


def _chunk_seeds(model: Any) -> list[int]:
    from ohlcv_factory.runtime.seeding import component_seed

    chunks = range(model.config.n_estimators // model.config.chunk_trees)
    return [component_seed(model.seed, model.name, "chunk", chunk) for chunk in chunks]


def _digest(probabilities: Any) -> str:
    import numpy as np

    from ohlcv_factory.storage.digests import array_digest

    return array_digest(np.ascontiguousarray(probabilities))


if __name__ == "__main__":
    serve(
        {f"{model}-factory": through_factory(model) for model in CONFIGS}
        | {f"{model}-direct": directly(model) for model in CONFIGS}
    )
