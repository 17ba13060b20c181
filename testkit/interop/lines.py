"""Between machines that are not there: lines that are cut or slow, and networks of their own.

Owns relays in this process, and the namespaces that it made.
"""

import os
import queue
import socket
import subprocess
import sys
import threading
import time

from base import HOST, program, run, wait_until


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
    unshare = program("unshare", "util-linux")
    if subprocess.run([unshare, "--net", "true"], stderr=subprocess.DEVNULL).returncode:
        return False
    program("iptables", "iptables")
    os.environ[APART] = "1"
    os.execv(unshare, [unshare, "--net", sys.executable, *sys.argv])


class Machine:
    """A machine that is only a network and a clock: an address of its own, and a cable to this one."""

    def __init__(self, number):
        self.link = f"machine{number}"
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
