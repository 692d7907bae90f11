"""What the Python scripts beside this file share: the environment, expectations, running checks.

The environment and the output are described in openai_chat.py; its own checks are older than this file.
"""

import os
import sys
import traceback
import urllib.request
from concurrent.futures import ThreadPoolExecutor

# The packages are installed, the gateway is on loopback: whoever wants the network is told so at once.
for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
    os.environ[name] = "http://127.0.0.1:9"
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

BASE_URL = os.environ["BASE_URL"].rstrip("/")
KEY = os.environ.get("KEY", "no-key")
MODEL = os.environ["MODEL"]
TOOL_MODEL = os.environ.get("TOOL_MODEL")
EMBED_MODEL = os.environ.get("EMBED_MODEL")
MAX_TOKENS = int(os.environ.get("MAX_TOKENS", "24"))
# A gateway that hangs is a failure, not a long wait.
TIMEOUT = 50


class Skip(Exception):
    """The environment does not offer what a check needs."""


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def need(value, name):
    if not value:
        raise Skip(f"{name} is not set")
    return value


def fails_with(kind, act):
    """The error that `act` fails with; it must be of the class `kind`."""
    try:
        act()
    except kind as error:
        return error
    raise AssertionError(f"nothing failed; {kind.__name__} was due")


def fetch(url, body=None):
    """The text at `url`, by no client of anybody's."""
    request = urllib.request.Request(url, data=body, headers={"content-type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=TIMEOUT) as answer:
        return answer.read().decode()


def run(checks):
    """Runs the checks whose names were given, or all, and leaves with 1 at the first failure."""
    run_together([checks if isinstance(checks, dict) else {check.__name__: check for check in checks}])


def run_together(groups, afterwards=()):
    """Runs several groups of checks at once, each in its order, and then those of `afterwards`."""
    wanted = sys.argv[1:]
    afterwards = {check.__name__: check for check in afterwards}
    unknown = set(wanted).difference(afterwards, *groups)
    if unknown:
        sys.exit(f"there is no check {', '.join(sorted(unknown))}")
    with ThreadPoolExecutor(len(groups)) as pool:
        running = [pool.submit(run_one_by_one, checks, wanted) for checks in groups]
    for group in running:
        group.result()
    run_one_by_one(afterwards, wanted)


def run_one_by_one(checks, wanted):
    for name, check in checks.items():
        if wanted and name not in wanted:
            continue
        try:
            check()
        except Skip as why:
            print(f"skip {name}: {why}\n", end="", flush=True)
        except Exception as error:
            traceback.print_exc()
            sys.exit(f"FAILED {name}: {error}")
        else:
            print(f"ok {name}\n", end="", flush=True)
