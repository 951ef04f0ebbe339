"""Records in, pictures out: pure drawing for terminal, report, notebook and console."""
