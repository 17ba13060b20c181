//! `check`: says what a configuration would run, or what is wrong with it.
//!
//! Loads what the configuration names and checks that stores are there, but listens nowhere and makes no
//! file.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use crate::config::{
    Config, ConfigError, DomainRoute, Listener, Monitor, MonitorSecret, Routing, RuntimeKind,
    bounds, listener, log,
};
use pop3_proto::server::{ReadOnly, TlsOffer};
use serde_json::{Value, json};

use crate::mailbox::Store;
use crate::mailbox::imap::{self, Upstream};
use crate::probe;
use crate::setting::row;
use crate::setting::value::Word as _;
use crate::tools;
use crate::wiring::{self, Absent, Surroundings};
use crate::{Failure, advice, cli, descriptors, logging, print, self_signed, serve};

/// Runs `check`.
pub fn run(arguments: &cli::Check) -> Result<(), Failure> {
    let found = Config::load(&arguments.config);
    if arguments.json
        && let Err(error) = &found
    {
        return refuse(position(error), error.to_string());
    }
    let config = found?;
    let (verified, heard) = logging::warnings(|| {
        advice::give(&config, Some(&arguments.config));
        if let Some((_, warning)) = descriptors::shortage(&config, descriptors::most()) {
            tracing::warn!("{warning}");
        }
        verify(&config)
    });
    let (runtime, mut warnings) = match verified {
        Ok(verified) => verified,
        Err(failure) if arguments.json => return refuse(json!({}), failure.message),
        Err(failure) => return Err(failure),
    };
    warnings.extend(heard.into_iter().map(|what| (None, what)));
    if arguments.json {
        return print(format!("{:#}\n", as_json(&config, runtime, &warnings)).as_bytes());
    }
    let file = arguments.config.display();
    print(
        format!(
            "{file} is good. It would run:\n\n{}",
            as_text(&config, runtime, &warnings)
        )
        .as_bytes(),
    )?;
    try_out(arguments, &config, runtime)
}

/// Connects and logs in, if the flags ask for it. Every upstream is tried before a failure ends the program.
fn try_out(arguments: &cli::Check, config: &Config, runtime: RuntimeKind) -> Result<(), Failure> {
    if !arguments.connect && arguments.login.is_none() {
        return Ok(());
    }
    let (upstreams, gateway) = wiring::ready(config)?;
    let mut failed = Vec::new();
    if arguments.connect {
        for upstream in &upstreams {
            let found = probe::connect(upstream, runtime)?;
            let name = format!("upstream {:?}", upstream.name);
            print(told(&name, &found).as_bytes())?;
            // the probe hangs up by refusing its own login
            let looked = found.failure.as_deref() == Some("only looked");
            failed.extend(found.failure.filter(|_| !looked).map(|_| name));
        }
    }
    if let Some(user) = &arguments.login {
        let password = tools::known_password(user, arguments.password_stdin)?;
        let found = probe::log_in(gateway, runtime, user, &password)?;
        let name = format!("login of {user:?}");
        print(told(&name, &found).as_bytes())?;
        failed.extend(found.failure.map(|_| name));
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::running(format!("{} failed", failed.join(", "))))
    }
}

fn told(name: &str, found: &probe::Found) -> String {
    let mut text = format!("\n{name}\n");
    for note in &found.notes {
        // writing to a string cannot fail
        let _ = writeln!(text, "  {note}");
    }
    let _ = match (&found.failure, found.maildrop) {
        (Some(looked), _) if looked == "only looked" => writeln!(text, "  ok"),
        (Some(failure), _) => writeln!(text, "  FAILED: {failure}"),
        (None, Some((messages, octets))) => {
            writeln!(text, "  ok: {messages} messages, {octets} octets")
        }
        (None, None) => writeln!(text, "  ok"),
    };
    text
}

/// Warnings about a configuration that would run, each with what it is about.
type Warnings = Vec<(Option<String>, String)>;

/// Loads certificates, keys, authorities and accounts, and checks that stores are there.
fn verify(config: &Config) -> Result<(RuntimeKind, Warnings), Failure> {
    wiring::settings(config, &Surroundings::default(), Absent::Leave)?;
    let mut warnings = Warnings::new();
    for store in &config.stores {
        let of = format!("store {:?}", store.name);
        let told = store
            .kind
            .check(store)
            .map_err(|error| Failure::configuration(format!("{of}: {error}")))?;
        warnings.extend(told.into_iter().map(|told| (Some(of.clone()), told)));
    }
    Ok((serve::runtime(config.runtime)?, warnings))
}

/// The refusal in JSON on standard output, the sentence on standard error.
fn refuse(mut place: Value, message: String) -> Result<(), Failure> {
    if let Some(place) = place.as_object_mut() {
        place.insert("message".into(), json!(message));
    }
    let answer = json!({ "ok": false, "error": place });
    // if nothing reads this, the exit code and standard error say the same
    let _ = writeln!(io::stdout(), "{answer:#}");
    Err(Failure::configuration(message))
}

fn position(error: &ConfigError) -> Value {
    json!({
        "file": error.file,
        "line": error.position.map(|(line, _)| line),
        "column": error.position.map(|(_, column)| column),
        "key": error.key,
        "what": error.what,
        "remedy": error.remedy,
        "others": error.others.iter().map(position).collect::<Vec<_>>(),
    })
}

fn as_text(config: &Config, runtime: RuntimeKind, warnings: &Warnings) -> String {
    let mut rows: Vec<(&str, String)> = vec![("runtime", runtime.word().into())];
    rows.extend(
        config
            .listeners
            .iter()
            .map(|listener| ("listener", listener_text(listener))),
    );
    rows.extend(
        config
            .upstreams
            .iter()
            .map(|upstream| ("upstream", upstream.told())),
    );
    for store in &config.stores {
        rows.push(("store", store.told()));
        if let Some(told) = store.kind.unique_ids() {
            rows.push(("unique-ids", format!("of {}: {told}", store.name)));
        }
    }
    if let Some(monitor) = &config.monitor {
        rows.push(("monitor", monitor_text(monitor)));
    }
    rows.extend(
        routes(&config.routing)
            .into_iter()
            .map(|(who, to)| ("route", format!("{who} -> {to}"))),
    );
    let (limits, policy) = (&config.bounds.limits, &config.bounds.policy);
    rows.push((
        "limits",
        format!(
            "{} connections, {} before login, {} an address, {} a user; cut after {} failed logins",
            limits.total,
            limits.strangers,
            limits.per_address,
            limits.per_user,
            policy.failed_logins,
        ),
    ));
    let seconds = |span: std::time::Duration| humantime::format_duration(span).to_string();
    rows.push((
        "timers",
        format!(
            "login within {}, autologout after {}, stalled readers cut after {}",
            seconds(policy.login_grace),
            seconds(policy.autologout),
            seconds(policy.stalled_reader),
        ),
    ));
    rows.push((
        "log",
        format!("{}, {}", config.log.format.word(), config.log.level.word()),
    ));
    if let Some(dir) = &config.transcript {
        rows.push(("transcript", dir.display().to_string()));
    }
    rows.extend(warnings.iter().map(|(of, what)| match of {
        Some(of) => ("warning", format!("{of}: {what}")),
        None => ("warning", what.clone()),
    }));
    let mut text = String::new();
    let mut last = "";
    for (name, value) in rows {
        // writing to a string cannot fail
        let _ = writeln!(text, "{:<12}{value}", if name == last { "" } else { name });
        last = name;
    }
    text
}

fn listener_text(listener: &Listener) -> String {
    let addresses: Vec<_> = listener.addresses.iter().map(ToString::to_string).collect();
    let addresses = addresses.join(", ");
    let tls = match listener.policy.tls {
        TlsOffer::None => "no TLS",
        TlsOffer::Stls => "STLS",
        TlsOffer::Implicit => "TLS from the first byte",
    };
    let clear = match (listener.policy.tls, listener.policy.clear_login) {
        (TlsOffer::Implicit, _) => "",
        (TlsOffer::None | TlsOffer::Stls, true) => ", logins in the clear allowed",
        (TlsOffer::None | TlsOffer::Stls, false) => ", no login before TLS",
    };
    let certificate = match (&listener.self_signed, listener.certificates.len()) {
        (Some(folder), _) if self_signed::is_there(folder) => {
            ", self-signed certificate".to_owned()
        }
        (Some(folder), _) => {
            format!(
                ", self-signed certificate to be made in {}",
                folder.display()
            )
        }
        (None, 0) => String::new(),
        (None, 1) => ", one certificate".to_owned(),
        (None, several) => format!(", {several} certificates"),
    };
    let read_only = match listener.policy.read_only {
        ReadOnly::Always => ", read-only",
        ReadOnly::OnRequest | ReadOnly::Refused => "",
    };
    let name = &listener.name;
    if *name == addresses {
        format!("{addresses}: {tls}{clear}{certificate}{read_only}")
    } else {
        format!("{name} at {addresses}: {tls}{clear}{certificate}{read_only}")
    }
}

fn monitor_text(monitor: &Monitor) -> String {
    let secret = match &monitor.secret {
        MonitorSecret::Here(_) => "secret in the configuration".to_owned(),
        MonitorSecret::File(file) if file.exists() => format!("secret in {}", file.display()),
        MonitorSecret::File(file) => format!("secret to be made in {}", file.display()),
    };
    let user = &monitor.user;
    format!("{user}: {secret}; goes before every route; a mailbox of that name cannot be reached")
}

fn routes(routing: &Routing) -> Vec<(String, String)> {
    let user = |(name, route): (&String, &crate::config::UserRoute)| {
        let to = match &route.user {
            Some(user) => format!("{} as {user}", route.upstream),
            None => route.upstream.clone(),
        };
        (name.clone(), to)
    };
    let domain = |(domain, route): (&String, &DomainRoute)| {
        let to = match &route.rewrite {
            Some(rewrite) => format!("{}, user_domain = {}", route.upstream, rewrite.domain),
            None => route.upstream.clone(),
        };
        (format!("*@{domain}"), to)
    };
    let default = match &routing.default {
        Some(to) => ("everybody else".to_owned(), to.clone()),
        None => (
            "everybody else".to_owned(),
            "nowhere: refused like a wrong password".to_owned(),
        ),
    };
    let named = routing
        .users
        .iter()
        .map(user)
        .chain(routing.domains.iter().map(domain));
    named.chain([default]).collect()
}

fn as_json(config: &Config, runtime: RuntimeKind, warnings: &Warnings) -> Value {
    let listener = |listener: &Listener| {
        let mut told = row::told(listener::ROWS, listener);
        let certificates = listener.certificates.iter().map(|files| &files.chain);
        told.insert("addresses".into(), json!(listener.addresses));
        told.insert(
            "certificates".into(),
            json!(certificates.collect::<Vec<_>>()),
        );
        told
    };
    let upstream = |upstream: &Upstream| row::told(imap::ROWS, upstream);
    let store = |store: &Store| {
        json!({
            "name": store.name,
            "kind": store.kind.word(),
            "path": store.kind.path(),
            "accounts": store.accounts,
            "unique_ids": store.kind.unique_ids(),
        })
    };
    let route = |(who, to): (String, String)| json!({ "who": who, "to": to });
    json!({
        "ok": true,
        "runtime": runtime.word(),
        "listeners": config.listeners.iter().map(listener).collect::<Vec<_>>(),
        "upstreams": config.upstreams.iter().map(upstream).collect::<Vec<_>>(),
        "stores": config.stores.iter().map(store).collect::<Vec<_>>(),
        "monitor": config.monitor.as_ref().map(|monitor| &monitor.user),
        "routes": routes(&config.routing).into_iter().map(route).collect::<Vec<_>>(),
        "limits": row::told(bounds::LIMITS, &config.bounds),
        "timers": row::told(bounds::TIMERS, &config.bounds),
        "log": row::told(log::ROWS, &config.log),
        "transcript": config.transcript,
        "warnings": warnings.iter().map(|(of, what)| json!({ "of": of, "what": what })).collect::<Vec<_>>(),
    })
}
