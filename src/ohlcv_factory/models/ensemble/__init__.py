"""Models on the out-of-fold predictions of other models; one file per model."""
