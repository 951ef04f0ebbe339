"""The first lesson works as printed: its commands run in order, in an empty folder, with a real server."""

import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Block, blocks

PAGE = ROOT / "docs" / "tutorial" / "first-project.md"


class Reader:
    """Somebody who follows the lesson line by line, and leaves the server to a second terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.server: subprocess.Popen[str] | None = None
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("TREADLE_", "PYTEST_"))
        }
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {**kept, "PATH": path, "TREADLE_TOKEN": "a-token-for-trying"}

    def follow(self, block: Block) -> None:
        code = block.body.replace("8080", str(self.port))
        if block.info[:1] == ("python",):
            self.run([sys.executable, "-c", code])
            self.stop_the_server()
        elif block.info == ("bash", "serve"):
            self.start_the_server(code)
        elif block.info == ("bash",):
            for line in code.replace("\\\n", " ").splitlines():
                self.type(shlex.split(line), f"{PAGE.name}:{block.line}")

    def type(self, words: list[str], where: str) -> None:
        match words:
            case ["cd", folder]:
                self.folder = self.folder / folder
            case ["export", _]:
                pass  # the token is set for both terminals from the beginning
            case ["treadle", *rest]:  # in a process of its own, as a reader's is: nothing is left imported
                self.run([sys.executable, "-m", "treadle", *rest], where)
            case _:
                self.run(words)

    def run(self, words: list[str], where: str = PAGE.name) -> None:
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{where}: {shlex.join(words)} failed:\n{done.stdout}{done.stderr}"

    def start_the_server(self, code: str) -> None:
        words = shlex.split(code.splitlines()[-1])
        self.server = subprocess.Popen(
            words, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        assert self.server.stdout is not None
        assert self.server.stdout.readline().startswith("serving shop at ")

    def stop_the_server(self) -> None:
        if self.server is not None:
            self.server.terminate()
            assert self.server.wait(30) == 0
            assert self.server.stdout is not None
            self.server.stdout.close()
            self.server = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
def test_the_lesson_works_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(tmp_path)
    for name in ("TREADLE_HOME", "TREADLE_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TREADLE_TOKEN", reader.environment["TREADLE_TOKEN"])
    try:
        for block in blocks(PAGE.read_text()):
            if "no-run" not in block.info or block.info[0] == "python":  # the python block needs the server
                reader.follow(block)
    finally:
        if reader.server is not None:
            reader.server.kill()
    assert (tmp_path / "shop" / "home" / "metadata.db").is_file()
