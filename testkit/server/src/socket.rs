//! The tests of a driver crate, on real sockets of this machine; the same for every runtime.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pop3_proto::backend::Endpoint;
use pop3_proto::server::{Policy, TlsOffer};
use pop3_server::handler::Handler;
use pop3_server::listen::listen;
use pop3_server::runtime::Runtime;
use pop3_server::server::Server;
use pop3_server::service::Service;
use pop3_server::settings::{Reloadable, Settings};
use pop3_server::setup::Setup;
use pop3_server::tls::{Identity, ServerTls, Trust, UpstreamTls};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::echo::Echo;
use crate::jobs::JobService;
use crate::list::ListService;
use crate::peer::{TlsPeer, client_config};
use crate::wire::{WireService, WireStore};
use crate::{PASSWORD, identity, server_tls};

/// How a driver crate is started: its `run`.
pub type Driver<R> = fn(Setup<R>) -> io::Result<()>;

/// A server that runs in the background until it is dropped.
pub struct Running {
    pub server: Server,
    pub address: SocketAddr,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    pub fn start<R: Runtime, S: Service>(driver: Driver<R>, settings: Settings<S>) -> Self {
        Self::speak(driver, Reloadable::new(settings))
    }

    pub fn speak<R: Runtime>(driver: Driver<R>, handler: impl Handler<R>) -> Self {
        let socket = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let server = Server::new();
        let setup = Setup::new()
            .server(server.clone())
            .speak(socket, handler)
            .threads(2)
            .grace(Duration::from_secs(60));
        let thread = thread::spawn(move || driver(setup));
        Self {
            server,
            address,
            thread: Some(thread),
        }
    }

    pub fn client(&self) -> Client<TcpStream> {
        let mut client = Client::new(connect(self.address));
        assert!(client.line().starts_with("+OK"));
        client
    }

    pub fn tls_client(
        &self,
        identity: &Identity,
    ) -> Client<StreamOwned<ClientConnection, TcpStream>> {
        let mut client = Client::new(encrypt(connect(self.address), identity));
        assert!(client.line().starts_with("+OK"));
        client
    }

    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.server.shutdown().advance();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }

    /// Waits for the locks to be free, as long as that is sensible.
    pub fn wait_until_free(&self) {
        let begun = Instant::now();
        while self.server.locks().held() > 0 {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "the lock is still held"
            );
            thread::yield_now();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.join();
    }
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

pub fn encrypt(stream: TcpStream, identity: &Identity) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from("mail.example.org").unwrap();
    let config = Arc::new(client_config(identity, &["pop3"]));
    StreamOwned::new(ClientConnection::new(config, name).unwrap(), stream)
}

/// A POP3 client that waits for each answer.
pub struct Client<T: Read> {
    stream: BufReader<T>,
}

impl<T: Read + Write> Client<T> {
    pub fn new(stream: T) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub fn into_inner(self) -> T {
        self.stream.into_inner()
    }

    pub fn get_ref(&self) -> &T {
        self.stream.get_ref()
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line
    }

    pub fn say(&mut self, line: &str) {
        self.stream
            .get_mut()
            .write_all(format!("{line}\r\n").as_bytes())
            .unwrap();
    }

    pub fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.line()
    }

    /// A multi-line response.
    pub fn ask_more(&mut self, line: &str) -> String {
        let mut all = self.ask(line);
        assert!(all.starts_with("+OK"), "{all}");
        loop {
            let line = self.line();
            all.push_str(&line);
            if line == ".\r\n" || line.is_empty() {
                return all;
            }
        }
    }

    pub fn log_in(&mut self, user: &str) -> String {
        self.ask(&format!("USER {user}"));
        self.ask(&format!("PASS {PASSWORD}"))
    }

    fn is_echoed(&mut self, text: &str) -> io::Result<bool> {
        self.stream.get_mut().write_all(text.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        Ok(line == text)
    }

    pub fn ends(&mut self) -> bool {
        self.stream.fill_buf().map_or(true, <[u8]>::is_empty)
    }
}

pub fn clear<S: Service>(service: S) -> Settings<S> {
    let mut settings = Settings::new(Arc::new(service));
    settings.policy = Arc::new(
        Policy::default()
            .clear_login(true)
            .shutdown_grace(Duration::from_millis(100)),
    );
    settings.timers.linger = Duration::from_millis(100);
    settings
}

fn mail() -> ListService {
    ListService::new(&[b"one\r\n", &vec![b'a'; 5_000_000], b"three"])
}

pub fn a_session_in_the_clear<R: Runtime>(driver: Driver<R>) {
    let service = mail();
    let running = Running::start(driver, clear(service.clone()));
    let mut client = running.client();
    assert!(client.log_in("joe").starts_with("+OK"));
    assert!(client.ask_more("RETR 2").len() > 5_000_000);
    assert!(client.ask("DELE 1").starts_with("+OK"));
    assert!(running.client().log_in("joe").starts_with("-ERR [IN-USE]"));
    assert!(client.ask("QUIT").starts_with("+OK"));
    assert!(client.ends());
    assert_eq!(service.removed(), [0]);
    assert!(running.client().log_in("joe").starts_with("+OK"));
    running.stop();
}

pub fn pipelined_commands_are_answered_in_order<R: Runtime>(driver: Driver<R>) {
    let running = Running::start(driver, clear(mail()));
    let mut client = running.client();
    client.log_in("joe");
    let lines = "NOOP\r\nRETR 2\r\n".repeat(5) + "QUIT";
    client.say(&lines);
    let mut all = String::new();
    client.stream.read_to_string(&mut all).unwrap();
    assert_eq!(all.matches("+OK").count(), 11);
    assert!(all.len() > 25_000_000);
    running.stop();
}

pub fn a_client_cut_off_frees_its_lock<R: Runtime>(driver: Driver<R>) {
    let service = mail();
    let running = Running::start(driver, clear(service.clone()));
    for linger in [None, Some(Duration::ZERO)] {
        let mut client = running.client();
        client.log_in("joe");
        client.ask("DELE 1");
        client.ask("RETR 2");
        let stream = client.into_inner();
        // Without lingering the close is a reset.
        socket2::SockRef::from(&stream).set_linger(linger).unwrap();
        drop(stream);
        running.wait_until_free();
    }
    let mut client = running.client();
    client.log_in("joe");
    client.ask("DELE 1");
    client.get_ref().shutdown(Shutdown::Write).unwrap();
    assert!(client.ends());
    running.wait_until_free();
    assert_eq!(service.removed(), Vec::<u32>::new());
    running.stop();
}

pub fn stls_and_implicit_tls<R: Runtime>(driver: Driver<R>) {
    let folder = tempfile::tempdir().unwrap();
    for offer in [TlsOffer::Stls, TlsOffer::Implicit] {
        let mut settings = Settings::new(Arc::new(mail()));
        settings.tls = Some(server_tls(folder.path(), &["mail.example.org"]));
        settings.policy = Arc::new(Policy::default().tls(offer));
        let running = Running::start(driver, settings);
        let identity = identity(folder.path(), &["mail.example.org"]);
        let mut client = if offer == TlsOffer::Implicit {
            running.tls_client(&identity)
        } else {
            let mut clear = running.client();
            assert!(clear.ask("USER joe").starts_with("-ERR"));
            assert!(clear.ask("STLS").starts_with("+OK"));
            Client::new(encrypt(clear.into_inner(), &identity))
        };
        assert!(client.log_in("joe").starts_with("+OK"));
        assert!(client.ask_more("RETR 2").len() > 5_000_000);
        assert!(client.ask("QUIT").starts_with("+OK"));
        assert!(
            client.stream.fill_buf().unwrap().is_empty(),
            "T013: a clean end"
        );
        running.stop();
    }
}

/// A store of the toy protocol on a socket of its own, for one connection after the other.
fn store(identity: Option<Identity>) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        for stream in socket.incoming() {
            let mut stream = stream.unwrap();
            let mut tls = identity.as_ref().map(TlsPeer::server);
            let mut store = WireStore::new(vec![b"one\r\n".to_vec(), vec![b'b'; 3_000_000]]);
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = stream.read(&mut bytes) {
                let reply = match &mut tls {
                    None => {
                        store.handle_input(&bytes[..n]);
                        std::mem::take(&mut store.output)
                    }
                    Some(tls) => {
                        tls.receive(&bytes[..n]);
                        store.handle_input(&std::mem::take(&mut tls.plaintext));
                        tls.send(&std::mem::take(&mut store.output));
                        tls.wire()
                    }
                };
                if stream.write_all(&reply).is_err() {
                    break;
                }
            }
        }
    });
    address
}

pub fn an_upstream_in_the_clear_and_in_tls<R: Runtime>(driver: Driver<R>) {
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(folder.path(), &["localhost"]);
    for encrypted in [false, true] {
        let address = store(encrypted.then(|| identity.clone()));
        let trust = Trust::File(identity.chain.clone());
        let service = WireService {
            endpoint: Endpoint {
                host: "localhost".into(),
                port: address.port(),
            },
            server_name: encrypted.then(|| "localhost".into()),
            tls: Some(Arc::new(UpstreamTls::load(&trust).unwrap())),
        };
        let running = Running::start(driver, clear(service));
        let mut client = running.client();
        assert!(client.log_in("joe").starts_with("+OK"));
        assert!(client.ask_more("RETR 2").len() > 3_000_000);
        assert!(client.ask("DELE 1").starts_with("+OK"));
        assert!(client.ask("QUIT").starts_with("+OK"));
        running.stop();
    }
}

pub fn an_upstream_that_is_not_there<R: Runtime>(driver: Driver<R>) {
    // nothing has been discarded for a long time
    for (host, port) in [("127.0.0.1", 9), ("no-such-name.invalid", 143)] {
        let endpoint = Endpoint {
            host: host.into(),
            port,
        };
        let running = Running::start(
            driver,
            clear(WireService {
                endpoint,
                server_name: None,
                tls: None,
            }),
        );
        let mut client = running.client();
        assert!(client.log_in("joe").starts_with("-ERR [SYS/TEMP]"));
        assert!(
            client.ask("CAPA").starts_with("+OK"),
            "the session stays usable"
        );
        running.stop();
    }
}

pub fn jobs_run_and_may_panic<R: Runtime>(driver: Driver<R>) {
    let running = Running::start(driver, clear(JobService));
    let mut client = running.client();
    assert!(client.log_in("panic").starts_with("-ERR [SYS/PERM]"));
    assert!(client.log_in("joe").starts_with("+OK"));
    assert!(client.ask_more("RETR 1").len() > 100_000);
    assert!(client.ask("QUIT").starts_with("+OK"));
    assert!(running.client().log_in("joe").starts_with("+OK"));
    running.stop();
}

pub fn too_many_connections_get_an_answer<R: Runtime>(driver: Driver<R>) {
    let mut settings = clear(mail());
    settings.limits.per_address = 2;
    let running = Running::start(driver, settings);
    let (first, _second) = (running.client(), running.client());
    let mut third = Client::new(connect(running.address));
    assert!(third.line().starts_with("-ERR [SYS/TEMP]"));
    assert!(third.ends());
    drop(first);
    let begun = Instant::now();
    while !Client::new(connect(running.address))
        .line()
        .starts_with("+OK")
    {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "qE4: the place is still taken"
        );
    }
    running.stop();
}

pub fn many_clients_at_once<R: Runtime>(driver: Driver<R>) {
    let mut settings = clear(mail());
    settings.limits.per_address = 0;
    let running = Running::start(driver, settings);
    let mut clients: Vec<_> = (0..200).map(|_| running.client()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        assert!(client.log_in(&format!("user{number}")).starts_with("+OK"));
    }
    for client in &mut clients {
        assert!(client.ask_more("RETR 3").ends_with("three\r\n.\r\n"));
        client.say("QUIT");
    }
    for client in &mut clients {
        assert!(client.line().starts_with("+OK"));
        assert!(client.ends());
    }
    running.stop();
}

/// G19: running commands are finished, idle connections are closed, and the server ends by itself.
pub fn shutdown_ends_all<R: Runtime>(driver: Driver<R>) {
    let service = mail();
    let running = Running::start(driver, clear(service.clone()));
    let mut idle = running.client();
    let mut busy = running.client();
    busy.log_in("joe");
    busy.ask("DELE 1");
    busy.ask("RETR 2");
    let begun = Instant::now();
    running.server.shutdown().advance();
    let mut rest = String::new();
    while !rest.ends_with("\r\n.\r\n") {
        rest = rest.split_off(rest.len().saturating_sub(5)) + &busy.line();
    }
    let refused = busy.ask("QUIT");
    assert!(
        refused.is_empty() || refused.starts_with("-ERR [SYS/TEMP]"),
        "{refused}"
    );
    assert!(idle.line().starts_with("-ERR [SYS/TEMP]"));
    assert!(idle.ends());
    drop((idle, busy));
    running.stop();
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(service.removed(), Vec::<u32>::new());
}

/// Both families on one port.
pub fn both_address_families<R: Runtime>(driver: Driver<R>) {
    let four = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = four.local_addr().unwrap().port();
    let Ok(six) = listen(SocketAddr::new("::1".parse().unwrap(), port)) else {
        // The machine has no IPv6.
        return;
    };
    assert!(
        listen(four.local_addr().unwrap())
            .unwrap_err()
            .to_string()
            .contains("127.0.0.1")
    );
    let addresses = [four.local_addr().unwrap(), six.local_addr().unwrap()];
    let settings = Reloadable::new(clear(mail()));
    let server = Server::new();
    let setup = Setup::new()
        .server(server.clone())
        .pop3(four, settings.clone())
        .pop3(six, settings.clone());
    let thread = thread::spawn(move || driver(setup));
    for address in addresses {
        assert!(Client::new(connect(address)).line().starts_with("+OK"));
    }
    // New connections start with new settings.
    let mut policy = Policy::clone(&settings.current().policy);
    policy.greeting = "as of now".into();
    let mut renewed = clear(mail());
    renewed.policy = Arc::new(policy);
    settings.replace(renewed);
    assert!(
        Client::new(connect(addresses[0]))
            .line()
            .contains("as of now")
    );
    server.shutdown().advance();
    thread.join().unwrap().unwrap();
}

/// Accepting, limits and shutdown are the same whatever a listener speaks.
pub fn another_handler_speaks<R: Runtime>(driver: Driver<R>) {
    let running = Running::speak(driver, Echo::default());
    speaks(&running, connect, true);
}

/// So is TLS.
pub fn another_handler_speaks_tls<R: Runtime>(driver: Driver<R>) {
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(folder.path(), &["mail.example.org"]);
    let tls = ServerTls::load(std::slice::from_ref(&identity)).unwrap();
    let running = Running::speak(driver, Echo { tls: Some(tls) });
    speaks(
        &running,
        |address| encrypt(connect(address), &identity),
        false,
    );
}

fn speaks<T: Read + Write>(running: &Running, connect: impl Fn(SocketAddr) -> T, hears: bool) {
    let mut client = Client::new(connect(running.address));
    assert_eq!(client.ask("hello"), "hello\r\n");
    // more than the buffers hold
    let long = "long ".repeat(20_000);
    assert_eq!(client.ask(&long), format!("{long}\r\n"));
    if hears {
        assert_eq!(Client::new(connect(running.address)).line(), "full\n");
    }
    drop(client);
    let mut next = loop {
        let mut next = Client::new(connect(running.address));
        // the place of the one before may still be taken
        if next.is_echoed("again\r\n").unwrap_or(false) {
            break next;
        }
    };
    running.server.shutdown().advance();
    assert_eq!(next.line(), "bye\r\n");
    assert!(next.ends());
}

/// SIGHUP reloads, SIGTERM stops. To run alone in its process, because signals are the process's.
pub fn signals_reload_and_stop<R: Runtime>(driver: Driver<R>) {
    let signal = |name: &str| {
        let pid = std::process::id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.unwrap().success());
    };
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (reloaded, reloads) = channel();
    let setup = Setup::new().pop3(listener, clear(JobService));
    let setup = setup.on_reload(move |_| reloaded.send(()).unwrap());
    let server = thread::spawn(move || driver(setup));
    let mut client = Client::new(connect(address));
    assert!(client.line().starts_with("+OK"));
    for _ in 0..2 {
        signal("-HUP");
        reloads.recv_timeout(Duration::from_secs(60)).unwrap();
    }
    assert!(client.ask("CAPA").starts_with("+OK"), "the session stays");
    signal("-TERM");
    server.join().unwrap().unwrap();
    while !client.line().is_empty() {}
}

/// A test each, by its name, with one driver.
#[macro_export]
macro_rules! on_sockets {
    ($driver:path) => {
        $crate::on_sockets! { $driver:
            a_session_in_the_clear
            pipelined_commands_are_answered_in_order
            a_client_cut_off_frees_its_lock
            stls_and_implicit_tls
            an_upstream_in_the_clear_and_in_tls
            an_upstream_that_is_not_there
            jobs_run_and_may_panic
            too_many_connections_get_an_answer
            many_clients_at_once
            shutdown_ends_all
            both_address_families
            another_handler_speaks
            another_handler_speaks_tls
        }
    };
    ($driver:path: $($name:ident)*) => {
        $(#[test]
        fn $name() {
            $crate::socket::$name($driver);
        })*
    };
}
