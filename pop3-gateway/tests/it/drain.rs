//! The end of a gateway with clients: it says that it is not ready, serves as before, and cuts no response.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::common::{Client, Gateway, RUNTIMES, sent_form};

/// More than all the buffers between the gateway and a client take.
const LARGE: usize = 24 << 20;

/// A gateway with one message for each of three users, and where its health is.
struct Scene {
    gateway: Gateway,
    health: SocketAddr,
    /// With its end, as it is sent.
    mail: Vec<u8>,
    _folder: TempDir,
}

impl Scene {
    fn new(runtime: &str, size: usize, delay: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let line = "a line of a message that is long, and longer than it should be\n";
        let mail = format!("Subject: large\n\n{}", line.repeat(size / line.len())).into_bytes();
        let mut accounts = String::new();
        for user in (0..3).map(|number| format!("u{number}")) {
            let mails = folder.path().join(&user).join("Maildir");
            for part in ["new", "cur", "tmp"] {
                fs::create_dir_all(mails.join(part)).unwrap();
            }
            fs::write(mails.join("new/1700000000.M1P1.host"), &mail).unwrap();
            accounts += &format!("{user}:{{PLAIN}}{user}\n");
        }
        fs::write(folder.path().join("users"), accounts).unwrap();
        let file = folder.path().join("g.toml");
        let text = format!(
            "[[listener]]\nlisten = \"127.0.0.1:0\"\n[[http]]\nlisten = \"127.0.0.1:0\"\n\
             [timers]\ndrain_delay = \"{delay}\"\n\
             [[store]]\nname = \"local\"\nkind = \"maildir\"\npath = \".\"\nusers = \"each\"\n\
             subfolder = \"Maildir\"\naccounts = \"users\"\n"
        );
        fs::write(&file, text).unwrap();
        let mut gateway = Gateway::start(runtime, 1, &["--config", file.to_str().unwrap()]);
        let health = gateway.wait_for("listening for HTTP")["address"].clone();
        Self {
            gateway,
            health: health.as_str().unwrap().parse().unwrap(),
            mail: [sent_form(&mail), b".\r\n".to_vec()].concat(),
            _folder: folder,
        }
    }

    /// What the balancer hears, if anything.
    fn ready(&self) -> Option<String> {
        let mut asked = TcpStream::connect(self.health).ok()?;
        let request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        asked.write_all(request).ok()?;
        let mut answer = String::new();
        asked.read_to_string(&mut answer).ok()?;
        (!answer.is_empty()).then(|| answer.split(' ').nth(1).unwrap().to_owned())
    }

    /// A client that has begun to receive its message.
    fn receiving(&self, user: &str) -> Client {
        let mut client = self.gateway.log_in(user);
        assert!(client.say("RETR 1").starts_with("+OK"));
        client
    }
}

/// The whole message comes, whatever the gateway does meanwhile.
fn receives(client: &mut Client, mail: &[u8]) {
    let rest = client.rest_of(mail.len());
    assert!(rest == mail, "the response was cut");
}

#[test]
fn a_drain_serves_on_until_a_second_signal_and_cuts_nothing() {
    for runtime in RUNTIMES {
        let mut scene = Scene::new(runtime, LARGE, "1h");
        assert_eq!(scene.ready().as_deref(), Some("200"));
        let mut early = scene.receiving("u0");
        scene.gateway.signal("TERM");
        scene.gateway.wait_for("stopping soon");
        assert_eq!(scene.ready().as_deref(), Some("503"));
        // nothing else has changed: for sessions that run, and for new ones
        let mut late = scene.receiving("u1");
        let mut third = scene.gateway.log_in("u2");
        assert!(third.say("STAT").starts_with("+OK 1 "));
        scene.gateway.signal("TERM");
        scene.gateway.wait_for("stopping");
        assert!(TcpStream::connect(scene.gateway.addresses[0]).is_err());
        assert_eq!(scene.ready(), None);
        receives(&mut early, &scene.mail);
        receives(&mut late, &scene.mail);
        assert!(scene.gateway.ended().success());
    }
}

/// Clients come without pause, each takes a whole message, and the balancer asks all the time.
#[test]
fn under_load_nobody_is_refused_before_the_balancer_could_know() {
    for runtime in RUNTIMES {
        let mut scene = Scene::new(runtime, 512 << 10, "1s");
        let signalled = AtomicBool::new(false);
        let refused = thread::scope(|scope| {
            let (address, mail) = (scene.gateway.addresses[0], &scene.mail);
            let clients = [0, 1, 2].map(|number| {
                let signalled = &signalled;
                scope.spawn(move || {
                    loop {
                        if TcpStream::connect(address).is_err() {
                            assert!(signalled.load(Ordering::SeqCst));
                            return SystemTime::now();
                        }
                        // one that connects when the sockets are about to close may be closed before the greeting
                        let Some(mut client) = Client::try_log_in(address, &format!("u{number}"))
                        else {
                            assert!(signalled.load(Ordering::SeqCst));
                            continue;
                        };
                        if client
                            .try_say("RETR 1")
                            .is_some_and(|line| line.starts_with("+OK"))
                        {
                            receives(&mut client, mail);
                        } else {
                            assert!(signalled.load(Ordering::SeqCst));
                        }
                        drop(client.try_say("QUIT"));
                    }
                })
            });
            thread::sleep(Duration::from_millis(300));
            signalled.store(true, Ordering::SeqCst);
            scene.gateway.signal("TERM");
            clients.map(|client| client.join().unwrap())
        });
        let soon = scene.gateway.wait_for("stopping soon");
        let begun = time(soon["timestamp"].as_str().unwrap());
        for refused in refused {
            assert!(refused >= begun + Duration::from_secs(1));
        }
        assert_eq!(scene.gateway.wait_for("stopped")["cut_off"], 0);
        assert!(scene.gateway.ended().success());
    }
}

fn time(timestamp: &str) -> SystemTime {
    humantime::parse_rfc3339(timestamp).unwrap()
}
