"""Random forest: the mean of deep trees, each grown on its own draw of rows and features."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec, Samples
from ohlcv_factory.models._sklearn import SklearnModel
from ohlcv_factory.models._sound_trees import refuse_unsound, sklearn_tree
from ohlcv_factory.models.base import EpochSink, FitReport, ModelConfig, importance_shares
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime.seeding import component_seed

REQUIRES = ("sklearn",)
Share = Annotated[float, Field(gt=0, le=1)]


class RandomForestConfig(ModelConfig):
    """Settings of the random forest."""

    n_estimators: int = setting(
        200, "number of trees", ge=1, le=10_000, search=Search(100, 600), source="specification"
    )
    max_depth: int | None = setting(
        10, "deepest split of a tree; null lets it grow", ge=1, search=Search(4, 20), source="specification"
    )
    min_samples_split: int = setting(
        20, "least rows of a node that may split", ge=2, search=Search(2, 100, log=True), source="specification"
    )
    min_samples_leaf: int = setting(
        10, "least rows in a leaf", ge=1, search=Search(1, 100, log=True), source="specification"
    )
    max_features: Literal["sqrt", "log2"] | Share = setting(
        "sqrt",
        "features tried per split: a rule, or a share above 0 up to 1",
        search=Search(choices=("sqrt", "log2", 0.3)),
        source="specification",
    )


@ModelRegistry.register()
class RandomForest(SklearnModel):
    """Random forest (Breiman 2001). Trees need no scaling."""

    input_spec: ClassVar[InputSpec] = InputSpec(feature_set="boosting_optimal")
    Config = RandomForestConfig
    trusted_types: ClassVar[tuple[str, ...]] = ("sklearn.tree._tree.Tree",)

    def check_sound(self, where: str) -> None:
        """Refuse trees that do not lead every row to a leaf (DataError, 65)."""
        trees = (sklearn_tree(estimator.tree_) for estimator in self.estimator.estimators_)
        refuse_unsound(trees, len(self.feature_names), where)

    def get_feature_importance(self) -> dict[str, float] | None:
        """Mean decrease of Gini impurity by feature, as a share."""
        return importance_shares(self.feature_names, self.estimator.feature_importances_)

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        from sklearn.ensemble import RandomForestClassifier

        seed = component_seed(self.seed, self.name)
        forest = RandomForestClassifier(**self.config.model_dump(), random_state=seed, n_jobs=self.threads)
        self.estimator = forest.fit(train.X, train.y, sample_weight=train.weight)
        return FitReport()

    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        """The mean over the trees, added up in their order: scikit-learn's threads would add them as they end."""
        trees = [estimator.tree_ for estimator in self.estimator.estimators_]
        return np.asarray(sum(tree.predict(X) for tree in trees) / len(trees))
