"""Chromium on loopback, driven by the npm package playwright-core; packages.sh has fetched both before.

Owns its process and folder. Scripts are off, as the pages want none.
"""

import contextlib
import json
import subprocess

from base import HERE, Failure, Scratch, check, npm_package, program

SOURCE = HERE / "chromium"


class Chromium:
    """All its methods give what the page is then: title, address, text."""

    def __init__(self):
        chromium = program("chromium", "chromium")
        node = program("node", "nodejs")
        folder = npm_package("chromium", "playwright-core", SOURCE)
        self.scratch = Scratch("chromium")
        self.folder = self.scratch.path
        (self.folder / "requests").touch()
        source = self.folder / "browser.mjs"
        source.write_bytes((SOURCE / "browser.mjs").read_bytes())
        (self.folder / "node_modules").symlink_to(folder / "node_modules")
        self.process = subprocess.Popen(
            [program("setpriv", "util-linux"), "--pdeathsig", "TERM", node, source, chromium, self.folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=open(self.folder / "errors", "wb"),
            text=True,
        )

    def do(self, deed, who="ann", **what):
        self.process.stdin.write(json.dumps({"deed": deed, "who": who, **what}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Failure(f"Chromium ended: {(self.folder / 'errors').read_text()[-2000:]}")
        told = json.loads(line)
        check("error" not in told, lambda: f"{deed} {what}: {told['error']}")
        return told

    def requests(self):
        """Every request that any page made."""
        return (self.folder / "requests").read_text().splitlines()

    def complaints(self):
        """What Chromium said of the pages: a policy that was broken, for instance."""
        with contextlib.suppress(OSError):
            return (self.folder / "console").read_text()
        return ""

    def stop(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        self.process.kill()
        self.process.wait()
        self.scratch.remove()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
