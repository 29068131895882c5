"""What all foundation models share: checkpoints, backbones, labels from forecasts, heads."""
