"""Samples to class probabilities."""
