"""`python -m wire.probe URL`: exit code 0 if a probe is answered with 200. For health checks where there is no curl."""

import sys
from urllib.error import URLError
from urllib.request import urlopen

TIMEOUT_S = 4.0


def asked(url: str) -> str:
    """Return why a probe fails, or nothing."""
    try:
        with urlopen(url, timeout=TIMEOUT_S):  # noqa: S310 - the caller's own health check
            return ""
    except (URLError, OSError) as error:
        return f"{url}: {error}"


if __name__ == "__main__":
    sys.exit(asked(sys.argv[1]))
