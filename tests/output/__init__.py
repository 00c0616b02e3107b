"""Structured output: its types, what of it is there while it streams."""
