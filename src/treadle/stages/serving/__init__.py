"""Requests are answered and every prediction is logged."""
