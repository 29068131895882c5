"""Contract kits for authors of models and features."""
