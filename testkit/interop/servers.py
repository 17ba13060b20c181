"""Real IMAP servers in scratch folders on loopback high ports: Dovecot, Cyrus, Courier.

`start(name)` gives an `Upstream`: ports (plain with STARTTLS, implicit TLS), certificates, one password for all
users, `create_user` and `deliver`. Nothing below /etc is read for settings or written; no service of the system is
started. They drop their rights to `nobody`, so they want root (or a container's root) to begin with.
"""

import contextlib
import json
import os
import pwd
import socket
import subprocess
import sys
import time
from pathlib import Path

from base import HERE, HOST, Certificates, Daemon, Failure, Missing, Scratch, check, free_port, program, unpacked
from base import UNPACKED, port_free, run, wait_until
from mailbox import Imap

NAMES = ("dovecot", "cyrus", "courier")
ACCOUNT = "nobody"


class Upstream:
    """What the servers have in common."""

    name = ""
    # the store is a Maildir that the harness may write to: bytes reach it that APPEND refuses
    maildir = False

    def __init__(self):
        if os.geteuid() != 0:
            raise Missing("the IMAP servers are started as root (they drop their rights): run as root or in a container")
        self.scratch = Scratch(self.name)
        self.folder = self.scratch.path
        self.password = "correct-horse"
        self.port = free_port()
        self.port_tls = free_port()
        self.certificates = Certificates(self.folder / "tls")
        account = pwd.getpwnam(ACCOUNT)
        self.uid, self.gid = account.pw_uid, account.pw_gid
        self.daemons = []

    def daemon(self, argv, log, **options):
        started = Daemon(argv, self.folder / log, **options)
        self.daemons.append(started)
        return started

    def own(self, path):
        """A folder of the account the server works as."""
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, self.uid, self.gid)
        return path

    def kill(self):
        """The server dies at once, as when a machine is switched off."""
        for daemon in self.daemons:
            daemon.kill()

    def stop(self):
        for daemon in reversed(self.daemons):
            daemon.stop(seconds=2)
        self.scratch.remove()

    def logs(self):
        return "\n".join(f"== {daemon.log.name}\n{daemon.tail()}" for daemon in self.daemons)

    def create_user(self, user):
        raise NotImplementedError

    def deliver(self, user, bodies):
        """New mail. Gives back the positions of those that the store refused."""
        with Imap(self, user) as imap:
            return [position for position, body in enumerate(bodies) if not imap.append(body)]

    def messages(self, user):
        with Imap(self, user, readonly=True) as imap:
            return imap.messages()

    def uids(self, user):
        with Imap(self, user, readonly=True) as imap:
            return [uid for uid, _ in imap.scan()]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class MaildirUpstream(Upstream):
    """Servers whose store is a Maildir: mail is delivered as any MDA does it, any byte allowed."""

    maildir = True

    def maildir_of(self, user):
        raise NotImplementedError

    def create_user(self, user):
        self.own(self.maildir_of(user).parent)
        for part in ("", "tmp", "new", "cur"):
            self.own(self.maildir_of(user) / part)

    @staticmethod
    def stored(body):
        """The form that a mail has in this server's Maildir."""
        return body

    def deliver(self, user, bodies):
        """Written to the store directly, as new mail that no one has seen."""
        target = self.maildir_of(user)
        # the servers take the order from the names: one number throughout, of one length
        seconds, rest = divmod(time.time_ns(), 1_000_000_000)
        for position, body in enumerate(bodies):
            name = f"{seconds}.M{rest:09}Q{position:06}P{os.getpid()}.interop"
            temporary = target / "tmp" / name
            temporary.write_bytes(self.stored(body))
            os.chown(temporary, self.uid, self.gid)
            temporary.rename(target / "new" / name)
        return []


class Dovecot(MaildirUpstream):
    """Dovecot 2.3 with IMAP, and its own POP3 server, which the harness is validated against."""

    name = "dovecot"
    awkward_user = "jane doe"
    awkward_password = 'two  words "quoted" \\ gr\u00fc\u00df'

    def __init__(self, options=""):
        super().__init__()
        binary = program("dovecot", "dovecot-imapd dovecot-pop3d")
        self.port_pop3 = free_port()
        self.port_pop3s = free_port()
        self.config = self.folder / "dovecot.conf"
        self.users = self.folder / "users"
        # a user whose password is hard to quote; all others have the common one
        self.users.write_text(f"{self.awkward_user}:{{PLAIN}}{self.awkward_password}\n")
        self.own(self.folder / "mail")
        for part in ("run", "state"):
            (self.folder / part).mkdir()
        self.config.write_text(f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/dovecot.log
protocols = imap pop3
listen = {HOST}
instance_name = {self.folder.name}
ssl = yes
ssl_cert = <{self.certificates.certificate}
ssl_key = <{self.certificates.key}
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = no
login_trusted_networks = 127.0.0.0/8
auth_mechanisms = plain login
auth_failure_delay = 0
auth_username_chars =
auth_verbose = yes
first_valid_uid = 1
mail_location = maildir:{self.folder}/mail/%u/Maildir
mail_fsync = never
mail_max_userip_connections = 200
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {self.users}
  result_failure = continue
}}
passdb {{
  driver = static
  args = password={self.password}
}}
userdb {{
  driver = static
  args = uid={self.uid} gid={self.gid} home={self.folder}/mail/%u allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  mailbox Trash {{
    special_use = \\Trash
    auto = create
  }}
}}
service anvil {{
  chroot =
  # no delays of its own for wrong passwords: the gateway's are looked at
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  process_min_avail = 1
  inet_listener imap {{
    port = {self.port}
  }}
  inet_listener imaps {{
    port = {self.port_tls}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {self.port_pop3}
  }}
  inet_listener pop3s {{
    port = {self.port_pop3s}
    ssl = yes
  }}
}}
service stats {{
  chroot =
}}
protocol imap {{
  # everything is allowed to the owner where no dovecot-acl says otherwise
  mail_plugins = acl
}}
plugin {{
  acl = vfile
}}
protocol pop3 {{
  pop3_uidl_format = %v.%u
  pop3_no_flag_updates = yes
  pop3_lock_session = yes
}}
{options}
""")
        self.binary = binary
        self.restart()

    def restart(self):
        self.daemons.clear()
        # a login process that was killed holds them for a moment longer than the master
        ports = (self.port, self.port_tls, self.port_pop3, self.port_pop3s)
        wait_until(lambda: all(port_free(port, again=True) for port in ports), "what was killed to leave its ports", seconds=60)
        daemon = self.daemon([self.binary, "-F", "-c", self.config], "stdout.log")
        daemon.wait_port(self.port)
        wait_until(self.greets, "Dovecot's greeting")

    def greets(self):
        """The port is open before the server can answer."""
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 5.0) as link:
            return link.recv(100).startswith(b"* OK")
        return False

    def kill(self):
        # the master is in our process group, its children are in it as well
        super().kill()
        for left in ("run/master.pid",):
            (self.folder / left).unlink(missing_ok=True)

    def maildir_of(self, user):
        return self.folder / "mail" / user / "Maildir"

    def connections_of(self, user):
        """How many connections this user is logged in on now."""
        who = [program("doveadm", "dovecot-core"), "-c", self.config, "-f", "tab", "who", "-1", user]
        return len(run(who).stdout.decode().splitlines()[1:])

    def logs(self):
        path = self.folder / "dovecot.log"
        return path.read_text(errors="replace")[-2000:] if path.exists() else super().logs()


class Cyrus(Upstream):
    """Cyrus 3.6, users in a SASL database of its own, mailboxes made by IMAP as the administrator."""

    name = "cyrus"
    admin = "admin"

    def __init__(self):
        super().__init__()
        master = unpacked("usr/lib/cyrus/bin/master", "cyrus-common")
        binaries = master.parent
        unpacked("usr/lib/cyrus/bin/imapd", "cyrus-imapd")
        self.saslpasswd = unpacked("usr/sbin/saslpasswd2", "sasl2-bin")
        os.chown(self.folder, self.uid, self.gid)
        for part in ("conf", "conf/db", "conf/log", "conf/msg", "conf/socket", "conf/proc", "conf/lock", "spool", "sasl"):
            self.own(self.folder / part)
        self.config = self.folder / "imapd.conf"
        self.config.write_text(f"""
configdirectory: {self.folder}/conf
proc_path: {self.folder}/conf/proc
mboxname_lockpath: {self.folder}/conf/lock
idlesocket: {self.folder}/conf/socket/idle
notifysocket: {self.folder}/conf/socket/notify
lmtpsocket: {self.folder}/conf/socket/lmtp
defaultpartition: default
partition-default: {self.folder}/spool
cyrus_user: {ACCOUNT}
cyrus_group: nogroup
servername: localhost
admins: {self.admin}
altnamespace: yes
unixhierarchysep: yes
allowplaintext: yes
allowanonymouslogin: no
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {self.folder}/sasl/sasldb2
sasl_mech_list: PLAIN LOGIN
sasl_log_level: 1
tls_server_cert: {self.certificates.certificate}
tls_server_key: {self.certificates.key}
tls_client_ca_file: {self.certificates.ca}
maxlogins_per_host: 0
maxlogins_per_user: 0
failedloginpause: 0
conversations: no
""")
        services = self.folder / "cyrus.conf"
        services.write_text(f"""
START {{
  recover cmd="{binaries}/ctl_cyrusdb -C {self.config} -r"
}}
SERVICES {{
  imap  cmd="{binaries}/imapd -C {self.config} -U 30" listen="{HOST}:{self.port}" prefork=1 maxchild=100
  imaps cmd="{binaries}/imapd -C {self.config} -s -U 30" listen="{HOST}:{self.port_tls}" prefork=1 maxchild=100
}}
EVENTS {{
  checkpoint cmd="{binaries}/ctl_cyrusdb -C {self.config} -c" period=120
}}
""")
        self.environment = dict(
            os.environ,
            LD_LIBRARY_PATH=str(UNPACKED / "usr/lib/x86_64-linux-gnu"),
            CYRUS_VERBOSE="0",
        )
        self.add_password(self.admin)
        self.daemon(
            # it would drop its rights itself, but then forget that it is to end with the harness
            ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "--pdeathsig=TERM"]
            + [master, "-C", self.config, "-M", services, "-p", self.folder / "master.pid"],
            "stdout.log",
            env=self.environment,
        ).wait_port(self.port)

    def add_password(self, user):
        database = self.folder / "sasl" / "sasldb2"
        done = subprocess.run(
            [str(self.saslpasswd), "-p", "-c", "-f", str(database), "-u", "localhost", user],
            input=self.password.encode(),
            capture_output=True,
            timeout=30,
        )
        check(done.returncode == 0, f"saslpasswd2 failed: {done.stderr!r}")
        os.chown(database, self.uid, self.gid)

    def create_user(self, user):
        self.add_password(user)
        with Imap(self, self.admin, mailbox=None) as imap:
            imap.done(imap.link.create(f"user/{user}"))


class Courier(MaildirUpstream):
    """Courier IMAP with an authentication daemon of the harness's own (authdaemon.py).

    Courier has a socket's path below /run and an account compiled in. Everything therefore runs in a mount
    namespace of its own (`unshare -m`), where both exist: the system itself is left alone.
    """

    name = "courier"

    def __init__(self):
        super().__init__()
        tcpd = unpacked("usr/sbin/couriertcpd", "courier-base")
        tls = unpacked("usr/bin/couriertls", "courier-base")
        login = unpacked("usr/lib/courier/courier/imaplogin", "courier-imap")
        imapd = unpacked("usr/bin/imapd", "courier-imap")
        unpacked("usr/lib/libcourierauth.so.0", "courier-authlib")
        self.own(self.folder / "mail")
        capability = "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE"
        settings = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LD_LIBRARY_PATH": f"{UNPACKED}/usr/lib:{UNPACKED}/usr/lib/x86_64-linux-gnu",
            "PROTOCOL": "IMAP",
            "ADDRESS": HOST,
            "IMAP_CAPABILITY": capability,
            "IMAP_CAPABILITY_TLS": f"{capability} AUTH=PLAIN",
            "IMAP_CAPABILITY_ORIG": capability,
            "IMAP_CAPABILITY_TLS_ORIG": f"{capability} AUTH=PLAIN",
            "IMAP_KEYWORDS": "1",
            "IMAP_ACL": "0",
            "IMAP_IDLE_TIMEOUT": "60",
            "IMAP_MAILBOX_SANITY_CHECK": "0",
            "IMAP_UMASK": "022",
            "IMAP_USELOCKS": "1",
            "IMAP_ENHANCEDIDLE": "0",
            "IMAP_TRASHFOLDERNAME": "Trash",
            "IMAP_EMPTYTRASH": "Trash:7",
            "IMAP_MOVE_EXPUNGE_TO_TRASH": "0",
            "IMAPDSTARTTLS": "YES",
            "IMAP_TLS_REQUIRED": "0",
            "COURIERTLS": str(tls),
            "TLS_CERTFILE": str(self.certificates.both),
            "TLS_VERIFYPEER": "NONE",
            "MAILDIRPATH": "Maildir",
        }
        limits = ["-maxprocs=100", "-maxperip=100", "-nodnslookup", "-noidentlookup", f"-address={HOST}"]
        imap = [tcpd, *limits, self.port, login, imapd, "Maildir"]
        imaps = [tcpd, *limits, self.port_tls, tls, "-server", "-tcpd", f"-user={ACCOUNT}", login, imapd, "Maildir"]
        plain = {**settings, "IMAP_STARTTLS": "YES", "IMAP_TLS": "0"}
        wrapped = {**settings, "IMAP_STARTTLS": "NO", "IMAP_TLS": "1"}
        if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
            raise Failure(
                "Courier needs a mount namespace (paths below /run and an account are compiled into it): "
                "`unshare -m true` must work, in a container with --cap-add SYS_ADMIN"
            )
        # the launcher holds the namespace; its process group holds all daemons
        launcher = ["unshare", "-m", sys.executable, HERE / "courier_launcher.py"]
        plan = self.folder / "plan.json"
        plan.write_text(
            json.dumps(
                {
                    "auth": {
                        "password": self.password,
                        "mail": str(self.folder / "mail"),
                        "uid": self.uid,
                        "gid": self.gid,
                    },
                    "daemons": [[list(map(str, imap)), plain], [list(map(str, imaps)), wrapped]],
                }
            )
        )
        self.daemon([*launcher, plan], "courier.log").wait_port(self.port)
        self.daemons[0].wait_port(self.port_tls)

    @staticmethod
    def stored(body):
        # Courier makes CRLF of every LF, so that CRLF in a file goes out as CR CR LF: an MDA writes LF
        return body.replace(b"\r\n", b"\n")

    def maildir_of(self, user):
        return self.folder / "mail" / user / "Maildir"


def start(name, **options):
    return {"dovecot": Dovecot, "cyrus": Cyrus, "courier": Courier}[name](**options)


def _main():
    """By hand: `servers.py dovecot` starts one with a user `alice` and keeps it until return is pressed."""
    with start(sys.argv[1]) as upstream:
        upstream.create_user("alice")
        upstream.deliver("alice", [b"Subject: hello\r\n\r\nfirst mail\r\n"])
        print(f"{upstream.name}: imap {HOST}:{upstream.port} (STARTTLS too), imaps {HOST}:{upstream.port_tls}")
        print(f"CA {upstream.certificates.ca}; user alice, password {upstream.password!r}; folder {upstream.folder}")
        input("return ends it ")


if __name__ == "__main__":
    _main()
