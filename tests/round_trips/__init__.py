"""Conversations of two turns with every provider."""
