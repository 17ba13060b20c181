"""What every part of the harness shares: scratch folders, ports, processes, certificates.

Owns: processes it started (it ends exactly those, by pid) and folders it made.
Never touches anything below /etc, never ends a process by name, never uses a port below 1024.
"""

import contextlib
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HOST = "127.0.0.1"
HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
# servers whose packages exclude each other are unpacked here by packages.sh
UNPACKED = Path(os.environ.get("INTEROP_ROOT", "/opt/pop3-gateway-interop"))


class Failure(Exception):
    """A check that did not hold; the text says what was expected and what came."""


class Missing(Failure):
    """Something that has to be installed is not there; the text says what to install."""


def check(condition, text):
    if not condition:
        raise Failure(text() if callable(text) else text)


def program(name, package):
    """The path of a program, or a failure that names the package."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise Missing(f"`{name}` is missing: apt-get install {package} (testkit/interop/packages.sh does it)")
    return found


def unpacked(path, package):
    """A file of a package that packages.sh unpacks beside the system, or a failure that names it."""
    found = UNPACKED / path
    if not found.exists():
        raise Missing(
            f"`{path}` of Debian's {package} is missing below {UNPACKED}: run testkit/interop/packages.sh "
            f"(it unpacks {package} there, because apt-get install {package} would remove the other IMAP servers)"
        )
    return found


_given = set()
_giving = threading.Lock()


def npm_package(name, package, source):
    """The folder into which packages.sh has installed this, or a failure that says how to get it."""
    folder = UNPACKED / name
    with contextlib.suppress(OSError):
        if (folder / "package-lock.json").read_bytes() == (source / "package-lock.json").read_bytes():
            if (folder / "node_modules" / package / "package.json").exists():
                return folder
    raise Missing(
        f"{package} is not installed in {folder}: run testkit/interop/packages.sh (it wants Node.js 18 or later with "
        "npm; Debian 12: apt-get install nodejs npm)"
    )


def free_port():
    """A free loopback port below the range the kernel takes client ports from; never the same one twice."""
    for _ in range(2000):
        port = random.randint(15000, 32000)
        # a port stays free until its server is up, and cases run at the same time
        with _giving:
            if port in _given:
                continue
            _given.add(port)
        if port_free(port):
            return port
    raise Failure("no free loopback port")


def port_free(port, again=False):
    """Whether a server may listen there; `again`: one that follows another."""
    with socket.socket() as probe:
        if again:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def hard_limit_of_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def room_for_files(count):
    """So many files may be open, beside what is open anyway, in this process and in those that it starts."""
    wanted = count + 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard_limit_of_files() < wanted:
        raise Missing(f"this needs {wanted} descriptors, and there may be {hard}: ulimit -Hn")
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def wait_until(condition, what, seconds=20.0, pause=0.02):
    """Polls until `condition` is true; a failure tells what was awaited."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(pause)


def port_open(port, address=HOST):
    try:
        with socket.create_connection((address, port), 1.0):
            return True
    except OSError:
        return False


class Scratch:
    """A folder that other users may walk through (servers drop their rights) and that goes away."""

    def __init__(self, name):
        self.path = Path(tempfile.mkdtemp(prefix=f"interop-{name}-", dir=os.environ.get("INTEROP_TMP")))
        self.path.chmod(0o711)

    def remove(self):
        if os.environ.get("INTEROP_KEEP"):
            return
        shutil.rmtree(self.path, ignore_errors=True)


class Daemon:
    """One process of ours with its output in a file. Its children die with its process group.

    It gets a signal to end if the harness itself is killed (`setpriv` only sets that and becomes the program).
    """

    def __init__(self, argv, log, env=None, cwd=None, stdin=subprocess.DEVNULL):
        self.log = Path(log)
        self.argv = [str(item) for item in argv]
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                [program("setpriv", "util-linux"), "--pdeathsig", "TERM", *self.argv],
                stdin=stdin,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def tail(self, size=2000):
        with contextlib.suppress(OSError):
            return self.log.read_bytes()[-size:].decode("utf-8", "replace")
        return ""

    def wait_port(self, port, seconds=20.0, address=HOST):
        def ready():
            check(self.alive(), lambda: f"{self.argv[0]} ended with {self.process.returncode}:\n{self.tail()}")
            return port_open(port, address)

        wait_until(ready, f"{self.argv[0]} to listen on {port}", seconds)

    def send(self, number):
        os.kill(self.pid, number)

    def stop(self, seconds=10.0):
        """SIGTERM, then SIGKILL to what is left of the group. Returns the exit status."""
        if self.alive():
            self.send(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        self.kill()
        return self.process.returncode

    def kill(self):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()


def is_worked_in(folder):
    """Whether a process has this folder as its own."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(process / "cwd") == os.path.realpath(folder):
                return True
    return False


def seconds_of(pid):
    """Seconds of processor that a process has used, with threads that have ended: the clock that the kernel has for it."""
    return time.clock_gettime(~pid << 3 | 2)


def run(argv, timeout=120, check_status=True, **options):
    """Runs a program to its end. Output is returned as bytes; a bad status is a failure."""
    argv = [str(item) for item in argv]
    options.setdefault("stdin", subprocess.DEVNULL)
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, **options)
    except subprocess.TimeoutExpired as error:
        said = ((error.stdout or b"") + (error.stderr or b""))[-1500:].decode("utf-8", "replace")
        raise Failure(f"{argv[0]} did not end within {timeout} s:\n{said}") from error
    if check_status and done.returncode != 0:
        said = (done.stdout[-1500:] + done.stderr[-1500:]).decode("utf-8", "replace")
        raise Failure(f"{argv[0]} ended with {done.returncode}:\n{said}")
    return done


class Certificates:
    """A certification authority of our own and a server certificate for loopback, as PEM files."""

    def __init__(self, folder, name="interop"):
        openssl = program("openssl", "openssl")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        self.ca = folder / "ca.pem"
        self.certificate = folder / "server.pem"
        self.key = folder / "server.key"
        self.both = folder / "server-both.pem"
        ca_key = folder / "ca.key"
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        run(
            [openssl, "req", "-x509", *curve, "-keyout", ca_key, "-out", self.ca, "-days", "30", "-sha256"]
            + ["-subj", f"/CN={name} CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        )
        request = folder / "server.csr"
        run([openssl, "req", *curve, "-keyout", self.key, "-out", request, "-subj", "/CN=localhost"])
        extensions = folder / "server.ext"
        extensions.write_text(
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"
            "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n"
        )
        run(
            [openssl, "x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-set_serial"]
            + [str(random.getrandbits(63)), "-out", self.certificate, "-days", "30", "-sha256", "-extfile", extensions]
        )
        self.both.write_bytes(self.key.read_bytes() + self.certificate.read_bytes())
        for path in (self.ca, self.certificate, self.key, self.both):
            path.chmod(0o644)
