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


def peak_memory_mb(pid: int) -> float:
    """Return the most resident memory that a process has had since its program began; 0 if it has ended.

    The peak that the system tells when a process has ended would include that of the process which started it.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:")), 0.0)
