"""Forecasters pre-trained elsewhere: zero-shot, with a frozen backbone, or fine-tuned."""
