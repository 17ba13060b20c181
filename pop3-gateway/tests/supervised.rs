//! The program under a service manager, which a test plays here: what it tells, and what it takes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_pop3-gateway");

/// How long anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program that runs, and ends with the test.
struct Running(Child);

impl Running {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Asks it to end, and waits for that.
    fn ends(self) {
        self.signal(Signal::TERM);
        self.has_ended();
    }

    /// Waits for the end that it was asked for.
    fn has_ended(mut self) {
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn config(folder: &Path, runtime: &str, listen: &str) -> std::path::PathBuf {
    let file = folder.join("gateway.toml");
    let text = format!(
        "runtime = \"{runtime}\"\n[[listener]]\nname = \"pop3\"\nlisten = \"{listen}\"\n\
         [[upstream]]\nname = \"main\"\nurl = \"imap://127.0.0.1:1\"\n"
    );
    fs::write(&file, text).unwrap();
    file
}

fn serve(file: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--config"]).arg(file);
    command.env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

fn runtimes() -> Vec<&'static str> {
    let built = [
        ("tokio", cfg!(feature = "tokio")),
        ("smol", cfg!(feature = "smol")),
    ];
    let built = built.into_iter().filter(|(_, is_built)| *is_built);
    built.map(|(name, _)| name).collect()
}

/// The socket of a service manager.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, folder }
    }

    /// The next message, but for those that say no more than that it lives.
    fn told(&self) -> Vec<String> {
        loop {
            let told = self.next();
            if told != ["WATCHDOG=1"] {
                return told;
            }
        }
    }

    fn next(&self) -> Vec<String> {
        let mut octets = [0; 4096];
        let length = self.socket.recv(&mut octets).expect("a message in time");
        let text = std::str::from_utf8(&octets[..length]).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn the_service_manager_hears_of_every_change() {
    for runtime in runtimes() {
        let manager = Manager::new();
        let file = config(manager.folder.path(), runtime, "127.0.0.1:0");
        let child = serve(&file)
            .env("NOTIFY_SOCKET", manager.folder.path().join("notify"))
            .env("WATCHDOG_USEC", "200000")
            .stderr(Stdio::null())
            .spawn();
        let running = Running(child.unwrap());
        assert_eq!(manager.told(), ["READY=1", "STATUS=serving"]);
        // it goes on saying so, and stops when the process has no turn
        for _ in 0..3 {
            assert_eq!(manager.next(), ["WATCHDOG=1"]);
        }
        for (more, status) in [("", "was reloaded"), ("[nonsense]\n", "was not reloaded")] {
            let mut text = File::options().append(true).open(&file).unwrap();
            text.write_all(more.as_bytes()).unwrap();
            running.signal(Signal::HUP);
            let told = manager.told();
            assert_eq!(told[0], "RELOADING=1");
            let micros = told[1].strip_prefix("MONOTONIC_USEC=").unwrap();
            assert!(micros.parse::<u64>().unwrap() > 0);
            let told = manager.told();
            assert_eq!(told[0], "READY=1");
            assert!(told[1].contains(status), "{told:?}");
        }
        running.signal(Signal::TERM);
        assert_eq!(manager.told()[0], "STOPPING=1");
        running.has_ended();
    }
}

/// The command that prints the key sends it, long before the gateway serves.
#[cfg(feature = "oauth")]
#[test]
fn a_reload_that_is_asked_for_during_the_start_comes_after_it() {
    for runtime in runtimes() {
        let manager = Manager::new();
        let folder = manager.folder.path();
        let file = config(folder, runtime, "127.0.0.1:0");
        let octets: Vec<u8> = (0..32).collect();
        fs::write(folder.join("key"), octets).unwrap();
        let key = folder.join("key").display().to_string();
        let command =
            format!("test -e {key}.asked || kill -HUP $PPID; touch {key}.asked; cat {key}");
        let state = format!(
            "[state]\nurl = \"sqlite:state.db\"\nkey_command = [\"sh\", \"-c\", {command:?}]\n"
        );
        fs::write(&file, fs::read_to_string(&file).unwrap() + &state).unwrap();
        let mut command = serve(&file);
        command.env("NOTIFY_SOCKET", folder.join("notify"));
        let running = Running(command.stderr(Stdio::null()).spawn().unwrap());
        assert_eq!(manager.told()[0], "READY=1", "{runtime}");
        assert_eq!(manager.told()[0], "RELOADING=1", "{runtime}");
        assert_eq!(manager.told()[0], "READY=1", "{runtime}");
        running.ends();
    }
}

#[test]
fn without_a_watchdog_it_says_nothing_of_living() {
    let manager = Manager::new();
    let file = config(manager.folder.path(), runtimes()[0], "127.0.0.1:0");
    let child = serve(&file)
        .env("NOTIFY_SOCKET", manager.folder.path().join("notify"))
        // another process is meant
        .envs([("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")])
        .stderr(Stdio::null())
        .spawn();
    let running = Running(child.unwrap());
    assert_eq!(manager.next(), ["READY=1", "STATUS=serving"]);
    running.signal(Signal::TERM);
    assert_eq!(manager.next()[0], "STOPPING=1");
    running.has_ended();
}

/// `command` with this socket as the one that the manager passes.
fn passing(command: &Command, socket: &TcpListener, name: &str) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args([
            "-c",
            "exec 3<&0 </dev/null; LISTEN_PID=$$ exec \"$@\"",
            "sh",
        ])
        .arg(command.get_program())
        .args(command.get_args())
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDNAMES", name)
        .stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap())));
    shell
}

/// The service manager's socket stays open between two processes: who connects meanwhile is served by the second.
#[test]
fn a_restart_refuses_nobody() {
    for runtime in runtimes() {
        let folder = tempfile::tempdir().unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let file = config(folder.path(), runtime, &address.to_string());
        let start = |name| {
            let child = passing(&serve(&file), &socket, name)
                .stderr(Stdio::null())
                .spawn();
            Running(child.unwrap())
        };
        let greeted = |stream: &TcpStream| {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).unwrap();
            assert!(line.starts_with("+OK"), "{line:?}");
        };
        // before there is any process
        let early = TcpStream::connect(address).unwrap();
        let first = start("pop3");
        greeted(&early);
        first.ends();
        let between = TcpStream::connect(address).unwrap();
        let second = start("a-name-of-no-listener");
        greeted(&between);
        second.ends();
    }
}

/// A reload takes what a start would take: the service manager keeps its socket open, and clients would wait there.
#[test]
fn a_reload_keeps_the_sockets_of_the_service_manager() {
    for runtime in runtimes() {
        let manager = Manager::new();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let file = config(manager.folder.path(), runtime, &address.to_string());
        let child = passing(&serve(&file), &socket, "pop3")
            .env("NOTIFY_SOCKET", manager.folder.path().join("notify"))
            .stderr(Stdio::null())
            .spawn();
        let running = Running(child.unwrap());
        assert_eq!(manager.told()[0], "READY=1");
        for (listen, status) in [
            ("127.0.0.2:0".to_owned(), "was not reloaded"),
            (format!("{address}\", \"127.0.0.2:0"), "was reloaded"),
        ] {
            let listen = format!("[\"{listen}\"]");
            let text = fs::read_to_string(&file).unwrap();
            let line = text
                .lines()
                .find(|line| line.starts_with("listen"))
                .unwrap();
            fs::write(&file, text.replace(line, &format!("listen = {listen}"))).unwrap();
            running.signal(Signal::HUP);
            assert_eq!(manager.told()[0], "RELOADING=1");
            let told = manager.told();
            assert!(told[1].contains(status), "{told:?}");
            let stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).unwrap();
            assert!(line.starts_with("+OK"), "{line:?}");
        }
        running.ends();
    }
}

#[test]
fn sockets_that_nothing_wants_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let said = |listen: &str, name: &str| {
        let file = config(folder.path(), runtimes()[0], listen);
        let done = passing(&serve(&file), &socket, name).output().unwrap();
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    let (code, text) = said("127.0.0.1:0", "pop3");
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("passed the socket \"pop3\" at 127.0.0.1:"),
        "{text}"
    );
    // the name of a listener that is not at this address
    let address = socket.local_addr().unwrap().to_string();
    let file = config(folder.path(), runtimes()[0], &address);
    let text = fs::read_to_string(&file).unwrap();
    let other = "[[listener]]\nname = \"other\"\nlisten = \"127.0.0.1:0\"\n";
    fs::write(
        &file,
        text.replace("[[upstream]]", &format!("{other}[[upstream]]")),
    )
    .unwrap();
    let done = passing(&serve(&file), &socket, "other").output().unwrap();
    assert!(!done.status.success());
    // not a socket
    let file = config(folder.path(), runtimes()[0], "127.0.0.1:0");
    let mut command = passing(&serve(&file), &socket, "pop3");
    let done = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(2), "{text}");
    assert!(text.contains("is not a TCP socket that listens"), "{text}");
}

#[test]
fn the_journal_gets_priorities_and_no_second_time() {
    let folder = tempfile::tempdir().unwrap();
    let log = File::create(folder.path().join("log")).unwrap();
    let own = log.metadata().unwrap();
    let stream = format!("{}:{}", own.dev(), own.ino());
    let address = free_address();
    let file = config(folder.path(), runtimes()[0], &address.to_string());
    let lines = |stream: &str, format: &str| {
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split("[log]").next().unwrap().to_owned();
        fs::write(&file, format!("{text}[log]\nformat = \"{format}\"\n")).unwrap();
        log.set_len(0).unwrap();
        let out = File::options().append(true).open(folder.path().join("log"));
        let child = serve(&file)
            .env("JOURNAL_STREAM", stream)
            .stderr(out.unwrap())
            .spawn();
        let running = Running(child.unwrap());
        let begin = std::time::Instant::now();
        let mut client = loop {
            match TcpStream::connect(address) {
                Ok(client) => break client,
                Err(_) => assert!(begin.elapsed() < PATIENCE),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        // the socket is there before the signals are
        client.read_exact(&mut [0; 3]).unwrap();
        running.ends();
        let mut text = String::new();
        File::open(folder.path().join("log"))
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let journal = lines(&stream, "human");
    assert!(
        journal
            .iter()
            .any(|line| line.starts_with("<6> INFO listening")),
        "{journal:?}"
    );
    assert!(
        journal
            .iter()
            .all(|line| line.starts_with(['<']) && !line.contains("Z ")),
        "{journal:?}"
    );
    let json = lines(&stream, "json");
    assert!(
        json.iter()
            .all(|line| line.starts_with('<') && line.get(3..4) == Some("{")),
        "{json:?}"
    );
    assert!(!json.concat().contains("\"timestamp\""), "{json:?}");
    // another stream than its own: a file, where the time is wanted
    let file = lines("1:1", "human");
    assert!(
        file.iter()
            .all(|line| line.contains("Z ") && !line.starts_with('<')),
        "{file:?}"
    );
    // what it dies of
    let mut wrong = serve(Path::new("/nowhere.toml"));
    let out = File::options().append(true).open(folder.path().join("log"));
    log.set_len(0).unwrap();
    wrong
        .env("JOURNAL_STREAM", &stream)
        .stderr(out.unwrap())
        .status()
        .unwrap();
    let text = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(text.starts_with("<3>pop3-gateway: "), "{text}");
}

/// An address that is free now.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

#[test]
fn credentials_are_files_of_the_service_manager() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("monitor"), "a secret of the unit\n").unwrap();
    let check = |name: &str, folder_is_there: bool| {
        let file = config(folder.path(), runtimes()[0], "127.0.0.1:0");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(
            &file,
            format!("{text}[monitor]\nuser = \"monitor\"\nsecret_file = \"{name}\"\n"),
        )
        .unwrap();
        let mut command = Command::new(PROGRAM);
        command
            .args(["check", "--config"])
            .arg(&file)
            .env_remove("CREDENTIALS_DIRECTORY");
        if folder_is_there {
            command.env("CREDENTIALS_DIRECTORY", &credentials);
        }
        let done = command.output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = check("credential:monitor", true);
    assert_eq!(code, Some(0), "{said}");
    for (name, is_there, part) in [
        ("credential:monitor", false, "has given no credentials"),
        ("credential:", true, "not the name of a credential"),
        ("credential:../x", true, "not the name of a credential"),
    ] {
        let (code, said) = check(name, is_there);
        assert_eq!(code, Some(2), "{said}");
        assert!(
            said.contains(part) && said.contains("LoadCredential="),
            "{said}"
        );
    }
}

/// As root, as in the gate: the process is another user's once it listens. Otherwise it says what it needs.
#[test]
fn rights_are_given_up_once_the_sockets_listen() {
    let folder = tempfile::tempdir().unwrap();
    let file = config(folder.path(), runtimes()[0], "127.0.0.1:0");
    let with = |arguments: &[&str]| {
        let mut command = serve(&file);
        command.args(arguments);
        command
    };
    let refused = |arguments: &[&str]| {
        let done = with(arguments).output().unwrap();
        assert_eq!(done.status.code(), Some(2));
        String::from_utf8(done.stderr).unwrap()
    };
    assert!(refused(&["--user", "no-such-user"]).contains("there is no user \"no-such-user\""));
    if !geteuid().is_root() {
        assert!(refused(&["--user", "nobody"]).contains("started as root"));
        return;
    }
    assert!(refused(&["--user", "root"]).contains("keep every right"));
    assert!(refused(&["--user", "nobody", "--group", "no-such-group"]).contains("no group"));
    let manager = Manager::new();
    for (arguments, ids) in [
        (vec!["--user", "nobody"], ("65534", "65534")),
        (vec!["--user", "65534", "--group", "1"], ("65534", "1")),
    ] {
        let notify = manager.folder.path().join("notify");
        // systemd's socket takes anybody's word
        fs::set_permissions(&notify, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        fs::set_permissions(
            manager.folder.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        let child = with(&arguments)
            .env("NOTIFY_SOCKET", &notify)
            .stderr(Stdio::null())
            .spawn();
        let running = Running(child.unwrap());
        assert_eq!(manager.told()[0], "READY=1");
        // every thread of it
        let tasks = format!("/proc/{}/task", running.0.id());
        for task in fs::read_dir(tasks).unwrap() {
            let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            let of = |key: &str| {
                let line = status.lines().find(|line| line.starts_with(key)).unwrap();
                line.split_whitespace()
                    .skip(1)
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(of("Uid:"), [ids.0; 4]);
            assert_eq!(of("Gid:"), [ids.1; 4]);
            assert!(of("Groups:").iter().all(|group| group == ids.1), "{status}");
            assert_eq!(of("CapEff:"), ["0000000000000000"]);
        }
        running.signal(Signal::TERM);
        assert_eq!(manager.told()[0], "STOPPING=1");
        running.has_ended();
    }
}
