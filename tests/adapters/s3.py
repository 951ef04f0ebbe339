"""Object storage for tests: moto's S3 server on loopback, with credentials in the environment."""

import itertools
import subprocess
import sys
import urllib.request

import pytest

_numbers = itertools.count()


SERVER = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
running.start()
print("http://%s:%s" % running.get_host_and_port(), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def s3_server():
    """The URL of an S3 server, a process of its own: some calls of clients hold the interpreter's lock."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process.stdout.readline().strip()
        process.kill()


@pytest.fixture
def bucket(s3_server, monkeypatch):
    """The URL of an empty bucket, `s3://…`; this process can reach it."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ALLOW_HTTP": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    name = f"bucket{next(_numbers)}"
    request = urllib.request.Request(f"{s3_server}/{name}", method="PUT")
    urllib.request.urlopen(request, timeout=10).close()
    return f"s3://{name}"
