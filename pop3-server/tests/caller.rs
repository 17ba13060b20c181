//! What a backend hears of the client that logs in, and what it says of the maildrop.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use pop3_proto::backend::{
    Access, Backend, Caller, Effect, Login, Outcome, Refusal, RefusalKind, Reply, Request,
};
use pop3_proto::server::Policy;
use pop3_proto::time::Time;
use pop3_server::server::Server;
use pop3_server::service::{Denied, Peer, Routed, Service};
use pop3_server::settings::Settings;
use testkit_server::peer_at;
use testkit_server::rig::Rig;

/// Refuses the password "wrong", lets "right" in as the account "own", and thinks about all others.
#[derive(Default)]
struct Listening {
    callers: Arc<Mutex<Vec<Caller>>>,
    replies: Vec<Reply<'static>>,
}

impl Backend for Listening {
    type Done = ();

    fn handle_request(&mut self, _: Time, request: Request) {
        if let Request::Open(open) = request {
            if let Login::Password { password, .. } = &open.login {
                match password.expose() {
                    b"wrong" => {
                        let refusal = Refusal::new(RefusalKind::Credentials, "wrong");
                        self.replies.push(Reply::Refused(refusal));
                    }
                    b"right" => {
                        let access = Access::ReadWrite;
                        self.replies.push(Reply::Opened { access });
                        self.replies.push(Reply::Authenticated);
                    }
                    _ => {}
                }
            }
            self.callers.lock().unwrap().push(open.caller);
        }
    }

    fn handle_outcome(&mut self, _: Time, _: Outcome<()>) {}

    fn handle_timeout(&mut self, _: Time) {}

    fn poll_reply(&mut self, _: Time, _: usize) -> Option<Reply<'_>> {
        self.replies.pop()
    }

    fn poll_effect(&mut self) -> Option<Effect<()>> {
        None
    }

    fn poll_timeout(&self) -> Option<Time> {
        None
    }

    fn maildrop(&self) -> Option<String> {
        Some("own".into())
    }
}

#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<Caller>>>);

impl Service for Ear {
    type Backend = Listening;

    fn route(&self, login: &Login, _: &Peer) -> Result<Routed<Listening>, Denied> {
        Ok(Routed::new(
            Listening {
                callers: Arc::clone(&self.0),
                replies: Vec::new(),
            },
            login.user().unwrap_or_default(),
            "ear",
        ))
    }
}

impl Ear {
    fn last(&self) -> Caller {
        self.0.lock().unwrap().last().unwrap().clone()
    }
}

fn server() -> (Ear, Arc<Settings<Ear>>, Server) {
    let ear = Ear::default();
    let mut settings = Settings::new(Arc::new(ear.clone()));
    settings.policy = Arc::new(Policy::default().clear_login(true));
    (ear, Arc::new(settings), Server::new())
}

#[test]
fn w022_a_backend_knows_the_address_and_its_failures() {
    let (ear, settings, server) = server();
    let mut rig = Rig::at(&settings, &server, peer_at("[2001:db8:1:2::3]:9")).unwrap();
    rig.ask("USER tim");
    rig.say("PASS wrong\r\n");
    assert_eq!(
        ear.last().network(),
        Some("2001:db8:1:2::".parse().unwrap())
    );
    assert_eq!(ear.last().failures(), 0);
    rig.wait(settings.delay.most);
    let mut other = Rig::at(&settings, &server, peer_at("[2001:db8:1:2::4]:9")).unwrap();
    other.ask("USER tim");
    // the network has failed before, so this one waits before it is looked at
    other.say("PASS slow\r\n");
    other.wait(settings.delay.most);
    assert_eq!(ear.last().failures(), 1);
}

#[test]
fn w022_a_backend_knows_when_its_client_has_gone() {
    let (ear, settings, server) = server();
    let ask = || {
        let mut rig = Rig::at(&settings, &server, peer_at("192.0.2.1:9")).unwrap();
        rig.ask("USER tim");
        rig.say("PASS slow\r\n");
        (rig, ear.last())
    };
    let (mut rig, caller) = ask();
    assert!(!caller.is_silent() && !caller.is_gone());
    rig.end_of_stream();
    assert!(caller.is_gone());
    // what it asks for after the login shows that it reads on
    let (mut rig, caller) = ask();
    rig.say("STAT\r\nQUIT\r\n").end_of_stream();
    assert!(caller.is_silent() && !caller.is_gone());
    rig.reset();
    assert!(caller.is_gone());
    let (rig, caller) = ask();
    drop(rig);
    assert!(caller.is_gone());
}

/// The account is the one that the login opened, whatever name led to it.
#[test]
fn w013_the_lock_goes_by_what_the_login_opened() {
    let (_, settings, server) = server();
    let mut first = Rig::at(&settings, &server, peer_at("192.0.2.1:9")).unwrap();
    first.ask("USER tim");
    assert!(first.ask("PASS right").starts_with("+OK"));
    let mut second = Rig::at(&settings, &server, peer_at("192.0.2.1:9")).unwrap();
    second.ask("USER phone");
    assert!(second.ask("PASS right").starts_with("-ERR [IN-USE]"));
}
