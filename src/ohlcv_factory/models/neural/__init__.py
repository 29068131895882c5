"""Recurrent, convolutional and residual networks."""
