"""Nearest neighbours as a model of the OHLCV model factory."""
