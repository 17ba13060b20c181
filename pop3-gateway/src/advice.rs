//! Warnings about a configuration that works: who can read or change the files that it names, which user the
//! process runs as, whom a listener believes, and what a rule for names does.
//!
//! The warnings go to the log when `serve` starts or reads its configuration again; `check` collects them from
//! there. Never refuses anything, and never opens a file.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::config::{Config, Listener, MonitorSecret};
use crate::mailbox::kind;
use pop3_server::name::DomainRule;

/// The right of others to read a file.
const OTHERS_READ: u32 = 0o004;
/// The right of others than the owner to write to a file.
const WRITTEN: u32 = 0o022;

/// Logs all warnings. `file` is the configuration's own file.
pub(crate) fn give(config: &Config, file: Option<&Path>) {
    for said in all(config, file) {
        tracing::warn!("{said}");
    }
}

fn all(config: &Config, file: Option<&Path>) -> Vec<String> {
    let files = secrets(config, file)
        .into_iter()
        .filter_map(|secret| exposed(&secret));
    let root = rustix::process::geteuid().is_root().then(|| {
        "this runs as root, and a fault in it would be one of the whole machine; start it as a user of its own, with \
         ports from 1024 on, or with the right to bind lower ones (CAP_NET_BIND_SERVICE)"
            .to_owned()
    });
    let all = files.chain(root).chain(merged(config));
    let all = all.chain(config.listeners.iter().filter_map(believing));
    #[cfg(all(feature = "http", feature = "oauth"))]
    let all = all.chain(useless_pages(config));
    all.collect()
}

/// Pages where nobody could connect a mailbox.
#[cfg(all(feature = "http", feature = "oauth"))]
fn useless_pages(config: &Config) -> Option<String> {
    let mut upstreams = config.upstreams.iter();
    let is_useful = upstreams.any(|own| config.signs_in_by_browser(own));
    (config.pages.is_some() && !is_useful).then(|| {
        "nobody can connect a mailbox at the pages: no upstream has a grant that persons sign in for with a browser; add \
         [[grant]] with flow = \"code\", and name it in an [[upstream]]"
            .to_owned()
    })
}

/// A file that others must not read.
struct Secret {
    what: &'static str,
    path: PathBuf,
}

fn secrets(config: &Config, file: Option<&Path>) -> Vec<Secret> {
    let mut found = Vec::new();
    let mut add = |what, path: &Path| {
        found.push(Secret {
            what,
            path: path.to_owned(),
        });
    };
    for listener in &config.listeners {
        for files in &listener.certificates {
            add("the private key", &files.key);
        }
    }
    #[cfg(feature = "http")]
    for files in config.http.iter().flat_map(|own| &own.certificates) {
        add("the private key", &files.key);
    }
    let mut has_secrets = false;
    for store in &config.stores {
        if let Some(accounts) = &store.accounts {
            add("the file of accounts", accounts);
        }
        match store.kind.secret() {
            kind::Secret::File(password) => add("the password of the database", password),
            kind::Secret::Here => has_secrets = true,
            kind::Secret::None => {}
        }
    }
    match config.monitor.as_ref().map(|monitor| &monitor.secret) {
        Some(MonitorSecret::Here(_)) => has_secrets = true,
        Some(MonitorSecret::File(secret)) => add("the secret of the monitoring account", secret),
        None => {}
    }
    if let (true, Some(file)) = (has_secrets, file) {
        add("the configuration with its secrets", file);
    }
    found
}

/// What is wrong with the rights to a file that is there.
fn exposed(secret: &Secret) -> Option<String> {
    let metadata = fs::metadata(&secret.path).ok()?;
    let mode = metadata.mode();
    let what = match (mode & OTHERS_READ, mode & WRITTEN) {
        (0, 0) => return None,
        (_, 0) => "every user of this machine can read",
        (0, _) => "users other than its owner can change",
        (_, _) => "every user of this machine can read, and users other than its owner can change",
    };
    let (name, path) = (secret.what, secret.path.display());
    let mode = mode & 0o7777;
    Some(format!(
        "{what} {name}, {path} (mode {mode:04o}); take these rights away with \"chmod go-w,o-r {path}\""
    ))
}

/// Whether the listener believes everybody who says who the client is.
fn believing(listener: &Listener) -> Option<String> {
    let all = listener
        .proxies
        .iter()
        .find(|network| network.prefix_len() == 0)?;
    Some(format!(
        "the listener {:?} takes a header of the PROXY protocol from every address ({all}): each client can choose \
         the address that its limits, delays and log lines are about; name the balancers in proxy_protocol",
        listener.name
    ))
}

/// Whether the rule of the default route gives users of different domains the same name.
fn merged(config: &Config) -> Option<String> {
    let place = config.routing.default.as_ref()?;
    let rewrite = config.rewrite_of(place)?;
    match &rewrite.domain {
        DomainRule::Keep | DomainRule::Add(_) => None,
        rule @ (DomainRule::Strip | DomainRule::Replace(_)) => Some(format!(
            "user_domain = \"{rule}\" at {place:?} holds for every domain without a route of its own: tim@a.example \
             and tim@b.example are one user there; if you serve several domains, name them under [routing.domain]"
        )),
    }
}
