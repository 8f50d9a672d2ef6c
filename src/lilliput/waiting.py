"""How PyTorch's threads wait for one another on a CPU that others use as well.

GNU OpenMP lets a thread that waits spin for very long before it sleeps. As long as every thread has a core of its own
that is right; as soon as another program wants a core, each spinning thread keeps the one it waits for from running.
With 1,000 rounds a step alone takes about a tenth longer, and a step beside another training takes 0.2 seconds instead
of 5.6 (`benchmarks/waiting.py`, docs/log.md).

The library reads the variable when it is loaded, so this module comes before the first import of torch; a value that
the user has set stays.
"""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "1000")
