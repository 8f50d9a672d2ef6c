"""How long PyTorch's threads spin while they wait for one another, for a CPU shared with other programs.

GNU OpenMP lets a waiting thread spin for a very long time before it sleeps. That is right while every thread has its
own core. As soon as another program wants a core, a spinning thread keeps the thread it waits for from running. With
1,000 rounds a step on an idle machine takes about a tenth longer, and a step beside another training run takes 0.2
seconds instead of 5.6 (`benchmarks/waiting.py`, docs/log.md).

The library reads the variable when it is loaded, so import this module before torch. A value set by the user is kept.
"""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "1000")
