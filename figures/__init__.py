"""Figures: one script each. They draw tables, and compute nothing."""
