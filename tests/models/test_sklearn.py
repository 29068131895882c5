from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import skops.io
from sklearn.tree import DecisionTreeClassifier

from ohlcv_factory.errors import VerificationError
from ohlcv_factory.models.registry import ModelRegistry


def test_a_file_with_a_foreign_type_is_refused_by_its_name(parts: Any, tmp_path: Path) -> None:
    fitted = ModelRegistry.create("logistic")
    fitted.fit(parts.train)
    fitted.save(tmp_path / "model")
    planted = DecisionTreeClassifier(max_depth=2).fit(parts.train.X, parts.train.y)
    skops.io.dump(planted, tmp_path / "model.skops")
    with pytest.raises(VerificationError, match=r"sklearn\.tree\._tree\.Tree") as raised:
        fitted.load(tmp_path / "model")
    assert raised.value.exit_code == 76


@pytest.mark.parametrize(
    ("name", "trusted"), [("logistic", ()), ("svm", ()), ("random_forest", ("sklearn.tree._tree.Tree",))]
)
def test_each_model_trusts_a_fixed_list(name: str, trusted: tuple[str, ...]) -> None:
    assert ModelRegistry.model_class(name).trusted_types == trusted  # type: ignore[attr-defined]
