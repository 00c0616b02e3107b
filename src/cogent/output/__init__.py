"""Answers that are values: the schema that a model is given, and reading what it writes."""
