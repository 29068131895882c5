"""Views of a run in MLflow, TensorBoard or Weights & Biases; the run folder is never theirs."""
