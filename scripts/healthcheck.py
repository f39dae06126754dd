"""Ask the daemon in this container whether it still ticks; exit status 0 or 1, as HEALTHCHECK wants.

Only the standard library, because it starts every half minute. The port is the one that the image or
the user sets by AUTOSCALER_HTTP__PORT.
"""

from __future__ import annotations

import os
import sys
from http.client import HTTPException
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

DEADLINE_S = 4


def main() -> int:
    """The exit status."""
    url = f"http://127.0.0.1:{os.environ.get('AUTOSCALER_HTTP__PORT', '9464')}/healthz"
    try:
        # No proxy: the daemon is here, whatever the container uses to reach vendors.
        with build_opener(ProxyHandler({})).open(url, timeout=DEADLINE_S):
            return 0
    except (HTTPException, URLError, OSError, ValueError) as error:
        print(f"healthcheck: {url}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
