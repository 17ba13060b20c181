//! A real redis-server on a port of loopback, with its files in a scratch folder. It dies with the test.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// A running server, empty at first.
pub struct Redis {
    folder: tempfile::TempDir,
    child: Option<Child>,
    pub port: u16,
    /// Further words of its command line.
    extra: Vec<String>,
}

impl Redis {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With further words of its command line.
    pub fn start_with(extra: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("redis-").tempdir().unwrap();
        let mut server = Self {
            folder,
            child: None,
            port: free_port(),
            extra: extra.iter().map(ToString::to_string).collect(),
        };
        server.restart();
        server
    }

    /// With TLS on its port, for localhost alone; and the authority's certificate.
    pub fn start_with_tls() -> (Self, PathBuf) {
        let folder = tempfile::Builder::new().prefix("redis-").tempdir().unwrap();
        let path = folder.path().to_owned();
        for arguments in [
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem",
            "req -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost \
             -keyout key.pem -out request.pem",
            "x509 -req -days 2 -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial \
             -copy_extensions copy -out certificate.pem",
        ] {
            let mut command = Command::new("openssl");
            let words = arguments.split_ascii_whitespace();
            command.args(words).current_dir(&path).stderr(Stdio::null());
            assert!(command.status().unwrap().success());
        }
        let port = free_port();
        let file = |name: &str| path.join(name).display().to_string();
        let extra = [
            "--port".to_owned(),
            "0".to_owned(),
            "--tls-port".to_owned(),
            port.to_string(),
            "--tls-cert-file".to_owned(),
            file("certificate.pem"),
            "--tls-key-file".to_owned(),
            file("key.pem"),
            "--tls-auth-clients".to_owned(),
            "no".to_owned(),
            "--tls-ca-cert-file".to_owned(),
            file("ca.pem"),
        ];
        let mut server = Self {
            folder,
            child: None,
            port,
            extra: extra.into(),
        };
        server.restart();
        (server, path.join("ca.pem"))
    }

    /// Starts it, if it does not run, and waits until it listens. It knows nothing of before.
    pub fn restart(&mut self) {
        if self.child.is_some() {
            return;
        }
        let mut command = Command::new("redis-server");
        command
            .args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"])
            .args(["--port", &self.port.to_string()])
            .arg("--dir")
            .arg(self.folder.path())
            .args(&self.extra)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let started = command.spawn();
        self.child = Some(started.expect("redis-server: install the package redis-server"));
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "redis-server does not start");
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// It stands still, and its connections with it.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    pub fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let child = self.child.as_ref().unwrap();
        let mut kill = Command::new("kill");
        let status = kill.args([&format!("-{name}"), &child.id().to_string()]);
        assert!(status.status().unwrap().success());
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What redis-cli prints.
    pub fn cli(&self, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        let output = command
            .args(["-p", &self.port.to_string()])
            .args(words)
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
