//! `check`: says what a configuration would run, or what is wrong with it.
//!
//! Loads what the configuration names and checks that stores are there, but listens nowhere and makes no
//! file.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde_json::{Value, json};

use crate::certificates::{self, Certificate, Watch};
#[cfg(feature = "cluster")]
use crate::cluster;
use crate::config::{Config, ConfigError, RuntimeKind};
use crate::probe;
use crate::setting::value::Word as _;
use crate::tools;
use crate::wiring::{self, Absent, Surroundings};
use crate::{Failure, advice, cli, descriptors, logging, print, runtime};

/// Runs `check`.
pub fn run(arguments: &cli::Check) -> Result<(), Failure> {
    let found = Config::load(&arguments.file.config);
    if arguments.json
        && let Err(error) = &found
    {
        return refuse(position(error), error.to_string());
    }
    let config = found?;
    let (verified, heard) = logging::warnings(|| {
        advice::give(&config, Some(&arguments.file.config));
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
    let file = arguments.file.config.display();
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
        #[cfg(feature = "cluster")]
        if let Some(cluster) = &config.cluster {
            let failure = cluster::probe(cluster).err().map(|failure| failure.message);
            let name = "cluster".to_owned();
            let found = probe::Found {
                failure,
                ..probe::Found::default()
            };
            print(told(&name, &found).as_bytes())?;
            failed.extend(found.failure.map(|_| name));
        }
    }
    #[cfg(feature = "acme")]
    if let (true, Some(settings)) = (arguments.connect, &config.acme) {
        let name = "acme";
        match crate::acme::terms(settings) {
            Ok(terms) => {
                print(format!("\n{name}\n  terms of service: {terms}\n  ok\n").as_bytes())?
            }
            Err(failure) => {
                print(format!("\n{name}\n  FAILED: {failure}\n").as_bytes())?;
                failed.push(name.to_owned());
            }
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
    #[cfg(feature = "cluster")]
    if let Some(cluster) = &config.cluster {
        cluster::parts(cluster)?;
    }
    wiring::wire(config, &Surroundings::default(), Absent::Leave)?;
    let mut watch = Watch::default();
    watch.shows(certificates::shown(config));
    let ends = watch.look(certificates::now()).into_iter();
    let ends = ends.map(|warning| (Some(warning.of()), warning.to_string()));
    let mut warnings: Warnings = ends.collect();
    for store in &config.stores {
        let of = format!("store {:?}", store.name);
        let told = store
            .kind
            .check(store)
            .map_err(|error| Failure::configuration(format!("{of}: {error}")))?;
        warnings.extend(told.into_iter().map(|told| (Some(of.clone()), told)));
    }
    Ok((runtime::chosen(config.runtime)?, warnings))
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
    let mut rows = vec![("runtime", runtime.word().into())];
    rows.extend(config.told());
    let now = certificates::now();
    let shown = certificates::shown(config);
    rows.extend(shown.iter().map(|own| ("certificate", own.told(now))));
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

fn as_json(config: &Config, runtime: RuntimeKind, warnings: &Warnings) -> Value {
    let warning = |(of, what): &(Option<String>, String)| json!({ "of": of, "what": what });
    let mut told = config.told_json();
    let shown = certificates::shown(config);
    told["certificates"] = shown.iter().map(Certificate::told_json).collect();
    told["ok"] = true.into();
    told["runtime"] = runtime.word().into();
    told["warnings"] = warnings.iter().map(warning).collect();
    told
}
