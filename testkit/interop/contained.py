#!/usr/bin/env python3
"""The image of the gateway as compose.yaml runs it, and what packaging/ has for other programs to read.

    packaging/make
    testkit/interop/contained.py --packages target/packages --gateway target/release/pop3-gateway

podman and runc run the image, without a daemon, in a network of its own: not as root, with a root that nothing can be
written to. The name of the IMAP server is one that only the name server of this script knows. Needs root. The schemas are
those that testkit/interop/packages.sh installs.
"""

import argparse
import contextlib
import hashlib
import json
import os
import resource
import signal
import socket
import socketserver
import sys
import threading
from pathlib import Path

from base import HOST, REPOSITORY, UNPACKED, Certificates, Daemon, Missing, Scratch, check, program, run, wait_until
from run import Report
from servers import Dovecot

PACKAGING = REPOSITORY / "packaging"
VALIDATE = UNPACKED / "validate/bin"
UPSTREAM = "imap.interop.test"
PORT, CONTAINER = 9995, "pop3-gateway-interop"
# octets
LARGEST_IMAGE = 20_000_000
BILL = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
found = JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read())
sys.exit(str(found) if found else 0)
"""
LOADED = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(open(sys.argv[1]))), sys.stdout)"


def validator(name):
    found = VALIDATE / name
    if not found.exists():
        raise Missing(f"{found} is missing: run testkit/interop/packages.sh")
    return found


def loaded(file):
    """The documents of a YAML file."""
    return json.loads(run([validator("python3"), "-c", LOADED, file]).stdout)


class NameServer(socketserver.BaseRequestHandler):
    """Says for every name that it is here, and nothing about IPv6."""

    def handle(self):
        question, reply = self.request
        end = question.index(b"\0", 12) + 5
        asked = question[12:end]
        wants_address = asked[-4:-2] == b"\0\1"
        head = question[:2] + b"\x81\x80\0\1" + (b"\0\1" if wants_address else b"\0\0") + b"\0\0\0\0"
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(HOST)
        reply.sendto(head + asked + (answer if wants_address else b""), self.client_address)


class Image:
    """The image in a store of its own, and a container of it as compose.yaml describes it."""

    def __init__(self, archive, scratch):
        self.folder, self.log = scratch / "podman", scratch / "container.log"
        self.podman = [program("podman", "podman"), f"--root={self.folder}/root", f"--runroot={self.folder}/run"]
        self.podman += ["--storage-driver=vfs", "--cgroup-manager=cgroupfs", f"--runtime={program('runc', 'runc')}"]
        self.own("load", "--quiet", "--input", archive)
        self.service = loaded(PACKAGING / "compose/compose.yaml")[0]["services"]["pop3-gateway"]

    def own(self, *arguments, **options):
        return run([*self.podman, *arguments], **options)

    def start(self, configuration, *more, command=()):
        """What compose would say, but for the network."""
        service = self.service
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        argv = [*self.podman, "run", "--rm", f"--name={CONTAINER}", "--network=host", f"--ulimit=nofile={soft}:{hard}"]
        argv += ["--ulimit=nproc=4096:4096", "--dns=127.0.0.1", *more]
        check(service["read_only"], "compose.yaml lets the root be written to")
        argv += ["--read-only", "--read-only-tmpfs=false"]
        argv += [f"--cap-drop={name}" for name in service["cap_drop"]]
        argv += [f"--security-opt={option.removesuffix(':true')}" for option in service["security_opt"]]
        for volume in service["volumes"]:
            argv.append(f"--volume={volume.replace('./pop3-gateway.toml', str(configuration))}")
        return Daemon([*argv, f"localhost/{service['image']}", *command], self.log)

    def healthy(self):
        """What compose's health check would say."""
        kind, *command = self.service["healthcheck"]["test"]
        check(kind == "CMD", "there is no shell in the image")
        return self.own("exec", CONTAINER, *command, check_status=False)

    def remove(self):
        self.own("rm", "--force", "--ignore", CONTAINER, check_status=False)
        # what is mounted in there
        self.own("system", "reset", "--force", check_status=False)


def contained(packages, upstream, scratch):
    """The first mail, from a container that is nobody's and writes to nothing but its state."""
    archive = next(packages.glob("*.image.tar"))
    size = archive.stat().st_size
    check(size <= LARGEST_IMAGE, f"the image has {size} octets")
    text = (PACKAGING / "compose/pop3-gateway.toml").read_text()
    edited = text.replace("imaps://imap.example.org", f"imaps://{UPSTREAM}:{upstream.port_tls}")
    check(edited != text, "the configuration has not the line to edit")
    # the certificate is for another name
    trust = f'server_name = "localhost"\nca_file = "/run/ca.pem"\n\n# what the health check'
    configuration = scratch / "pop3-gateway.toml"
    image = Image(archive, scratch)
    names = socketserver.ThreadingUDPServer((HOST, 53), NameServer)
    threading.Thread(target=names.serve_forever, daemon=True).start()
    container = None
    try:
        configuration.write_text(edited.replace("\n# what the health check", trust))
        configuration.chmod(0o644)
        container = image.start(configuration, f"--volume={upstream.certificates.ca}:/run/ca.pem:ro")
        container.wait_port(PORT, 60)
        wait_until(lambda: image.healthy().returncode == 0, "the health check", 60, 0.5)
        url = f"pop3s://{HOST}:{PORT}/1"
        said = run([program("curl", "curl"), "-sSk", "-u", f"alice:{upstream.password}", url]).stdout
        check(b"The first mail" in said, lambda: f"curl got {said!r}:\n{container.tail()}")
        init = image.own("inspect", "--format={{.State.Pid}}", CONTAINER).stdout.decode().strip()
        status = Path(f"/proc/{init}/status").read_text()
        check("\nUid:\t65532\t65532\t" in status and "\nCapEff:\t0000000000000000\n" in status, status)
        mounts = [line.split() for line in Path(f"/proc/{init}/mountinfo").read_text().splitlines()]
        root = next(line[5].split(",") for line in mounts if line[4] == "/")
        check("ro" in root, f"the root is mounted {root}")
        os.kill(int(init), signal.SIGTERM)
        wait_until(lambda: not container.alive(), "the container to end", 60)
        check(container.process.returncode == 0, container.tail)
        # and what vouches for a public server does not vouch for ours
        configuration.write_text("".join(line for line in lines(configuration) if "ca_file" not in line))
        checking = image.start(configuration, command=("check", "--connect"))
        wait_until(lambda: not checking.alive(), "the check", 60)
        check(checking.process.returncode == 1 and "is not believed" in checking.tail(), checking.tail)
    finally:
        names.shutdown()
        if container:
            container.kill()
        image.remove()
    return f"image of {size / 1e6:.1f} MB"


def lines(file):
    return file.read_text().splitlines(keepends=True)


def examples(gateway, scratch):
    """compose.yaml and the manifests are what their schemas say, and the gateway takes the configurations in them."""
    run([validator("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", PACKAGING / "compose/compose.yaml"])
    run([gateway, "check", "--config", PACKAGING / "compose/pop3-gateway.toml"])
    folder = PACKAGING / "kubernetes"
    run([validator("kubernetes-validate"), "--strict", *sorted(folder.glob("*.yaml"))])
    manifests = loaded(folder / "pop3-gateway.yaml")
    configuration = next(one for one in manifests if one["kind"] == "ConfigMap")["data"]["pop3-gateway.toml"]
    certificates = Certificates(scratch / "certificates")
    paths = {"/run/secrets/tls/tls.crt": certificates.certificate, "/run/secrets/tls/tls.key": certificates.key}
    for path, file in paths.items():
        check(path in configuration, f"the ConfigMap does not name {path}")
        configuration = configuration.replace(path, str(file))
    (scratch / "kubernetes.toml").write_text(configuration)
    run([gateway, "check", "--config", scratch / "kubernetes.toml"])
    return f"{len(manifests)} manifests"


def published(packages):
    """The sums are right and name all there is; bills of materials are valid; the manual has no fault."""
    lines = (packages / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    there = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in packages.iterdir() if file.name != "SHA256SUMS"}
    check(sums == there, f"SHA256SUMS has {sums}, and there is {there}")
    # the validator is slow, and the client's is the shorter one
    run([validator("python3"), "-c", BILL, next(packages.glob("pop3-client-*.cdx.json"))])
    return f"{len(there)} files"


def manual(packages, scratch):
    """What man would show has no fault."""
    for package in packages.glob("*.deb"):
        run(["dpkg-deb", "--extract", package, scratch / package.stem])
    pages = sorted(scratch.glob("*/usr/share/man/man*/*.gz"))
    check(pages, "there is no manual")
    run(["gunzip", *pages])
    # what it warns of are macros of clap_mangen, and that there is no date
    said = run([program("mandoc", "mandoc"), "-T", "lint", "-W", "error", *(page.with_suffix("") for page in pages)], check_status=False)
    check(said.returncode == 0, lambda: said.stdout.decode()[:3000])
    return f"{len(pages)} pages"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, required=True, help="what packaging/make made")
    parser.add_argument("--gateway", type=Path, required=True, help="the binary")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.inside:
        own = [program("unshare", "util-linux"), "--net", "--mount", sys.executable, *sys.argv, "--inside"]
        os.execv(own[0], own)
    run([program("ip", "iproute2"), "link", "set", "lo", "up"])
    report = Report()
    scratch = Scratch("contained")
    with contextlib.ExitStack() as stack:
        stack.callback(scratch.remove)
        report.run("sums and bills of materials", published, arguments.packages)
        report.run("manual", manual, arguments.packages, scratch.path)
        report.run("compose.yaml and manifests", examples, arguments.gateway.resolve(), scratch.path)
        upstream = stack.enter_context(Dovecot())
        upstream.create_user("alice")
        upstream.deliver("alice", [b"Subject: one\r\n\r\nThe first mail.\r\n"])
        report.run("image", contained, arguments.packages, upstream, scratch.path)
    sys.exit(report.close())


if __name__ == "__main__":
    main()
