//! Whether a token opens the mailbox, and who may log in to it.
//!
//! Owns which remedy fits which failure.

use std::sync::Arc;

use local_accounts::PasswdFile;
use pop3_proto::backend::{Login, Mechanism, RefusalKind};
use pop3_proto::secret::Secret;

use super::place::{Place, Target};
use super::remedy::{app_commands, delegation, person_commands};
use super::step::{Missing, Steps};
use super::token;
use crate::oauth::claims::Claims;
use crate::oauth::{Flow, Profile, now};
use crate::probe::{self, Found};
use crate::runtime;

/// Opens the mailbox, and looks at the token's claims; where it opens they are right, whatever they say.
pub(super) fn open(steps: &mut Steps, place: &Place<'_>, target: &Target<'_>, token: &Secret) {
    let claims = Claims::read(token);
    let owner = token::owner(place, target);
    let opened = target.mailbox.map(|mailbox| {
        let claims = claims.clone().unwrap_or_default();
        look(place, target, mailbox, token).map_err(|found| match found {
            Ok(found) => Missing::new(
                found.failure.clone().unwrap_or_default(),
                remedy(&found, target, owner, mailbox, &claims),
            ),
            Err(missing) => missing,
        })
    });
    let is_open = matches!(opened, Some(Ok(_)));
    let judged = match &claims {
        None => Ok(("the token does not say".into(), ())),
        Some(claims) => token::judge(claims, target, owner).or_else(|missing| match is_open {
            true => Ok((format!("{}; but it opens the mailbox", missing.what), ())),
            false => Err(Missing {
                remedy: place.filled(&missing.remedy, owner),
                ..missing
            }),
        }),
    };
    let of = target.mailbox.or(Some(target.grant));
    steps.take("claims", of, judged);
    if let Some(opened) = opened {
        steps.take("mailbox", of, opened.map(|what| (what, ())));
    }
}

/// Opens the mailbox for reading, as a session does.
fn look(
    place: &Place<'_>,
    target: &Target<'_>,
    mailbox: &str,
    token: &Secret,
) -> Result<String, Result<Found, Missing>> {
    let here = |what: String| Err(Missing::new(what, "check its [[upstream]]"));
    let imap = &target.upstream.imap;
    let ready = target
        .upstream
        .open(imap.learned.clone(), imap.backoffs.clone());
    let ready = Arc::new(ready.map_err(|error| here(error.to_string()))?);
    let runtime = runtime::chosen(place.config.runtime).map_err(|failure| here(failure.message))?;
    let mechanism = Mechanism::new(target.provider.mechanism());
    let login = Login::Bearer {
        mechanism: mechanism.ok_or_else(|| here("no such mechanism".into()))?,
        user: mailbox.into(),
        token: token.clone(),
        renewal: None,
    };
    let found = probe::open(&ready, runtime, &login);
    let found = found.map_err(|failure| here(failure.message))?;
    match (&found.failure, found.maildrop) {
        (None, Some((messages, octets))) => {
            Ok(format!("it opens: {messages} messages, {octets} octets"))
        }
        (Some(_), _) | (None, None) => Err(Ok(found)),
    }
}

/// What to do about a mailbox that does not open.
fn remedy(
    found: &Found,
    target: &Target<'_>,
    owner: &str,
    mailbox: &str,
    claims: &Claims,
) -> String {
    let refused = found.refusal == Some(RefusalKind::Credentials);
    match target.provider.profile {
        _ if found.refusal == Some(RefusalKind::Policy) => {
            "this server takes no tokens; check url in [[upstream]]".into()
        }
        _ if !refused && !found.is_logged_in && !says_disabled(found) => format!(
            "check url, ca_file and the network with \"pop3-gateway check --connect\"; the server {} has to be reachable \
             and its certificate known",
            target.upstream.url()
        ),
        Profile::Microsoft if target.flow == Flow::App => {
            app_commands(&target.provider.client_id, mailbox, claims)
        }
        Profile::Microsoft => person_commands(owner, mailbox),
        Profile::Google if target.flow == Flow::ServiceAccount => delegation(mailbox),
        Profile::Google => format!(
            "check that {owner} signed in and nobody else, and that IMAP is on (Gmail: Settings, Forwarding and \
             POP/IMAP; Workspace: Apps, Google Workspace, Gmail, End User Access)"
        ),
        Profile::Yandex | Profile::Mailru => format!(
            "turn IMAP on in the settings of {mailbox} (Mail clients), and check that {owner} signed in and nobody else"
        ),
        Profile::Fastmail | Profile::Yahoo | Profile::Oidc if found.is_logged_in => {
            "check folder in [[upstream]], and that the mailbox is there".into()
        }
        Profile::Fastmail | Profile::Yahoo | Profile::Oidc => format!(
            "let the IMAP server's log say why: the token's issuer, audience or scope may not be what it expects, or its \
             claim for the user's name is not {mailbox}"
        ),
    }
}

/// Some servers say so at the login, some by a failure.
fn says_disabled(found: &Found) -> bool {
    let text = found.failure.as_deref().unwrap_or_default().to_lowercase();
    ["disabled", "not connected", "not enabled", "not allowed"]
        .iter()
        .any(|words| text.contains(words))
}

/// Whether somebody may log in to the mailbox.
pub(super) fn accounts(
    place: &Place<'_>,
    target: &Target<'_>,
    mailbox: &str,
) -> Result<(String, ()), Missing> {
    let its = |other: &str| other.eq_ignore_ascii_case(mailbox);
    let kept = place.accounts.iter();
    let kept = kept.filter(|own| own.place == target.upstream.name && its(&own.mailbox));
    let mut found: Vec<_> = kept
        .map(|own| {
            (
                own.name.clone(),
                own.enabled,
                own.expires.is_some_and(|end| end <= now()),
            )
        })
        .collect();
    if let Some(file) = &target.upstream.accounts {
        let file = PasswdFile::read(file)
            .map_err(|error| Missing::new(error.to_string(), "check accounts in [[upstream]]"))?;
        let entries = file.entries().filter(|own| its(own.maildrop()));
        found.extend(entries.map(|own| (own.name().to_owned(), true, own.has_expired(now()))));
    }
    let usable = found.iter().filter(|(_, on, ended)| *on && !ended).count();
    match (usable, found.first()) {
        (0, None) => Err(Missing::new(
            format!("no account opens {mailbox}"),
            place.filled("pop3-gateway account add --mailbox MAILBOX", mailbox),
        )),
        (0, Some((name, on, _))) => Err(Missing::new(
            format!(
                "the account {name} is {}",
                if *on { "at its end" } else { "off" }
            ),
            place.filled(
                "make another one: pop3-gateway account add --mailbox MAILBOX NAME",
                mailbox,
            ),
        )),
        (usable, _) => Ok((format!("{usable} of {} may log in", found.len()), ())),
    }
}
