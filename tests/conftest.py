"""What every test shares: one thread for numeric libraries, and the same examples of each law every time."""

import os

from hypothesis import settings

# Before any numeric library is loaded: its threads would fight with the other test workers, and the order
# of floating-point sums would depend on the machine.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

settings.register_profile("treadle", derandomize=True, deadline=None, database=None)
settings.load_profile("treadle")
