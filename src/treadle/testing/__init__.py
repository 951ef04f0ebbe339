"""Contract suites for ports and fakes: what we test ourselves with, for users too."""
