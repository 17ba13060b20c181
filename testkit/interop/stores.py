"""Stores in the place of IMAP servers: folders and real databases, filled and looked at past the gateway.

Each has what the matrix asks of a server: users, delivery, and the messages as they are stored. Mail gets into a
folder as any delivery agent puts it there, and into a database by the gateway's own tool; what is there afterwards is
read from the files or with the database's own client. The databases run as the users of their packages, which wants
root, and are reached through Unix sockets alone.
"""

import glob
import itertools
import os
import pwd
import re
import shutil
import sqlite3
import threading
import time

from base import Certificates, Daemon, Missing, Scratch, check, is_worked_in, program, run, wait_until
from mailbox import Message

NAMES = ("maildir", "directory", "sqlite", "mariadb", "postgresql")


class Store:
    """What stores have in common."""

    name = ""
    securities = ("plain",)
    # whether a session's deletions happen all or not at all
    atomic = False
    # none is an IMAP server
    port = port_tls = None

    def __init__(self, binary):
        self.binary = binary
        self.scratch = Scratch(self.name)
        self.folder = self.scratch.path
        self.password = "correct-horse"
        self.certificates = Certificates(self.folder / "tls")
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.config = self.folder / "store.toml"

    def ready(self):
        """The tools want a configuration of their own; a listener has to be in it."""
        self.config.write_text(f'[[listener]]\nlisten = "127.0.0.1:1"\n{self.table()}')
        return self

    def table(self):
        """`[[store]]` of a configuration."""
        raise NotImplementedError

    def tool(self, *words, stdin=b"", seconds=120):
        argv = [self.binary, *words[:2], "--config", self.config, *words[2:]]
        return run(argv, stdin=None, input=stdin, timeout=seconds).stdout.decode()

    def create_user(self, user):
        self.tool("account", "add", "--password-stdin", user, stdin=self.password.encode())

    def fill(self, user, body, count):
        """Many messages at once, as fast as can be."""
        raise NotImplementedError

    def take(self, user, path):
        """A large message, whose file goes."""
        raise NotImplementedError

    def uids(self, user):
        return [message.uid for message in self.messages(user)]

    def settled(self, user):
        """The messages, when nothing moves any more."""
        return self.messages(user)

    def stop(self):
        self.scratch.remove()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Folders(Store):
    """A folder for each account."""

    def fill_more(self, user, body, count):
        self.deliver(user, [body] * count)

    kind = ""
    inside = ""

    def table(self):
        return (
            f'[[store]]\nname = "{self.name}"\nkind = "{self.kind}"\npath = "{self.folder}/mail"\nusers = "each"\n'
            f'accounts = "{self.folder}/users"\n'
        )

    def home(self, user):
        return self.folder / "mail" / user

    def ready(self):
        (self.folder / "mail").mkdir()
        return super().ready()

    def deliver(self, user, bodies):
        for body in bodies:
            with self.lock:
                number = next(self.numbers)
            draft = self.folder / f"draft.{number}"
            draft.write_bytes(body)
            # the time that counts is the name's in a Maildir, and the file's in a plain directory
            os.utime(draft, (1_700_000_000 + number,) * 2)
            draft.rename(self.home(user) / self.inside / self.called(number))
        return []

    def fill(self, user, body, count):
        for number in range(1, count + 1):
            path = self.home(user) / self.inside / self.called(number)
            path.write_bytes(body)
            os.utime(path, (1_700_000_000 + number,) * 2)

    def take(self, user, path):
        path.rename(self.home(user) / self.inside / self.called(1))

    def messages(self, user):
        found = []
        for part in self.parts:
            for path in (self.home(user) / part).iterdir():
                if path.is_file() and not path.name.startswith((".", "pop3-gateway")):
                    name, _, flags = path.name.partition(":2,")
                    found.append(Message(self.number(name), (part, flags), path.read_bytes()))
        return sorted(found, key=lambda message: message.uid)


class Maildir(Folders):
    name = kind = "maildir"
    parts = ("new", "cur", "tmp")
    inside = "new"

    def called(self, number):
        return f"{1_700_000_000 + number}.Q{number}.host"

    def number(self, name):
        return int(name.split(".")[0]) - 1_700_000_000


class Directory(Folders):
    name = kind = "directory"
    parts = ("",)

    def table(self):
        return super().table() + 'settle = "0s"\nsuffix = ".eml"\n'

    def called(self, number):
        return f"{number}.eml"

    def number(self, name):
        return int(name.removesuffix(".eml"))


class Database(Store):
    """The tool's own tables."""

    url = ""
    atomic = True

    def fill_more(self, user, body, count):
        check(user.replace("-", "").isalnum(), f"{user!r} is not a name for a query")
        name = f"concat('{user}.', n)"
        messages = f"select '{user}', {name}, {len(body)}, 1, 1700000000 from series"
        into = "insert into pop3_messages (account, unique_id, size, pieces, received)"
        self.do(f"{into} {self.series(count, messages)}")
        self.do(f"insert into pop3_pieces select id, 0, {self.octets(body)} from pop3_messages m "
                f"where account = '{user}' and not exists (select 1 from pop3_pieces p where p.message = m.id)")

    def settled(self, user):
        # the database finds out that its client is gone, and takes back what was not committed
        found = self.messages(user)
        while True:
            time.sleep(0.2)
            again = self.messages(user)
            if again == found:
                return found
            found = again

    def table(self):
        return f'[[store]]\nname = "{self.name}"\nkind = "sql"\nurl = "{self.url}"\n'

    def ready(self):
        super().ready()
        self.tool("store", "migrate")
        return self

    def deliver(self, user, bodies):
        for body in bodies:
            self.tool("message", "add", "--unchecked", "--user", user, stdin=body)
        return []

    def fill(self, user, body, count):
        check(user.replace("-", "").isalnum(), f"{user!r} is not a name for a query")
        size = len(body) + body.count(b"\n")
        messages = f"select '{user}', concat('many', n), {size}, 1, 1700000000 from series"
        into = "insert into pop3_messages (account, unique_id, size, pieces, received)"
        self.do(f"{into} {self.series(count, messages)}")
        self.do(f"insert into pop3_pieces select id, 0, {self.octets(body)} from pop3_messages")

    def take(self, user, path):
        self.tool("message", "add", "--unchecked", "--user", user, path, seconds=1800)
        path.unlink()

    def series(self, count, query):
        """A query over the numbers from 1 on, as `n` of `series`."""
        numbers = f"with recursive series(n) as (select 1 union all select n + 1 from series where n < {count})"
        return f"{numbers} {query}"

    def octets(self, body):
        return f"x'{body.hex()}'"

    def messages(self, user):
        check(user.replace("-", "").isalnum(), f"{user!r} is not a name for a query")
        bodies = {}
        for unique_id, octets in self.rows(
            "select m.unique_id, {hex} from pop3_messages m left join pop3_pieces p on p.message = m.id "
            f"where m.account = '{user}' order by m.id, p.seq"
        ):
            bodies[unique_id] = bodies.get(unique_id, b"") + octets
        return [Message(unique_id, (), body) for unique_id, body in bodies.items()]

    def rows(self, query):
        raise NotImplementedError


class Sqlite(Database):
    name = "sqlite"

    def __init__(self, binary):
        super().__init__(binary)
        self.path = self.folder / "mail.db"
        self.url = f"sqlite://{self.path}"

    def do(self, query):
        link = sqlite3.connect(self.path, timeout=60)
        with link:
            link.execute(re.sub(r"concat\(('[^']*'), n\)", r"\1 || n", query))
        link.close()

    def rows(self, query):
        link = sqlite3.connect(self.path, timeout=60)
        try:
            return [(name, octets or b"") for name, octets in link.execute(query.replace("{hex}", "p.data"))]
        finally:
            link.close()


class Server(Database):
    """A server of its own in a scratch folder."""

    account = ""

    def __init__(self, binary):
        if os.geteuid() != 0:
            raise Missing("the databases are started as root (they drop their rights): run as root or in a container")
        super().__init__(binary)
        self.data = self.folder / "data"
        self.data.mkdir()
        entry = pwd.getpwnam(self.account)
        os.chown(self.data, entry.pw_uid, entry.pw_gid)
        self.rights = ["setpriv", "--reuid", self.account, "--regid", self.account, "--clear-groups"]
        self.install()
        self.resume()
        self.create()

    def pause(self):
        """As when its machine is switched off."""
        self.daemon.kill()
        # PostgreSQL's workers are in groups of their own; they go when they see that the postmaster is gone
        wait_until(lambda: not is_worked_in(self.data), f"what {self.name} left behind to end", seconds=60)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def resume(self):
        self.daemon = Daemon([*self.rights, *self.command()], self.folder / "server.log", cwd=self.data)
        wait_until(self.answers, f"{self.name} to answer, see {self.folder}/server.log", seconds=60)

    def stop(self):
        self.daemon.stop(seconds=20)
        super().stop()

    def answers(self):
        check(self.daemon.alive(), lambda: f"{self.name} ended:\n{self.daemon.tail()}")
        return run(self.client("select 1"), check_status=False).returncode == 0

    def do(self, query):
        run(self.client(query, "pop3"), timeout=600)

    def rows(self, query):
        for line in run(self.client(query, "pop3")).stdout.decode().splitlines():
            unique_id, _, octets = line.partition("\t")
            yield unique_id, bytes.fromhex("" if octets == "NULL" else octets)


class MariaDb(Server):
    name = "mariadb"
    account = "mysql"

    def install(self):
        install = program("mariadb-install-db", "mariadb-server")
        options = ["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", f"--datadir={self.data}"]
        run([*self.rights, install, *options], cwd=self.data)
        self.socket = self.data / "socket"
        self.url = f"mysql://root@localhost/pop3?socket={self.socket}"

    def command(self):
        return [
            program("mariadbd", "mariadb-server"), "--no-defaults", "--skip-networking", "--innodb-buffer-pool-size=64M",
            f"--datadir={self.data}", f"--tmpdir={self.data}", f"--socket={self.socket}", f"--pid-file={self.data}/pid",
        ]

    def client(self, query, database="mysql"):
        query = query.replace("{hex}", "hex(p.data)")
        return [program("mariadb", "mariadb-client"), "--no-defaults", "-uroot", f"-S{self.socket}", "-NB", "-e", query, database]

    def create(self):
        run(self.client("create database pop3 character set utf8mb4"))

    def series(self, count, query):
        return query.replace("from series", f"from (select seq as n from seq_1_to_{count}) series")


class Postgresql(Server):
    name = "postgresql"
    account = "postgres"

    @staticmethod
    def program(name):
        # Debian keeps them out of the path
        found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
        return found[-1] if found else shutil.which(name) or program(name, "postgresql")

    def install(self):
        options = ["-A", "trust", "-U", "test", "-E", "UTF8", "--no-locale", "--no-sync", "-D", self.data]
        run([*self.rights, self.program("initdb"), *options], cwd=self.data)
        self.url = f"postgres://test@localhost/pop3?host={self.data}"

    def command(self):
        return [self.program("postgres"), "-D", self.data, "-k", self.data, "-c", "listen_addresses=", "-c", "fsync=off"]

    def client(self, query, database="postgres"):
        query = query.replace("{hex}", "encode(p.data, 'hex')")
        return [program("psql", "postgresql-client"), "-h", self.data, "-U", "test", "-AtXF", "\t", "-c", query, database]

    def create(self):
        run(self.client("create database pop3"))

    def octets(self, body):
        return f"'\\x{body.hex()}'::bytea"


def start(name, binary):
    kinds = {kind.name: kind for kind in (Maildir, Directory, Sqlite, MariaDb, Postgresql)}
    return kinds[name](binary).ready()
