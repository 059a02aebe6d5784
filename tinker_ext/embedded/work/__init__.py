"""Work: who goes next, on which thread, and where the answer waits."""
