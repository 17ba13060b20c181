//! The same sessions on all runtimes, against our own server and against scripted ones.
#![allow(clippy::unwrap_used, reason = "tests")]

// the examples themselves: run as programs, they would want a cargo within cargo
#[allow(dead_code, reason = "it has a main")]
#[path = "../examples/fetch_blocking.rs"]
mod fetch_blocking;
#[allow(dead_code, reason = "it has a main")]
#[path = "../examples/fetch_smol.rs"]
mod fetch_smol;
#[allow(dead_code, reason = "it has a main")]
#[path = "../examples/fetch_tokio.rs"]
mod fetch_tokio;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use pop3_client_io::pop3_proto::client::Method;
use pop3_client_io::pop3_proto::command::{Command, MessageNumber};
use pop3_client_io::pop3_proto::server::{Policy, TlsOffer};
use pop3_client_io::{
    Endpoint, Error, Identity, Part, Session, TlsMode, Transport, Trust, blocking, futures, tokio,
};
use pop3_server::settings::Settings;
use pop3_server::tls::ServerTls;
use testkit_server::list::{ListService, Mood};
use testkit_server::socket::{Running, clear};
use testkit_server::{PASSWORD, identity as certificate};

const NAME: &str = "localhost";
const STUFFED: &[u8] = b"Subject: dots\r\n\r\n.\r\n..\r\n...three\r\na.\r\n.";

/// What is played on each runtime.
trait Scene {
    async fn play<T: Transport>(&mut self, session: Result<Session<T>, Error>);
}

/// Plays it on all.
fn on_all(endpoint: &Endpoint, mut scene: impl Scene) {
    futures_lite::future::block_on(async {
        let session = blocking::Session::connect(endpoint);
        scene.play(session.map(Session::from)).await;
    });
    runtime().block_on(async { scene.play(tokio::connect(endpoint).await).await });
    smol::block_on(async { scene.play(futures::connect(endpoint).await).await });
}

/// The same on connections that stand, so that no time is lost on the way there.
fn over_all(endpoint: &Endpoint, mut scene: impl Scene) {
    let address = (NAME, endpoint.port);
    futures_lite::future::block_on(async {
        let socket = TcpStream::connect(address).unwrap();
        let link = blocking::Link::new(socket, None);
        scene.play(Session::over(link, endpoint).await).await;
    });
    runtime().block_on(async {
        let socket = ::tokio::net::TcpStream::connect(address).await.unwrap();
        let link = tokio::Link::new(socket, None);
        scene.play(Session::over(link, endpoint).await).await;
    });
    smol::block_on(async {
        let socket = smol::net::TcpStream::connect(address).await.unwrap();
        let link = futures::Link::new(socket, None);
        scene.play(Session::over(link, endpoint).await).await;
    });
}

fn runtime() -> ::tokio::runtime::Runtime {
    ::tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn joe() -> Identity {
    Identity::password("joe", PASSWORD)
}

fn at(port: u16, tls: TlsMode) -> Endpoint {
    Endpoint::new(NAME).tls(tls).port(port)
}

/// Runs a server with these mails, and the client as it should be for it.
fn served(service: ListService, tls: TlsMode, then: impl FnOnce(&Endpoint)) {
    let folder = tempfile::tempdir().unwrap();
    let mut settings: Settings<ListService> = clear(service);
    let offer = match tls {
        TlsMode::Implicit => Some(TlsOffer::Implicit),
        TlsMode::Starttls | TlsMode::IfOffered => Some(TlsOffer::Stls),
        TlsMode::None => None,
    };
    let own = certificate(folder.path(), &[NAME]);
    if let Some(offer) = offer {
        settings.tls = Some(ServerTls::load(std::slice::from_ref(&own)).unwrap());
        settings.policy = Arc::new(Policy::default().tls(offer));
    }
    let running = Running::start(pop3_server_tokio::run, settings);
    let trust = Trust::File(own.chain);
    then(&at(running.address.port(), tls).trust(trust));
    running.stop();
}

struct Whole {
    tls: TlsMode,
    mails: Vec<Vec<u8>>,
}

impl Scene for Whole {
    async fn play<T: Transport>(&mut self, session: Result<Session<T>, Error>) {
        let mut session = session.unwrap();
        assert_eq!(session.tls().is_some(), self.tls != TlsMode::None);
        assert!(session.log_in(&joe()).await.is_ok());
        assert!(!session.capabilities().is_empty());
        let count = u32::try_from(self.mails.len()).unwrap();
        assert_eq!(session.stat().await.unwrap().0, u64::from(count));
        assert_eq!(session.sizes().await.unwrap().len(), self.mails.len());
        let ids = session.unique_ids().await.unwrap();
        assert_eq!(ids[&1], "id0");

        let first = session.retrieve(1).unwrap().octets().await.unwrap();
        assert_eq!(first, [STUFFED, b"\r\n"].concat());
        let head = session.top(1, 0).unwrap().octets().await.unwrap();
        assert_eq!(head, b"Subject: dots\r\n\r\n");

        // a large one takes the memory of a piece
        let mut large = session.retrieve(2).unwrap();
        let (mut octets, mut largest) = (0, 0);
        while let Some(piece) = large.next().await.unwrap() {
            assert!(piece.iter().all(|octet| b"a\r\n".contains(octet)));
            octets += piece.len();
            largest = largest.max(piece.len());
        }
        assert_eq!(octets, self.mails[1].len());
        assert!(largest <= 64 * 1024, "{largest}");

        // one that is given up leaves the session usable
        let mut dropped = session.retrieve(2).unwrap();
        assert!(dropped.next().await.unwrap().is_some());
        drop(dropped);
        let refused = session.retrieve(count + 1).unwrap().octets().await;
        assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");

        let numbers = (3..=count + 1).map(MessageNumber);
        let mut answers = Vec::new();
        let mut batch = session.batch(numbers.map(Command::Retr));
        while let Some((position, part)) = batch.next().await.unwrap() {
            match part {
                Part::Start(_) => answers.push(Some(Vec::new())),
                Part::Octets(octets) => answers[position].as_mut().unwrap().extend(octets),
                Part::Whole => assert_eq!(answers[position].as_deref(), Some(&b"small\r\n"[..])),
                Part::Refused(_) => answers.push(None),
            }
        }
        assert_eq!(answers.len(), self.mails.len() - 1);
        assert_eq!(answers.last(), Some(&None));

        let refused = session.delete(&[1, count + 1]).await.unwrap();
        assert_eq!(refused.keys().copied().collect::<Vec<_>>(), [count + 1]);
        session.run(&Command::Rset).await.unwrap();
        session.quit().await.unwrap();
        assert!(session.is_over());
        assert!(session.stat().await.is_err());
    }
}

fn whole(tls: TlsMode, octets: usize) {
    let large = b"aaaaaaaaaaaaaa\r\n".repeat(octets / 16);
    let mut mails = vec![STUFFED.to_vec(), large];
    mails.extend(vec![b"small\r\n".to_vec(); 30]);
    let slices: Vec<_> = mails.iter().map(Vec::as_slice).collect();
    let service = ListService::new(&slices);
    served(service, tls, |endpoint| {
        on_all(endpoint, Whole { tls, mails });
    });
}

#[test]
fn a_whole_session_in_the_clear() {
    whole(TlsMode::None, 10 * 1024 * 1024);
}

#[test]
fn a_whole_session_by_stls() {
    whole(TlsMode::Starttls, 10 * 1024 * 1024);
}

#[test]
fn a_whole_session_in_implicit_tls() {
    whole(TlsMode::Implicit, 1024 * 1024);
}

#[test]
fn quit_removes_what_was_marked_and_a_drop_does_not() {
    let service = ListService::new(&[b"one", b"two"]);
    for quit in [false, true] {
        served(service.clone(), TlsMode::Starttls, |endpoint| {
            let mut session = blocking::Session::connect(endpoint).unwrap();
            session.log_in(&joe()).unwrap();
            assert!(session.delete(&[2]).unwrap().is_empty());
            if quit {
                assert!(!session.quit().unwrap().is_empty());
            }
        });
        assert_eq!(service.removed(), if quit { vec![1] } else { vec![] });
    }
}

#[test]
fn a_message_that_is_cut_is_an_error() {
    struct Cut;
    impl Scene for Cut {
        async fn play<T: Transport>(&mut self, session: Result<Session<T>, Error>) {
            let mut session = session.unwrap();
            session.log_in(&joe()).await.unwrap();
            let cut = session.retrieve(1).unwrap().octets().await.unwrap_err();
            assert!(cut.is_loss(), "{cut}");
            assert!(session.is_over());
        }
    }
    for tls in [TlsMode::None, TlsMode::Starttls] {
        let mut service = ListService::new(&[&b"a line of it\r\n".repeat(1000)]);
        service.mood = Mood::CutsMessages;
        served(service, tls, |endpoint| on_all(endpoint, Cut));
    }
}

/// A server that reads and says these lines on each connection: `S` says, `C` waits for a line, `X`
/// closes the connection.
fn scripted(script: &'static [&'static str]) -> u16 {
    let listener = TcpListener::bind("localhost:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            thread::spawn(move || {
                let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
                for step in script {
                    let (who, what) = step.split_at(2);
                    if who == "C " {
                        let line = lines.next().and_then(Result::ok);
                        if line.as_deref() != Some(what) {
                            return;
                        }
                    } else if who == "X " || socket.write_all(what.as_bytes()).is_err() {
                        return;
                    }
                }
                // until the client goes
                let _ = lines.next();
            });
        }
    });
    port
}

#[test]
fn commands_go_out_ahead_of_their_responses() {
    struct Ahead;
    impl Scene for Ahead {
        async fn play<T: Transport>(&mut self, session: Result<Session<T>, Error>) {
            let mut session = session.unwrap();
            let three = (1..=3).map(|number| Command::Dele(MessageNumber(number)));
            let mut batch = session.batch(three);
            let mut whole = 0;
            while let Some((_, part)) = batch.next().await.unwrap() {
                whole += usize::from(matches!(part, Part::Whole));
            }
            assert_eq!(whole, 3);
        }
    }
    // it answers when it has heard all three
    let port = scripted(&[
        "S +OK ready\r\n",
        "C CAPA",
        "S +OK\r\nPIPELINING\r\n.\r\n",
        "C DELE 1",
        "C DELE 2",
        "C DELE 3",
        "S +OK\r\n+OK\r\n+OK\r\n",
    ]);
    on_all(&at(port, TlsMode::None), Ahead);
}

/// An error, and the words that it has.
struct Fails(&'static [&'static str]);

impl Scene for Fails {
    async fn play<T: Transport>(&mut self, session: Result<Session<T>, Error>) {
        let error = session.err().unwrap().to_string();
        for word in self.0 {
            assert!(error.contains(word), "{word}: {error}");
        }
    }
}

#[test]
fn errors_name_the_place_the_cause_and_the_remedy() {
    let silent = scripted(&[]);
    let short = at(silent, TlsMode::None).patience(Duration::from_millis(50));
    over_all(&short, Fails(&["localhost port", "no greeting"]));
    let hidden = at(silent, TlsMode::Implicit).patience(Duration::from_millis(50));
    over_all(&hidden, Fails(&["localhost port", "TLS"]));
    let gone = scripted(&[
        "S +OK ready\r\n",
        "C CAPA",
        "S +OK\r\nUIDL\r\n.\r\n",
        "C STLS",
        "X ",
    ]);
    let due = Fails(&["localhost port", "the answer to STLS", "closed"]);
    on_all(&at(gone, TlsMode::Starttls), due);
    let none = scripted(&[
        "S +OK ready\r\n",
        "C CAPA",
        "S +OK\r\nUIDL\r\n.\r\n",
        "C STLS",
        "S -ERR unknown\r\n",
    ]);
    let words = Fails(&["localhost port", "TlsMode::Implicit", "TlsMode::None"]);
    on_all(&at(none, TlsMode::Starttls), words);
    let smtp = scripted(&["S 220 mail ESMTP\r\n"]);
    on_all(
        &at(smtp, TlsMode::None),
        Fails(&["localhost port", "220 mail ESMTP"]),
    );
    let free = TcpListener::bind("localhost:0")
        .unwrap()
        .local_addr()
        .unwrap();
    on_all(
        &at(free.port(), TlsMode::None),
        Fails(&["localhost port", "refused"]),
    );
}

#[test]
fn a_certificate_that_nothing_names_is_not_believed() {
    let service = ListService::new(&[]);
    served(service, TlsMode::Starttls, |endpoint| {
        let other = tempfile::tempdir().unwrap();
        let other = certificate(other.path(), &[NAME]);
        let endpoint = endpoint.clone().trust(Trust::File(other.chain));
        on_all(
            &endpoint,
            Fails(&["sha256:", "not believed", "Trust::File", "Trust::Pin"]),
        );
    });
}

#[test]
fn no_password_goes_over_a_network_in_clear() {
    served(ListService::new(&[]), TlsMode::None, |endpoint| {
        // where the peer is not known, it may be far away
        let socket = TcpStream::connect((NAME, endpoint.port)).unwrap();
        let link = blocking::Link::new(socket, None);
        let mut session = blocking::Session::over(link, endpoint).unwrap();
        let error = session.log_in(&joe()).unwrap_err().to_string();
        assert!(error.contains("Identity::allow_clear"), "{error}");
        let allowed = Identity {
            allow_clear: true,
            ..joe()
        };
        assert!(matches!(
            session.log_in(&allowed),
            Ok(Method::Plain | Method::UserPass)
        ));
    });
}

#[test]
fn the_examples_fetch_a_mailbox() {
    fetched(|endpoint, folder| fetch_blocking::fetch(endpoint, &joe(), folder).unwrap());
    fetched(|endpoint, folder| {
        runtime()
            .block_on(fetch_tokio::fetch(endpoint, &joe(), folder))
            .unwrap();
    });
    fetched(|endpoint, folder| {
        smol::block_on(fetch_smol::fetch(endpoint, &joe(), folder)).unwrap();
    });
}

fn fetched(run: impl Fn(&Endpoint, &Path)) {
    let service = ListService::new(&[STUFFED, b"two\r\n"]);
    served(service, TlsMode::Starttls, |endpoint| {
        let folder = tempfile::tempdir().unwrap();
        run(endpoint, folder.path());
        let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
        assert_eq!(read("1.eml"), [STUFFED, b"\r\n"].concat());
        assert_eq!(read("2.eml"), b"two\r\n");
    });
}
