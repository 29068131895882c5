"""Bars to what was known at each bar."""
