//! Real database servers in scratch folders, reached by Unix sockets alone.
//!
//! They refuse to be root: started by root, they run as the users of their packages. They die with the test.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    MariaDb,
    Postgres,
}

/// A running server with an empty database.
pub struct Server {
    pub kind: Kind,
    folder: tempfile::TempDir,
    child: Option<Child>,
    /// Further words of its command line.
    extra: Vec<String>,
}

const PATIENCE: Duration = Duration::from_secs(60);

impl Server {
    pub fn start(kind: Kind) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("sql-")
            .tempdir_in("/tmp")
            .unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut server = Self {
            kind,
            folder,
            child: None,
            extra: Vec::new(),
        };
        let data = server.data();
        for folder in [&data, &server.scratch()] {
            fs::create_dir(folder).unwrap();
            if is_root() {
                let owner = format!("{0}:{0}", server.user());
                succeed(Command::new("chown").arg(owner).arg(folder));
            }
        }
        let mut make = server.command(server.installer());
        match kind {
            Kind::Postgres => make
                .args([
                    "-A",
                    "trust",
                    "-U",
                    "test",
                    "-E",
                    "UTF8",
                    "--no-locale",
                    "--no-sync",
                ])
                .arg("-D")
                .arg(&data),
            Kind::MariaDb => make
                .args(["--no-defaults", "--auth-root-authentication-method=normal"])
                .arg("--skip-test-db")
                // several at once would take each other's temporary tables
                .arg(format!("--tmpdir={}", server.scratch().display()))
                .arg(format!("--datadir={}", data.display())),
        };
        succeed(&mut make);
        server.restart();
        server.create_database();
        server
    }

    /// Starts it, if it does not run, and waits until it answers.
    pub fn restart(&mut self) {
        if self.child.is_some() {
            return;
        }
        let data = self.data();
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let mut command = self.command(self.program());
        match self.kind {
            Kind::Postgres => command.arg("-D").arg(&data).arg("-k").arg(&data).args([
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
            ]),
            Kind::MariaDb => command
                .args([
                    "--no-defaults",
                    "--skip-networking",
                    "--innodb-buffer-pool-size=64M",
                    "--max-allowed-packet=1G",
                ])
                .arg(format!("--tmpdir={}", self.scratch().display()))
                .arg(format!("--datadir={}", data.display()))
                .arg(format!("--socket={}", data.join("socket").display()))
                .arg(format!("--pid-file={}", data.join("pid").display())),
        };
        command.args(&self.extra).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let begun = Instant::now();
        while !self.answers() {
            let ended = self
                .child
                .as_mut()
                .and_then(|child| child.try_wait().unwrap());
            assert!(
                begun.elapsed() < PATIENCE && ended.is_none(),
                "{:?} does not start: {}",
                self.kind,
                fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Has it listen on loopback too, with TLS. Gives back the port and the authority's certificate.
    pub fn listen_with_tls(&mut self) -> (u16, PathBuf) {
        let folder = self.folder.path();
        let openssl = |arguments: &str| {
            let mut command = Command::new("openssl");
            command.args(arguments.split(' ')).current_dir(folder);
            succeed(&mut command);
        };
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
        openssl(&format!(
            "req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=authority"
        ));
        openssl(&format!(
            "req {key} -keyout tls.key -out tls.csr -subj /CN=localhost"
        ));
        fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
        openssl(
            "x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out tls.pem",
        );
        let (certificate, key) = (folder.join("tls.pem"), folder.join("tls.key"));
        if is_root() {
            let owner = format!("{0}:{0}", self.user());
            succeed(Command::new("chown").arg(owner).arg(&key));
        }
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let (certificate, key) = (certificate.display(), key.display());
        self.extra = match self.kind {
            Kind::Postgres => vec![
                "-c".into(),
                "ssl=on".into(),
                "-c".into(),
                format!("ssl_cert_file={certificate}"),
                "-c".into(),
                format!("ssl_key_file={key}"),
                "-c".into(),
                "listen_addresses=127.0.0.1".into(),
                "-c".into(),
                format!("port={port}"),
            ],
            Kind::MariaDb => vec![
                "--skip-networking=0".into(),
                "--bind-address=127.0.0.1".into(),
                format!("--port={port}"),
                format!("--ssl-cert={certificate}"),
                format!("--ssl-key={key}"),
            ],
        };
        let authority = folder.join("ca.pem");
        self.kill();
        self.restart();
        (port, authority)
    }

    /// As when its machine is switched off.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        if self.kind == Kind::Postgres {
            // its workers see that the postmaster died, and hold on to its memory until then
            let pid = self.data().join("postmaster.pid");
            let begun = Instant::now();
            while self.has_workers() {
                assert!(begun.elapsed() < PATIENCE);
                thread::sleep(Duration::from_millis(5));
            }
            let _ = fs::remove_file(pid);
        }
    }

    /// It stands still, and its connections with it. Of PostgreSQL alone.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        succeed(Command::new("kill").arg(signal).args(self.processes()));
    }

    pub fn url(&self) -> String {
        self.url_of("test")
    }

    pub fn url_of(&self, database: &str) -> String {
        let data = self.data();
        match self.kind {
            Kind::Postgres => format!(
                "postgres://test@localhost/{database}?host={}",
                data.display()
            ),
            Kind::MariaDb => {
                let socket = data.join("socket");
                format!(
                    "mysql://root@localhost/{database}?socket={}",
                    socket.display()
                )
            }
        }
    }

    /// `PgBouncer` in front of it. `settings` are further lines for it.
    pub fn pooled(&self, settings: &str) -> Pooler {
        let folder = tempfile::Builder::new().prefix("pool-").tempdir_in("/tmp");
        let folder = folder.unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (place, data) = (folder.path().display(), self.data());
        let file = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\ntest = host={} port={} user=test dbname=test\n[pgbouncer]\nauth_type = any\n\
             unix_socket_dir = {place}\nlisten_port = 5432\n{settings}\n",
            data.display(),
            self.port()
        );
        fs::write(&file, text).unwrap();
        if is_root() {
            let owner = format!("{0}:{0}", self.user());
            succeed(Command::new("chown").arg(owner).arg(folder.path()));
        }
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut command = self.command(self.find("pgbouncer"));
        command.arg(&file).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let socket = folder.path().join(".s.PGSQL.5432");
        let begun = Instant::now();
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            let log = fs::read_to_string(folder.path().join("log"));
            assert!(begun.elapsed() < PATIENCE, "{log:?}");
            thread::sleep(Duration::from_millis(10));
        }
        Pooler { folder, child }
    }

    /// Runs SQL as somebody else.
    pub fn sql(&self, database: &str, sql: &str) -> Result<(), sqlx::Error> {
        use sqlx::{Connection, Executor};
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        smol::block_on(async {
            match self.kind {
                Kind::Postgres => {
                    let mut connection = self.postgres(database).await?;
                    connection.execute(sqlx::raw_sql(sql)).await?;
                    connection.close().await
                }
                Kind::MariaDb => {
                    let mut connection = self.mysql(database).await?;
                    connection.execute(sqlx::raw_sql(sql)).await?;
                    connection.close().await
                }
            }
        })
    }

    pub async fn postgres(&self, database: &str) -> Result<sqlx::PgConnection, sqlx::Error> {
        let options = sqlx::postgres::PgConnectOptions::new_without_pgpass()
            .socket(self.data())
            .port(self.port())
            .username("test")
            .database(database);
        <sqlx::PgConnection as sqlx::Connection>::connect_with(&options).await
    }

    /// It is a part of the socket's name.
    fn port(&self) -> u16 {
        let port = self
            .extra
            .last()
            .and_then(|last| last.strip_prefix("port="));
        port.map_or(5432, |port| port.parse().unwrap())
    }

    pub async fn mysql(&self, database: &str) -> Result<sqlx::MySqlConnection, sqlx::Error> {
        let options = sqlx::mysql::MySqlConnectOptions::new()
            .socket(self.data().join("socket"))
            .ssl_mode(sqlx::mysql::MySqlSslMode::Disabled)
            .username("root")
            .database(database);
        <sqlx::MySqlConnection as sqlx::Connection>::connect_with(&options).await
    }

    fn create_database(&self) {
        let (first, create) = match self.kind {
            Kind::Postgres => ("postgres", "CREATE DATABASE test"),
            Kind::MariaDb => ("mysql", "CREATE DATABASE test CHARACTER SET utf8mb4"),
        };
        self.sql(first, create).unwrap();
    }

    fn answers(&self) -> bool {
        let first = match self.kind {
            Kind::Postgres => "postgres",
            Kind::MariaDb => "mysql",
        };
        self.sql(first, "SELECT 1").is_ok()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn scratch(&self) -> PathBuf {
        self.folder.path().join("scratch")
    }

    fn user(&self) -> &'static str {
        match self.kind {
            Kind::Postgres => "postgres",
            Kind::MariaDb => "mysql",
        }
    }

    fn program(&self) -> PathBuf {
        self.find(match self.kind {
            Kind::Postgres => "postgres",
            Kind::MariaDb => "mariadbd",
        })
    }

    fn installer(&self) -> PathBuf {
        self.find(match self.kind {
            Kind::Postgres => "initdb",
            Kind::MariaDb => "mariadb-install-db",
        })
    }

    /// Debian keeps PostgreSQL's programs out of the path.
    fn find(&self, name: &str) -> PathBuf {
        let mut folders: Vec<PathBuf> = ["/usr/bin", "/usr/sbin", "/usr/local/bin"]
            .map(PathBuf::from)
            .into();
        if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
            folders.extend(versions.map(|version| version.unwrap().path().join("bin")));
        }
        let found = folders
            .into_iter()
            .map(|folder| folder.join(name))
            .find(|path| path.exists());
        found.unwrap_or_else(|| {
            panic!("{name} is not installed: apt-get install mariadb-server postgresql pgbouncer, or .ci/run tools")
        })
    }

    /// As the package's user, and dead when the test is.
    fn command(&self, program: PathBuf) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if is_root() {
            let user = self.user();
            command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
        }
        command.arg(program).current_dir(self.folder.path());
        command
    }

    fn has_workers(&self) -> bool {
        !self.processes().is_empty()
    }

    /// Of PostgreSQL: they all live in its data.
    fn processes(&self) -> Vec<String> {
        let data = self.data();
        let Ok(processes) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        let own = processes.flatten().filter(|process| {
            let cwd = fs::read_link(process.path().join("cwd"));
            cwd.is_ok_and(|cwd| cwd == data)
        });
        own.filter_map(|process| process.file_name().into_string().ok())
            .collect()
    }
}

/// `PgBouncer`.
pub struct Pooler {
    folder: tempfile::TempDir,
    child: Child,
}

impl Pooler {
    pub fn url(&self) -> String {
        let folder = self.folder.path().display();
        format!("postgres://test@localhost/test?host={folder}")
    }

    /// A text that another program gets.
    pub fn told(&self, sql: &'static str) -> String {
        use sqlx::Row;
        let options = sqlx::postgres::PgConnectOptions::new_without_pgpass()
            .socket(self.folder.path())
            .extra_float_digits(None)
            .username("test")
            .database("test");
        smol::block_on(async {
            let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect_with(&options)
                .await
                .unwrap();
            let row = sqlx::raw_sql(sql).fetch_one(&mut connection).await;
            row.unwrap().get(0)
        })
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // its own way to go at once; killed, PostgreSQL would leave its children behind
            let quit = Command::new("kill")
                .args(["-QUIT", &child.id().to_string()])
                .status();
            if self.kind == Kind::MariaDb || quit.is_err() {
                let _ = child.kill();
            }
            let _ = child.wait();
        }
    }
}

fn is_root() -> bool {
    let uid = fs::metadata("/proc/self").map(|metadata| {
        use std::os::unix::fs::MetadataExt;
        metadata.uid()
    });
    uid.is_ok_and(|uid| uid == 0)
}

fn succeed(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
