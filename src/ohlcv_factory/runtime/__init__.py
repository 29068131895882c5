"""Seeding, threads, clock, memory and progress."""
