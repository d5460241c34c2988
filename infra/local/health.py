"""Whether the server that left its note under PATCHBAY_HOME answers: exit code 0, else 1. What HEALTHCHECK runs."""

import http.client
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from infra.local.place import noted

_SECONDS = 3.0  # below the timeout that the Dockerfile gives it


def main() -> int:
    home = Path(os.environ.get("PATCHBAY_HOME") or ".patchbay")
    url = noted(home)
    if url is None:
        return _said(1, f"no server has left a note in {home}")
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_SECONDS)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return _said(1, f"{url} does not answer: {type(error).__name__}")
    finally:
        connection.close()
    return _said(int(status != http.client.OK), f"{url} answers {status}")


def _said(code: int, words: str) -> int:
    print(words)  # noqa: T201 - `docker inspect` shows it
    return code


if __name__ == "__main__":
    sys.exit(main())
