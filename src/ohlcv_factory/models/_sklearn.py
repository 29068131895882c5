"""What the scikit-learn models share: a fitted estimator kept in a `.skops` file with a fixed list of trusted types."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ohlcv_factory.errors import VerificationError
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.storage.atomic import write_with


class SklearnModel(BaseModel):
    """A model whose fitted state is one scikit-learn object."""

    native_suffix = ".skops"
    shape_decides = True
    trusted_types: ClassVar[tuple[str, ...]] = ()
    """Types beyond skops' own list that the file may hold; never taken from the file itself."""

    estimator: Any = None

    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.estimator.predict_proba(X))

    def _save(self, path: Path) -> None:
        import skops.io

        write_with(path, lambda temporary: skops.io.dump(self.estimator, temporary))

    def _load(self, path: Path) -> None:
        import skops.io
        from skops.io.exceptions import UntrustedTypesFoundException

        try:
            self.estimator = skops.io.load(path, trusted=list(self.trusted_types))
        except UntrustedTypesFoundException as error:
            raise VerificationError(
                f"{path.name} holds types that a {self.name!r} never has: {error}",
                where=str(path),
                help="the file was not written by this project: do not use it",
            ) from None
