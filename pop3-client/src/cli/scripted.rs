//! The commands that do one thing and end.

use std::collections::BTreeSet;
use std::time::Duration;

use super::output::Output;
use super::progress::Bar;
use super::{CheckArgs, Cli, Command, DownloadArgs, Failure};
use crate::account::{Access, Account, ConfigError, Settings, endpoint, prompt_name};
use crate::check::{Plan, check};
use crate::console::{self, Editor, Manners};
use crate::download::{Destination, Order, Removal, Report, download};
use crate::mail::Mail;
use crate::{listing, numbers, text};
use pop3_client_io::Transcript;
use pop3_client_io::blocking::Session;

pub(super) fn run(
    cli: &Cli,
    settings: &Settings,
    transcript: Transcript,
    output: &Output,
) -> Result<(), Failure> {
    let enter = || -> Result<Session, Failure> {
        let mut access = Access::new(account(settings)?, transcript.clone());
        Ok(access.open(&mut |complaint| output.note(complaint))?)
    };
    match &cli.command {
        Some(Command::Capa) => capa(settings, transcript, output),
        Some(Command::Check(args)) => probe(args, settings, &transcript, output),
        Some(Command::Download(args)) => fetch(args, settings, transcript, output),
        Some(Command::List { messages }) => {
            let mut session = enter()?;
            list(&mut session, messages, output)?;
            leave(session)
        }
        Some(Command::Show {
            message,
            headers,
            source,
        }) => {
            let mut session = enter()?;
            show(&mut session, *message, *headers, *source, output)?;
            leave(session)
        }
        Some(Command::Delete { messages }) => delete(enter()?, messages, output),
        Some(Command::Stat) => {
            let mut session = enter()?;
            let (messages, octets) = session.stat()?;
            let value = serde_json::json!({ "messages": messages, "octets": octets });
            output.result(&value, || {
                let count = text::count(messages, "message");
                format!("{count}, {octets} octets\n")
            })?;
            leave(session)
        }
        Some(Command::Uidl { messages }) => {
            let mut session = enter()?;
            uidl(&mut session, messages, output)?;
            leave(session)
        }
        Some(Command::Console) | None => console(settings, transcript),
        // it needs no account
        Some(Command::Completions { .. } | Command::Man { .. }) => Ok(()),
    }
}

fn console(settings: &Settings, transcript: Transcript) -> Result<(), Failure> {
    let access = Access::new(account(settings)?, transcript);
    let mut editor = Editor::new()?;
    Ok(console::run(access, &mut editor, Manners::default())?)
}

/// The account; the user at the terminal is asked for a missing name.
fn account(settings: &Settings) -> Result<Account, ConfigError> {
    let mut settings = settings.clone();
    if let (None, Some(host)) = (&settings.user, &settings.host) {
        // without a terminal the error names what is missing
        settings.user = prompt_name(&format!("User at {host}:")).ok();
    }
    Account::new(&settings)
}

/// Nothing was marked, so nothing depends on how the session ends.
fn leave(mut session: Session) -> Result<(), Failure> {
    let _ = session.quit();
    Ok(())
}

/// The messages that were named, or all.
fn chosen(messages: &[String], there: &BTreeSet<u32>) -> Result<Vec<u32>, Failure> {
    if messages.is_empty() {
        return Ok(there.iter().copied().collect());
    }
    let words: Vec<_> = messages.iter().map(String::as_str).collect();
    numbers::parse(&words, there).map_err(Failure::Partly)
}

fn list(session: &mut Session, messages: &[String], output: &Output) -> Result<(), Failure> {
    let sizes = session.sizes()?;
    let chosen: Vec<_> = chosen(messages, &sizes.keys().copied().collect())?
        .into_iter()
        .map(|number| (number, sizes.get(&number).copied().unwrap_or(0)))
        .collect();
    let lines = listing::fetch(session, &chosen)?;
    output.result(&lines, || {
        // cut for people only: a pipe gets whole lines
        let width = crate::terminal::width().unwrap_or(usize::MAX);
        lines
            .iter()
            .map(|line| line.show(width, false) + "\n")
            .collect()
    })?;
    Ok(())
}

fn show(
    session: &mut Session,
    number: u32,
    headers: bool,
    source: bool,
    output: &Output,
) -> Result<(), Failure> {
    let octets = session.message(number, headers.then_some(0))?;
    if source {
        return Ok(output.raw(&octets)?);
    }
    let mail = Mail::parse(&octets);
    if headers {
        let head = mail.raw_head();
        let value = serde_json::json!({ "number": number, "headers": head });
        return Ok(output.result(&value, || head)?);
    }
    let attachments = mail.attachments();
    let body = mail.text();
    let value = serde_json::json!({
        "number": number,
        "size": octets.len(),
        "summary": mail.summary(),
        "text": body,
        "attachments": attachments,
    });
    output.result(&value, || {
        let mut shown = format!("{}\n{body}", mail.short_head());
        for attachment in attachments {
            let size = text::size(attachment.size as u64);
            let line = format!(
                "[attached: {}, {}, {size}]\n",
                attachment.name, attachment.kind
            );
            shown.push_str(&line);
        }
        shown
    })?;
    Ok(())
}

fn delete(mut session: Session, messages: &[String], output: &Output) -> Result<(), Failure> {
    let sizes = session.sizes()?;
    let chosen = chosen(messages, &sizes.keys().copied().collect())?;
    let refused = session.delete(&chosen)?;
    session.quit()?;
    let deleted: Vec<_> = chosen
        .into_iter()
        .filter(|number| !refused.contains_key(number))
        .collect();
    let value = serde_json::json!({ "deleted": deleted, "refused": refused });
    output.result(&value, || {
        format!("{} deleted\n", text::count(deleted.len() as u64, "message"))
    })?;
    match refused.first_key_value() {
        None => Ok(()),
        Some((number, why)) => Err(Failure::Partly(format!("message {number} stays: {why}"))),
    }
}

fn uidl(session: &mut Session, messages: &[String], output: &Output) -> Result<(), Failure> {
    let ids = session.unique_ids()?;
    let chosen = chosen(messages, &ids.keys().copied().collect())?;
    let found: Vec<_> = chosen
        .iter()
        .filter_map(|number| Some((number, ids.get(number)?)))
        .collect();
    let value: Vec<_> = found
        .iter()
        .map(|(number, id)| serde_json::json!({ "number": number, "id": id }))
        .collect();
    output.result(&value, || {
        found
            .iter()
            .map(|(number, id)| format!("{number:>5} {id}\n"))
            .collect()
    })?;
    Ok(())
}

fn capa(settings: &Settings, transcript: Transcript, output: &Output) -> Result<(), Failure> {
    let host = settings.host.clone().ok_or(ConfigError::NoHost)?;
    let mut session = Session::connect(&endpoint(host, settings)?.transcript(transcript))?;
    let capabilities: Vec<_> = session
        .capabilities()
        .iter()
        .map(|capability| text::one_line(&capability.to_string()))
        .collect();
    let value = serde_json::json!({
        "greeting": session.greeting(),
        "tls": session.tls(),
        "capabilities": capabilities,
    });
    output.result(&value, || {
        if capabilities.is_empty() {
            "the server does not list its capabilities\n".into()
        } else {
            capabilities.join("\n") + "\n"
        }
    })?;
    let _ = session.quit();
    Ok(())
}

fn probe(
    args: &CheckArgs,
    settings: &Settings,
    transcript: &Transcript,
    output: &Output,
) -> Result<(), Failure> {
    let host = settings.host.clone().ok_or(ConfigError::NoHost)?;
    let identity = match &settings.user {
        None => None,
        Some(_) => {
            let account = Account::new(settings)?;
            let secret = account.secret();
            let secret = secret.map_err(|error| Failure::Usage(error.to_string()))?;
            Some(account.identity(secret))
        }
    };
    let plan = Plan {
        endpoint: endpoint(host, settings)?,
        identity,
        intrusive: args.intrusive,
        sample: args.sample,
    };
    let report = check(&plan, transcript)?;
    output.result(&report, || report.show())?;
    if report.faults() > 0 {
        return Err(Failure::Faults);
    }
    Ok(())
}

fn fetch(
    args: &DownloadArgs,
    settings: &Settings,
    transcript: Transcript,
    output: &Output,
) -> Result<(), Failure> {
    let account = account(settings)?;
    let order = order(args, settings, &account)?;
    let mut access = Access::new(account, transcript);
    let mut open = || access.open(&mut |complaint| output.note(complaint));
    let report = download(&mut open, &order, &mut Bar::default())?;
    for warning in &report.warnings {
        output.note(warning);
    }
    output.result(&report, || said(&report))?;
    match report.refused.first_key_value() {
        None => Ok(()),
        Some((id, why)) => Err(Failure::Partly(format!(
            "{} not fetched, among them {id}: {why}",
            text::count(report.refused.len() as u64, "message")
        ))),
    }
}

fn order(args: &DownloadArgs, settings: &Settings, account: &Account) -> Result<Order, Failure> {
    let defaults = settings.download.clone().unwrap_or_default();
    let to = args.to.clone().or(defaults.to).ok_or_else(|| {
        Failure::Usage("where to? --to maildir:PATH, mbox:PATH or files:PATH".into())
    })?;
    let to: Destination = to.parse().map_err(Failure::Usage)?;
    let removal = match (args.delete_after, args.keep_days) {
        (true, _) => Removal::AfterDownload,
        (false, Some(days)) => Removal::AfterDays(days),
        (false, None) => match (defaults.delete_after, defaults.keep_days) {
            (Some(true), _) => Removal::AfterDownload,
            (_, Some(days)) => Removal::AfterDays(days),
            (_, None) => Removal::Never,
        },
    };
    let state = args.state.clone().or(defaults.state);
    Ok(Order {
        to,
        state: state.map(|state| crate::account::home(&state)),
        account: account.mailbox(),
        removal,
        retries: args.retries,
        pause: Duration::from_secs(2),
    })
}

fn said(report: &Report) -> String {
    let mut said = format!(
        "{} fetched ({}), {} there before",
        text::count(report.fetched, "message"),
        text::size(report.octets),
        report.known
    );
    if report.removed > 0 {
        said.push_str(&format!(", {} removed from the server", report.removed));
    }
    said.push('\n');
    said
}
