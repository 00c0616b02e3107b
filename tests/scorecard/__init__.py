"""The fault scorecard: its rows, the tests that no other subject has, and its page."""
