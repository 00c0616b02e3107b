"""The user's document: its examples are run where they stand."""
