"""Atomic writing, digests, safe formats, checkpoint store and the trial ledger."""
