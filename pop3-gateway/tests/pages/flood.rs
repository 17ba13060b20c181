//! Strangers who begin sign-ins and never come back.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use gateway_state::{Keys, MAX_SIGN_INS};
use pop3_gateway::oauth::Records;
use pop3_gateway::pages::browser::{Browsers, Cookie};

use crate::rig::{ANN, BOB, HOST, RUNTIMES, Rig};

/// How many sign-ins are begun,
const FLOOD: usize = 100_000;
/// by so many from each address as an address may begin at once,
const EACH: usize = 10;
/// over so many connections.
const CONNECTIONS: usize = 4;

/// What the gateway, the clients and the tables that SQLite has in memory may grow by meanwhile, in octets.
const GROWS: u64 = 64 * 1024 * 1024;
/// What the files of the state may come to.
const ON_DISK: u64 = 32 * 1024 * 1024;

/// V39: 100,000 sign-ins from the 10,000 addresses of one network. Who began before ends well, and so do those who come
/// from elsewhere meanwhile and afterwards; what is kept stays within its bounds.
#[test]
#[ignore = "takes minutes: run .ci/run long"]
fn v39_long_flood_of_sign_ins_keeps_nobody_out() {
    let rig = Rig::with(RUNTIMES[0], "behind_proxy = true", "");
    let mut before = rig.browser();
    let state = before.begin(ANN);
    let (forms, memory) = (forms(), resident());
    let mut begun = 0;
    std::thread::scope(|scope| {
        let parts = (0..CONNECTIONS).map(|part| {
            let (rig, forms) = (&rig, &forms);
            scope.spawn(move || begin_many(rig, forms, part))
        });
        for part in parts.collect::<Vec<_>>() {
            begun += part.join().unwrap();
        }
    });
    let grown = resident().saturating_sub(memory);
    println!(
        "grown by {} KiB, {} on disk",
        grown / 1024,
        rig.on_disk() / 1024
    );
    assert_eq!(begun, MAX_SIGN_INS - 1);
    assert_eq!(rig.under_way(), MAX_SIGN_INS);
    assert!(grown < GROWS, "{grown}");
    assert!(rig.on_disk() < ON_DISK, "{}", rig.on_disk());
    let told = before.follow(&format!("/signed-in?code=the-code&state={state}"));
    assert!(told.body.contains("Connected mailbox"), "{told:?}");
    // full again, and somebody else comes
    let mut stranger = Stranger::new(&rig, &forms);
    assert_eq!(stranger.begin("2001:db8:0:ffff::1"), 200);
    assert_eq!(stranger.begin("2001:db8:0:ffff::1"), 503);
    rig.gives(BOB);
    let mut after = rig.browser();
    assert!(after.connect(BOB).body.contains("Connected mailbox"));
    // nobody was asked for a token but for these two
    let asked = rig.provider.take();
    assert_eq!(asked.len(), 2, "{asked:?}");
}

/// How many of the flood's part could begin; the others heard that there is no room.
fn begin_many(rig: &Rig, forms: &Browsers, part: usize) -> usize {
    let mut begun = 0;
    for number in (part..FLOOD / EACH).step_by(CONNECTIONS) {
        // a connection does not last for ever
        let mut stranger = Stranger::new(rig, forms);
        for _ in 0..EACH {
            match stranger.begin(&format!("2001:db8:0:{number:x}::1")) {
                200 => begun += 1,
                503 => {}
                status => panic!("{status}"),
            }
        }
    }
    begun
}

/// One connection that is used for many requests.
struct Stranger<'f> {
    socket: TcpStream,
    answers: BufReader<TcpStream>,
    forms: &'f Browsers,
}

/// What makes the tokens of forms; it needs no state for that.
fn forms() -> Browsers {
    let records = Records::open(&"memory:".parse().unwrap(), Keys::generate().unwrap());
    Browsers::new(records.unwrap())
}

impl<'f> Stranger<'f> {
    fn new(rig: &Rig, forms: &'f Browsers) -> Self {
        let socket = rig.connected();
        Self {
            answers: BufReader::new(socket.try_clone().unwrap()),
            socket,
            forms,
        }
    }

    /// Begins a sign-in in a browser that nobody has seen; the status of the answer.
    fn begin(&mut self, address: &str) -> u16 {
        let cookie = Cookie::random().unwrap();
        let token = self.forms.token(&cookie);
        let body = format!("token={token}&address=ann%40example.org");
        let request = format!(
            "POST /connect HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             X-Forwarded-For: {address}\r\nCookie: pages={}\r\nContent-Length: {}\r\n\r\n{body}",
            cookie.expose(),
            body.len()
        );
        self.socket.write_all(request.as_bytes()).unwrap();
        let (mut line, mut status, mut length) = (String::new(), 0, 0);
        loop {
            line.clear();
            self.answers.read_line(&mut line).unwrap();
            match line.trim_end().split_once(' ') {
                None => break,
                Some(("HTTP/1.1", said)) => status = said[..3].parse().unwrap(),
                Some(("content-length:", octets)) => length = octets.parse().unwrap(),
                Some(_) => {}
            }
        }
        let mut page = vec![0; length];
        self.answers.read_exact(&mut page).unwrap();
        status
    }
}

/// The octets of this process in memory.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
