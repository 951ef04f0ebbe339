"""Drift, performance and calibration of what is served."""
