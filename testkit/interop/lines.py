"""Between machines that are not there: lines that are cut or slow, and networks of their own.

Owns relays in this process, and the namespaces that it made.
"""

import contextlib
import ctypes
import os
import queue
import socket
import subprocess
import sys
import threading
import time

from base import HOST, check, program, run, wait_until


class Wire:
    """From one node to a server. It can be cut, what is under way stops then and nothing new comes through, or slow.

    What goes through is counted: octets, and how often something came.
    """

    def __init__(self, target, host=HOST, one_way=0.0):
        self.target, self.one_way = target, one_way
        self.is_cut = False
        self.links = set()
        self.octets, self.pieces = {"there": 0, "back": 0}, {"there": 0, "back": 0}
        self.server = socket.create_server((host, 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            if self.is_cut:
                # as a network without an answer does: nothing is said
                self.links.add(client)
                continue
            try:
                there = socket.create_connection((HOST, self.target.port), 2)
            except OSError:
                client.close()
                continue
            # a line that is silent stays
            there.settimeout(None)
            self.links |= {client, there}
            for source, target, way in ((client, there, "there"), (there, client, "back")):
                target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                given = self.slowly(target) if self.one_way else target.sendall
                threading.Thread(target=self.pump, args=(source, target, given, way), daemon=True).start()

    def slowly(self, target):
        """What is given here goes out later, in its order."""
        under_way = queue.SimpleQueue()

        def give():
            while True:
                due, octets = under_way.get()
                time.sleep(max(0, due - time.monotonic()))
                try:
                    target.sendall(octets)
                except OSError:
                    return

        threading.Thread(target=give, daemon=True).start()
        return lambda octets: under_way.put((time.monotonic() + self.one_way, octets))

    def pump(self, source, target, give, way):
        try:
            while octets := source.recv(65536):
                self.octets[way] += len(octets)
                self.pieces[way] += 1
                while self.is_cut:
                    time.sleep(0.05)
                give(octets)
        except OSError:
            pass
        for link in (source, target):
            link.close()
            self.links.discard(link)

    def cut(self):
        self.is_cut = True

    def mend(self):
        """The connections of before are dead: what was in them is not delivered late."""
        links, self.links = self.links, set()
        for link in links:
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.is_cut = False

    def stop(self):
        self.server.close()
        self.mend()


# where all machines find this one: what they share is called by one name
HERE = "10.78.0.1"
APART = "INTEROP_NETWORK_OF_ITS_OWN"


def apart():
    """Starts this program anew in a network of its own, where others can be made and cut. Wants root's rights, and says
    whether they are there."""
    if os.environ.get(APART):
        for words in (("link", "set", "lo", "up"), ("addr", "add", HERE, "dev", "lo")):
            run([program("ip", "iproute2"), *words])
        return True
    if not may_be_apart():
        return False
    program("iptables", "iptables")
    os.environ[APART] = "1"
    unshare = program("unshare", "util-linux")
    os.execv(unshare, [unshare, "--net", sys.executable, *sys.argv])


def enter(network):
    """This thread is in that network from now on; Python has it from 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    check(libc.setns(network.fileno(), 0) == 0, lambda: f"setns: {os.strerror(ctypes.get_errno())}")


def is_there(number):
    """Whether there is a machine of this number."""
    return os.path.exists(f"/sys/class/net/machine{number}")


def may_be_apart():
    """Whether this program may make networks: that wants root's rights."""
    unshare = program("unshare", "util-linux")
    return subprocess.run([unshare, "--net", "true"], stderr=subprocess.DEVNULL).returncode == 0


class Machine:
    """A machine that is only a network and a clock: an address of its own, and a cable to this one."""

    def __init__(self, number):
        self.number, self.link = number, f"machine{number}"
        self.near, self.far = f"10.77.{number}.1", f"10.77.{number}.2"
        self.ip, self.iptables = program("ip", "iproute2"), program("iptables", "iptables")
        # its monotonic clock began at another moment
        clock = ["--time", "--monotonic", str((number + 1) * 1_000_000)]
        self.holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", *clock, "sleep", "infinity"], stdin=subprocess.DEVNULL
        )
        own = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != own, "a network to be made")
        self.inside = [program("nsenter", "util-linux"), f"--net=/proc/{self.holder.pid}/ns/net"]
        self.inside.append(f"--time=/proc/{self.holder.pid}/ns/time_for_children")
        self.do("link", "add", self.link, "type", "veth", "peer", "name", "cable", "netns", self.holder.pid)
        self.do("addr", "add", f"{self.near}/24", "dev", self.link)
        self.do("link", "set", self.link, "up")
        self.do("link", "set", "lo", "up", there=True)
        self.do("addr", "add", f"{self.far}/24", "dev", "cable", there=True)
        self.plug()

    def do(self, *words, there=False):
        run([*(self.inside if there else []), self.ip, *words])

    def reaches(self, port):
        """From there a server on this machine's loopback is reached under `HERE`."""
        with open(f"/proc/sys/net/ipv4/conf/{self.link}/route_localnet", "w") as route:
            route.write("1")
        run([self.iptables, "-t", "nat", "-A", "PREROUTING", "-i", self.link, "-p", "tcp", "--dport", port,
             "-j", "DNAT", "--to", f"{HOST}:{port}"])

    def also(self, count):
        """So many addresses more over there, which this machine reaches."""
        self.do("route", "add", f"10.{self.number}.0.0/16", "dev", self.link)
        addresses = [f"10.{self.number}.{number // 250}.{number % 250 + 1}" for number in range(count)]
        lines = "".join(f"addr add {address}/32 dev cable\n" for address in addresses)
        subprocess.run([*self.inside, self.ip, "-batch", "-"], input=lines, text=True, check=True)
        return addresses

    @contextlib.contextmanager
    def there(self):
        """What sockets this thread makes meanwhile are in the network over there."""
        with open("/proc/thread-self/ns/net") as here, open(f"/proc/{self.holder.pid}/ns/net") as there:
            enter(there)
            try:
                yield
            finally:
                enter(here)

    def unplug(self):
        self.do("link", "set", "cable", "down", there=True)

    def plug(self):
        self.do("link", "set", "cable", "up", there=True)
        self.do("route", "add", "default", "via", self.near, there=True)

    def swallow(self, begin):
        """What goes to and fro is lost, and what sends it does not learn that; until this is ended."""
        for chain, way in (("INPUT", "-i"), ("OUTPUT", "-o")):
            run([self.iptables, "-I" if begin else "-D", chain, way, self.link, "-j", "DROP"])

    def stop(self):
        self.holder.kill()
        self.holder.wait()
