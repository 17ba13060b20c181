//! SIGHUP changes where the gateway listens, and cuts nobody.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::common::{Client, Gateway, RUNTIMES, imap, imap_with};
use testkit::imap_server::Options;

const RELOADED: &str = "configuration and certificates reloaded";
const REFUSED: &str = "not reloaded; the old configuration stays";

/// A configuration file.
struct Written {
    file: PathBuf,
    imap: SocketAddr,
    _folder: TempDir,
}

impl Written {
    fn new(imap: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            file: folder.path().join("g.toml"),
            imap,
            _folder: folder,
        }
    }

    /// These tables, and the upstream. Whole or not at all, as a reload may come at any time.
    fn write(&self, tables: &str) {
        let imap = self.imap;
        let text = format!("{tables}\n[[upstream]]\nname = \"main\"\nurl = \"imap://{imap}\"\n");
        let draft = self.file.with_extension("draft");
        fs::write(&draft, text).unwrap();
        fs::rename(draft, &self.file).unwrap();
    }

    fn start(&self, runtime: &str, listeners: usize) -> Gateway {
        Gateway::start(
            runtime,
            listeners,
            &["--config", self.file.to_str().unwrap()],
        )
    }
}

fn listener(listen: &str) -> String {
    format!("[[listener]]\nname = \"pop3\"\nlisten = [{listen}]\n")
}

fn reload(gateway: &mut Gateway) {
    gateway.signal("HUP");
    gateway.wait_for(RELOADED);
}

fn address(entry: &serde_json::Value) -> SocketAddr {
    entry["address"].as_str().unwrap().parse().unwrap()
}

/// A session from its greeting to its end.
fn is_served(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.write_all(b"CAPA\r\nQUIT\r\n").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).is_ok()
        && said.starts_with("+OK")
        && said.contains("\r\n.\r\n+OK")
}

#[test]
fn an_address_comes_and_another_goes() {
    for runtime in RUNTIMES {
        let (store, imap) = imap(&["tim", "sue"]);
        store.deliver("tim", "one\r\n");
        let config = Written::new(imap);
        config.write(&listener("\"127.0.0.1:0\""));
        let mut gateway = config.start(runtime, 1);
        let first = gateway.addresses[0];
        let mut client = gateway.log_in("tim");

        config.write(&listener("\"127.0.0.1:0\", \"127.0.0.2:0\""));
        gateway.signal("HUP");
        let second = address(&gateway.wait_for("listening"));
        gateway.wait_for(RELOADED);
        assert!(is_served(first) && is_served(second), "{runtime}");

        config.write(&listener("\"127.0.0.2:0\""));
        gateway.signal("HUP");
        let gone = gateway.wait_for("no longer listening; its sessions go on");
        assert_eq!(address(&gone), first);
        gateway.wait_for(RELOADED);
        while is_served(first) {
            // the task that accepts has not had its turn
            thread::sleep(Duration::from_millis(10));
        }
        assert!(is_served(second), "{runtime}");
        assert_eq!(client.ask("RETR 1"), b"one\r\n");
        assert!(client.say("QUIT").starts_with("+OK"), "{runtime}");
        assert!(TcpStream::connect(first).is_err(), "{runtime}");

        // and back, while a session is open at the other
        gateway.addresses = vec![second];
        let mut client = gateway.log_in("sue");
        config.write(&listener("\"127.0.0.1:0\""));
        gateway.signal("HUP");
        let third = address(&gateway.wait_for("listening"));
        gateway.wait_for(RELOADED);
        assert!(is_served(third), "{runtime}");
        assert!(client.say("NOOP").starts_with("+OK"), "{runtime}");
    }
}

/// Whatever is wrong, nothing of the new configuration holds.
#[test]
fn a_taken_port_refuses_the_whole_reload() {
    for runtime in RUNTIMES {
        let (_, imap) = imap(&["tim"]);
        let config = Written::new(imap);
        config.write(&format!(
            "{}greeting = \"first\"\n",
            listener("\"127.0.0.1:0\"")
        ));
        let mut gateway = config.start(runtime, 1);
        let own = gateway.addresses[0];
        let mut client = gateway.log_in("tim");
        let other = TcpListener::bind("127.0.0.2:0").unwrap();
        let taken = other.local_addr().unwrap();
        let everywhere = SocketAddr::from(([0, 0, 0, 0], own.port()));
        for (bad, part) in [
            (taken, "another program listens there already"),
            (everywhere, "that needs a restart"),
        ] {
            config.write(&format!(
                "{}greeting = \"second\"\nallow_clear_login = true\n",
                listener(&format!("\"127.0.0.3:0\", \"{bad}\""))
            ));
            gateway.signal("HUP");
            let entry = gateway.wait_for(REFUSED);
            let error = entry["error"].as_str().unwrap();
            assert!(
                error.starts_with(&format!("cannot listen on {bad}: ")) && error.contains(part),
                "{error}"
            );
            assert!(gateway.connect().received.starts_with(b"+OK first"));
        }
        // the next one that is good takes everything
        config.write(&format!(
            "{}greeting = \"third\"\n",
            listener("\"127.0.0.1:0\", \"127.0.0.3:0\"")
        ));
        gateway.signal("HUP");
        assert!(is_served(address(&gateway.wait_for("listening"))));
        gateway.wait_for(RELOADED);
        assert!(gateway.connect().received.starts_with(b"+OK third"));
        assert!(client.say("QUIT").starts_with("+OK"), "{runtime}");
    }
}

/// An address that stays takes every other change: TLS, limits, and what is spoken there.
#[test]
fn an_address_that_stays_changes_what_it_is() {
    for runtime in RUNTIMES {
        let (_, imap) = imap(&["tim"]);
        let config = Written::new(imap);
        let plain = listener("\"127.0.0.1:0\"");
        config.write(&plain);
        let mut gateway = config.start(runtime, 1);
        let own = gateway.addresses[0];
        let mut client = gateway.log_in("tim");

        config.write(&format!(
            "{plain}tls = \"implicit\"\nself_signed = \"tls\"\n"
        ));
        reload(&mut gateway);
        let certificate = config.file.with_file_name("tls").join("self-signed.crt");
        let mut new = gateway.connect_tls(0, &certificate).unwrap();
        assert!(new.say("QUIT").starts_with("+OK"), "{runtime}");

        config.write(&format!("{plain}[limits]\nconnections_per_address = 1\n"));
        reload(&mut gateway);
        let mut refused = String::new();
        let mut stream = TcpStream::connect(own).unwrap();
        stream.read_to_string(&mut refused).unwrap();
        assert!(refused.starts_with("-ERR [SYS/TEMP]"), "{refused}");

        #[cfg(feature = "http")]
        {
            let get = || {
                let mut stream = TcpStream::connect(own).unwrap();
                let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
                stream.write_all(request).unwrap();
                let mut said = String::new();
                stream.read_to_string(&mut said).unwrap();
                said
            };
            config.write(&format!(
                "{}[[http]]\nlisten = \"127.0.0.1:0\"\n",
                listener("\"127.0.0.2:0\"")
            ));
            reload(&mut gateway);
            while !get().starts_with("HTTP/1.1 200 ") {}
            config.write(&plain);
            reload(&mut gateway);
            while !is_served(own) {}
        }
        assert!(client.say("QUIT").starts_with("+OK"), "{runtime}");
    }
}

#[test]
fn the_grace_of_the_last_reload_counts() {
    for runtime in RUNTIMES {
        let (store, imap) = imap_with(&["tim"], Options::default());
        store.deliver("tim", "0123456789\r\n".repeat(2_000_000).into_bytes());
        let config = Written::new(imap);
        let plain = listener("\"127.0.0.1:0\"");
        config.write(&format!("{plain}[timers]\nshutdown_grace = \"1h\"\n"));
        let mut gateway = config.start(runtime, 1);
        let mut client = gateway.log_in("tim");
        client.send(b"RETR 1\r\n");
        assert!(client.line().starts_with("+OK"));
        config.write(&format!("{plain}[timers]\nshutdown_grace = \"100ms\"\n"));
        reload(&mut gateway);
        gateway.signal("TERM");
        assert!(gateway.ended().success(), "{runtime}");
    }
}

/// Clients come all the time and sessions stand, while addresses come and go as fast as signals can.
#[test]
fn a_storm_of_reloads_cuts_nobody() {
    for runtime in RUNTIMES {
        let users: Vec<_> = (0..20).map(|number| format!("user{number}")).collect();
        let (_, imap) = imap(&users.iter().map(String::as_str).collect::<Vec<_>>());
        let config = Written::new(imap);
        let small = listener("\"127.0.0.1:0\"");
        let large = listener("\"127.0.0.2:0\", \"127.0.0.1:0\", \"127.0.0.3:0\"");
        config.write(&small);
        let gateway = config.start(runtime, 1);
        let own = gateway.addresses[0];
        let mut standing: Vec<Client> = users.iter().map(|user| gateway.log_in(user)).collect();
        let (is_over, served) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        assert!(is_served(own), "{runtime}");
                        served.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            for turn in 0..60 {
                let text = match turn % 3 {
                    0 => &large,
                    1 => "[[listener]]\nnonsense = 1\n",
                    _ => &small,
                };
                config.write(text);
                gateway.signal("HUP");
                for client in &mut standing {
                    assert!(client.say("NOOP").starts_with("+OK"), "{runtime}");
                }
            }
            is_over.store(true, Ordering::Relaxed);
        });
        assert!(served.into_inner() > 0);
        config.write(&format!("{small}greeting = \"at last\"\n"));
        gateway.signal("HUP");
        while !gateway.connect().received.starts_with(b"+OK at last") {}
        for client in &mut standing {
            assert!(client.say("QUIT").starts_with("+OK"), "{runtime}");
        }
    }
}
