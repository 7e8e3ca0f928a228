"""Ranks, what they exchange, and sums that do not depend on them."""
