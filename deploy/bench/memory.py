"""Measure the memory use of this process."""

from pathlib import Path


def memory_mb() -> float:
    """Return the resident memory of this process in MB, or its peak if the current value is unavailable."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
        return round(int(line.split()[1]) * 1024 / 1e6, 1)
    import resource

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)
