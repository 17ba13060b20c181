//! The gateway as a process in front of the testkit's IMAP server, and a client that remembers every
//! octet it received.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use testkit::imap_server::{Options, Server, Store};
use testkit::tcp::TcpHost;

/// Nothing takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the tests run on.
pub(crate) const RUNTIMES: [&str; 2] = ["tokio", "smol"];

/// An IMAP server with these users, whose passwords are their names.
pub(crate) fn imap(users: &[&str]) -> (Store, SocketAddr) {
    imap_with(users, Options::default())
}

/// The same with options. It runs for as long as the test does.
pub(crate) fn imap_with(users: &[&str], options: Options) -> (Store, SocketAddr) {
    let store = Store::new();
    for user in users {
        store.add_user(user, user);
    }
    let server = Server::new(store.clone(), options);
    let host = Box::leak(Box::new(TcpHost::start("127.0.0.1:0", server).unwrap()));
    (store, host.address())
}

/// A gateway that runs. Killed when dropped.
pub(crate) struct Gateway {
    child: Child,
    log: Receiver<serde_json::Value>,
    /// Where it listens, in the order of the configuration.
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Gateway {
    /// In front of this server, on a free port.
    pub(crate) fn serve(runtime: &str, imap: SocketAddr, more: &[&str]) -> Self {
        let upstream = format!("imap://{imap}");
        let mut arguments = vec!["--upstream", &upstream, "--listen", "127.0.0.1:0"];
        arguments.extend_from_slice(more);
        Self::start(runtime, 1, &arguments)
    }

    /// With these arguments, listening on this many sockets.
    pub(crate) fn start(runtime: &str, listeners: usize, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pop3-gateway"))
            .args(["serve", "--log", "json", "--runtime", runtime])
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (said, log) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let entry = serde_json::from_str(&line).unwrap_or(serde_json::Value::String(line));
                if said.send(entry).is_err() {
                    return;
                }
            }
        });
        let mut gateway = Self {
            child,
            log,
            addresses: Vec::new(),
        };
        for _ in 0..listeners {
            let entry = gateway.wait_for("listening");
            gateway
                .addresses
                .push(entry["address"].as_str().unwrap().parse().unwrap());
        }
        gateway
    }

    /// The next line of the log with this message.
    pub(crate) fn wait_for(&mut self, message: &str) -> serde_json::Value {
        self.wait_for_line(message, |entry| entry["message"] == message)
    }

    /// The next line of the log that is the one.
    pub(crate) fn wait_for_line(
        &mut self,
        wanted: &str,
        is_it: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let mut seen = Vec::new();
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.log.recv_timeout(left) {
                Ok(entry) if is_it(&entry) => return entry,
                Ok(entry) => seen.push(entry),
                Err(_) => panic!("the log never said {wanted:?}, but {seen:#?}"),
            }
        }
    }

    /// Cuts a client off and waits until its session has ended: only then is its maildrop free.
    pub(crate) fn cut(&mut self, client: Client) {
        let peer = client.address.to_string();
        drop(client);
        while self.wait_for("session ended")["peer"] != peer {}
    }

    /// Closes the reader of the log: a writer notices that after one line at most.
    pub(crate) fn close_log(&mut self) {
        let (_, nobody) = channel();
        self.log = nobody;
    }

    /// Connects and takes the greeting.
    pub(crate) fn connect(&self) -> Client {
        Client::greeted(self.open(0))
    }

    /// Connects to another listener through TLS, trusting this certificate alone.
    pub(crate) fn connect_tls(&self, listener: usize, certificate: &Path) -> io::Result<Client> {
        let stream = secured(self.open(listener), certificate)?;
        Ok(Client::greeted(stream))
    }

    /// Connects and starts TLS with STLS.
    pub(crate) fn connect_stls(&self, certificate: &Path) -> io::Result<Client> {
        let mut stream = self.open(0);
        stream.write_all(b"STLS\r\n")?;
        let mut answers = BufReader::new(&stream).lines();
        assert!(answers.next().unwrap()?.starts_with("+OK"), "the greeting");
        assert!(answers.next().unwrap()?.starts_with("+OK"), "STLS");
        Ok(Client::on(secured(stream, certificate)?))
    }

    fn open(&self, listener: usize) -> TcpStream {
        let stream = TcpStream::connect(self.addresses[listener]).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Connects and logs in; the user's name is the password.
    pub(crate) fn log_in(&self, user: &str) -> Client {
        let mut client = self.connect();
        assert_eq!(
            client.say(&format!("USER {user}")).split(' ').next(),
            Some("+OK")
        );
        let answer = client.say(&format!("PASS {user}"));
        assert!(answer.starts_with("+OK"), "{answer}");
        client
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How often this text stands in memory that it can write to.
    #[cfg(target_os = "linux")]
    pub(crate) fn remembers(&self, needle: &str) -> usize {
        use std::os::unix::fs::FileExt as _;
        let process = format!("/proc/{}", self.child.id());
        let memory = std::fs::File::open(format!("{process}/mem")).unwrap();
        let maps = std::fs::read_to_string(format!("{process}/maps")).unwrap();
        let mut found = 0;
        for map in maps.lines() {
            let mut fields = map.split(' ');
            let (from, to) = fields.next().unwrap().split_once('-').unwrap();
            if !fields.next().unwrap().starts_with("rw") {
                continue;
            }
            let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap());
            let mut octets = vec![0; usize::try_from(to - from).unwrap()];
            // page by page: the end of what was mapped a moment ago may have been given back meanwhile,
            // and what was never touched cannot always be read
            for (page, at) in octets.chunks_mut(4096).zip((from..).step_by(4096)) {
                let _ = memory.read_exact_at(page, at);
            }
            found += String::from_utf8_lossy(&octets).matches(needle).count();
        }
        found
    }

    /// What it has written to standard output, once it has ended.
    pub(crate) fn shown(&mut self) -> String {
        let mut shown = String::new();
        let output = self.child.stdout.take();
        output.unwrap().read_to_string(&mut shown).unwrap();
        shown
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "the gateway does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection, clear or not.
trait Stream: Read + Write + Send {
    /// Its own, as the gateway's log tells it.
    fn address(&self) -> SocketAddr;
}

impl Stream for TcpStream {
    fn address(&self) -> SocketAddr {
        self.local_addr().unwrap()
    }
}

impl Stream for StreamOwned<ClientConnection, TcpStream> {
    fn address(&self) -> SocketAddr {
        self.sock.address()
    }
}

/// A POP3 client.
pub(crate) struct Client {
    stream: BufReader<Box<dyn Stream>>,
    address: SocketAddr,
    /// Every octet so far.
    pub(crate) received: Vec<u8>,
}

impl Client {
    fn on(stream: impl Stream + 'static) -> Self {
        Self {
            address: stream.address(),
            stream: BufReader::new(Box::new(stream)),
            received: Vec::new(),
        }
    }

    /// One that has logged in, unless the gateway closes the connection or refuses the login.
    pub(crate) fn try_log_in(address: SocketAddr, user: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self::on(stream);
        let greeted = client.try_line()?;
        let named = client.try_say(&format!("USER {user}"))?;
        let proved = client.try_say(&format!("PASS {user}"))?;
        let good = [greeted, named, proved]
            .iter()
            .all(|line| line.starts_with("+OK"));
        good.then_some(client)
    }

    fn greeted(stream: impl Stream + 'static) -> Self {
        let mut client = Self::on(stream);
        client.line();
        client
    }

    /// Sends octets and waits for nothing.
    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.stream.get_mut().write_all(octets).unwrap();
        self.stream.get_mut().flush().unwrap();
    }

    /// Sends a command and takes its status line.
    pub(crate) fn say(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n").as_bytes());
        self.line()
    }

    /// The same, unless the gateway has closed the connection.
    pub(crate) fn try_say(&mut self, command: &str) -> Option<String> {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
        self.try_line()
    }

    fn try_line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).ok()?;
        line.ends_with("\r\n").then_some(line)
    }

    /// The next octets, as many as are asked for; fewer at the end of the connection.
    pub(crate) fn rest_of(&mut self, length: usize) -> Vec<u8> {
        let mut octets = Vec::with_capacity(length);
        let most = u64::try_from(length).unwrap();
        let _ = self.stream.by_ref().take(most).read_to_end(&mut octets);
        octets
    }

    /// Sends a command and takes the lines after its good status line, unstuffed.
    pub(crate) fn ask(&mut self, command: &str) -> Vec<u8> {
        let status = self.say(command);
        assert!(status.starts_with("+OK"), "{command}: {status}");
        let mut octets = Vec::new();
        loop {
            let line = self.read();
            if line == b".\r\n" {
                return octets;
            }
            octets.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    /// A status line.
    pub(crate) fn line(&mut self) -> String {
        String::from_utf8(self.read())
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// Says these one after the other, to the end of the connection. One that ends with `.` has lines for an answer.
    pub(crate) fn play(&mut self, commands: &[&str]) {
        for command in commands {
            match command.strip_suffix('.') {
                Some(command) => drop(self.ask(command)),
                None => drop(self.say(command)),
            }
        }
        self.rest();
    }

    /// Everything up to the end of the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // a reset is an end too
        let _ = self.stream.read_to_end(&mut rest);
        self.received.extend_from_slice(&rest);
        rest
    }

    fn read(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).unwrap();
        assert!(
            line.ends_with(b"\r\n"),
            "the connection ended: {}",
            String::from_utf8_lossy(&line)
        );
        self.received.extend_from_slice(&line);
        line
    }
}

/// The connection through TLS, with its handshake done.
fn secured(
    mut stream: TcpStream,
    certificate: &Path,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificate).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"pop3".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    assert_eq!(connection.alpn_protocol(), Some(&b"pop3"[..]));
    Ok(StreamOwned::new(connection, stream))
}

/// A message as POP3 sends it: a bare LF becomes CRLF, and the last line ends with one.
pub(crate) fn sent_form(stored: &[u8]) -> Vec<u8> {
    let mut sent = Vec::with_capacity(stored.len());
    for &octet in stored {
        if octet == b'\n' && sent.last() != Some(&b'\r') {
            sent.push(b'\r');
        }
        sent.push(octet);
    }
    if !sent.is_empty() && !sent.ends_with(b"\r\n") {
        sent.extend_from_slice(b"\r\n");
    }
    sent
}
