//! `setup`: a configuration for one mailbox, to begin with.
//!
//! Owns what is written into it, and the commands that come next. Writes one new file and never over another. Asks
//! the domain's own web server which IMAP server it has, and nobody else: MX and SRV records are not looked at.
//!
//! | file | what it owns |
//! |---|---|
//! | `known` | the providers' domains and IMAP servers |
//! | `autoconfig` | what a domain tells of its IMAP server |

mod autoconfig;
mod known;

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use serde_json::json;

use crate::cli::tools::Setup;
use crate::config::Config;
use crate::oauth::{Flow, Profile, Provider};
use crate::setting::value::Word as _;
use crate::{Failure, print};

/// What stands where the app's id has to be put.
const PLACEHOLDER: &str = "PUT-THE-ID-OF-YOUR-APP-HERE";

/// Where the mail is, and who gives tokens for it.
#[derive(Debug)]
struct Plan {
    url: String,
    /// Nothing: the server takes passwords.
    profile: Option<Profile>,
}

/// Runs `setup`.
pub fn run(arguments: &Setup) -> Result<(), Failure> {
    let plan = plan(arguments)?;
    let text = written(arguments, &plan);
    // what is written must be what the other commands take
    Config::parse(&text, &arguments.config)?;
    write(&arguments.config, &text)?;
    print(next(arguments, &plan).as_bytes())
}

fn plan(arguments: &Setup) -> Result<Plan, Failure> {
    let address = &arguments.address;
    let domain = address
        .rsplit_once('@')
        .map(|(_, domain)| domain.to_lowercase());
    let domain = domain.filter(|domain| is_domain(domain)).ok_or_else(|| {
        Failure::configuration(format!(
            "{address:?} is no mail address; write for example ann@example.org"
        ))
    })?;
    let chosen = match (&arguments.profile, &arguments.issuer) {
        (Some(word), _) => Profile::find(word).ok(),
        (None, Some(_)) => Some(Profile::Oidc),
        (None, None) => known::by_domain(&domain).map(|(profile, _)| profile),
    };
    let url = arguments.upstream.clone().or_else(|| {
        let url = match known::by_domain(&domain) {
            Some((profile, url)) if chosen == Some(profile) => Some(url),
            Some(_) | None => chosen.and_then(known::server),
        };
        url.map(str::to_owned)
    });
    if let Some(url) = url {
        let profile = chosen.or_else(|| known::by_server(&url));
        return Ok(Plan { url, profile });
    }
    let found = autoconfig::ask(&domain, address).map_err(|why| {
        Failure::running(format!(
            "{domain} does not tell which IMAP server it has ({why}); name the provider with --profile, or the server with \
             --upstream imaps://HOST"
        ))
    })?;
    let profile = chosen.or_else(|| known::by_server(&found));
    Ok(Plan {
        url: found,
        profile,
    })
}

fn is_domain(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
    !text.is_empty() && text.len() <= 253 && text.chars().all(plain)
}

/// How the grant comes about.
fn flow(arguments: &Setup, profile: Profile) -> Flow {
    let provider = Provider {
        profile,
        ..Provider::default()
    };
    let chosen = arguments
        .flow
        .as_deref()
        .and_then(|word| Flow::find(word).ok());
    let account = arguments.service_account_file.is_some();
    chosen.unwrap_or_else(|| match account {
        true => Flow::ServiceAccount,
        false => provider.flows().first().copied().unwrap_or(Flow::Code),
    })
}

fn written(arguments: &Setup, plan: &Plan) -> String {
    // JSON's texts are TOML's too
    let word = |text: &str| json!(text).to_string();
    let mut text = format!(
        "# Made by \"pop3-gateway setup {}\". pop3-gateway.example.toml explains every setting.\n\n\
         # Programs on this machine find their mail here. For other machines: another address, and tls.\n\
         [[listener]]\nname = \"local\"\nlisten = {}\n\n",
        arguments.address,
        word(&arguments.listen)
    );
    // writing to a String does not fail
    if let Some(profile) = plan.profile {
        let name = word(profile.word());
        let _ = write!(
            text,
            "# Where grants and accounts are kept. Both files are made at the first sign-in. Who has both has the\n\
             # mailboxes; without the key everybody signs in anew. So keep copies of them apart from each other.\n\
             [state]\nurl = \"sqlite:state.db\"\nkey_file = \"state.key\"\n\n\
             # Who gives tokens. docs/providers says how the app is registered there.\n\
             [[provider]]\nname = {name}\nprofile = {name}\n"
        );
        let mut line = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = writeln!(text, "{key} = {}", word(&value));
            }
        };
        line("tenant", arguments.tenant.clone());
        line("issuer", arguments.issuer.clone());
        let client = arguments.client_id.clone();
        let client = client.or_else(|| {
            let needed = arguments.service_account_file.is_none();
            needed.then(|| PLACEHOLDER.to_owned())
        });
        line("client_id", client);
        line(
            "client_secret_file",
            arguments.client_secret_file.as_deref().map(absolute),
        );
        line(
            "certificate",
            arguments.certificate.as_deref().map(absolute),
        );
        line(
            "private_key",
            arguments.private_key.as_deref().map(absolute),
        );
        line(
            "service_account_file",
            arguments.service_account_file.as_deref().map(absolute),
        );
        let _ = write!(
            text,
            "\n# How they come about: \"code\" (a person signs in with a browser), \"device\" (a person enters a code), \"app\" or\n\
             # \"service-account\" (nobody signs in).\n\
             [[grant]]\nname = {name}\nprovider = {name}\nflow = {}\n\n",
            word(flow(arguments, profile).word())
        );
    }
    let _ = write!(
        text,
        "# Where the mail is.\n[[upstream]]\nname = \"mail\"\nurl = {}\n",
        word(&plan.url)
    );
    if let Some(profile) = plan.profile {
        let _ = writeln!(text, "grant = {}", word(profile.word()));
    }
    text
}

/// Paths in a configuration begin at its folder, those of a command line elsewhere.
fn absolute(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.display().to_string()
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let made = OpenOptions::new().write(true).create_new(true).open(file);
    let mut made = made.map_err(|error| match error.kind() == ErrorKind::AlreadyExists {
        true => Failure::presence(format!(
            "{} is there already, and is not written over; choose another name with --config",
            file.display()
        )),
        false => Failure::running(format!("{}: cannot be written: {error}", file.display())),
    })?;
    made.write_all(text.as_bytes())
        .and_then(|()| made.sync_all())
        .map_err(|error| Failure::running(format!("{}: {error}", file.display())))
}

fn next(arguments: &Setup, plan: &Plan) -> String {
    let (file, address) = (arguments.config.display(), &arguments.address);
    let mut text = format!("{file} is written, for {address} at {}.\n", plan.url);
    let mut step = |what: &str, command: &str| {
        let _ = write!(text, "\n{what}\n    {command}\n");
    };
    if let Some(profile) = plan.profile {
        if arguments.client_id.is_none() && arguments.service_account_file.is_none() {
            step(
                &format!(
                    "Register an app at the provider (docs/providers says how), and put its id into {file} in the place of"
                ),
                PLACEHOLDER,
            );
        }
        if flow(arguments, profile).signs_in() {
            step(
                "Sign in:",
                &format!("pop3-gateway sign-in --config {file} {address}"),
            );
        }
        step(
            "Make an account for a device; it shows a password:",
            &format!("pop3-gateway account add --config {file} --mailbox {address}"),
        );
    }
    step("Run it:", &format!("pop3-gateway serve --config {file}"));
    step(
        "Look, with that password:",
        &format!("curl --user {address} pop3://{}", arguments.listen),
    );
    let look = match plan.profile {
        Some(_) => format!("pop3-gateway doctor --config {file} {address}"),
        None => format!("pop3-gateway check --config {file} --connect"),
    };
    step("If something does not work:", &look);
    text
}
