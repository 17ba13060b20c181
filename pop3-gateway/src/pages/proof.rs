//! Whose mailbox it is.
//!
//! Owns both halves of the proof: what the provider says of who signed in, and the mailbox that opens with the token.
//! Neither would do alone: what a provider says may be an address that it never looked at, and a server may open the
//! mailbox of the token whatever name stands beside it. Where a provider says nothing, the mailbox alone decides.

use pop3_proto::backend::{Login, Mechanism, RefusalKind};

use super::desk::{Desk, Lead};
use super::problem::Problem;
use crate::oauth::Obtained;
use crate::oauth::claims::Claims;
use crate::oauth::refusal::clean;
use crate::probe;

/// Fails unless the mailbox is that of who signed in.
pub(super) fn prove(desk: &Desk, lead: &Lead<'_>, obtained: &Obtained) -> Result<(), Problem> {
    said(lead, obtained)?;
    opens(desk, lead, obtained)
}

fn said(lead: &Lead<'_>, obtained: &Obtained) -> Result<(), Problem> {
    let names = obtained.id_token.as_ref().and_then(Claims::read);
    let names = names.map(|claims| claims.names).unwrap_or_default();
    let own = |name: &String| {
        [&lead.address, &lead.mailbox]
            .iter()
            .any(|own| own.to_lowercase() == name.to_lowercase())
    };
    match names.first() {
        Some(first) if !names.iter().any(own) => Err(Problem::SomebodyElse {
            person: first.clone(),
            address: lead.address.clone(),
        }),
        Some(_) | None => Ok(()),
    }
}

fn opens(desk: &Desk, lead: &Lead<'_>, obtained: &Obtained) -> Result<(), Problem> {
    let mechanism = lead.place.authority.provider().mechanism();
    let login = Login::Bearer {
        mechanism: Mechanism::new(mechanism).ok_or(Problem::Unkept)?,
        user: lead.mailbox.clone(),
        token: obtained.access.clone(),
        renewal: None,
    };
    let found = probe::open(&lead.place.ready, desk.runtime, &login).map_err(|failure| {
        tracing::error!(
            error = failure.message,
            "a mailbox cannot be opened to see whose it is"
        );
        Problem::MailAway
    })?;
    if found.maildrop.is_some() && found.failure.is_none() {
        return Ok(());
    }
    let said = found.failure.unwrap_or_default();
    let (mailbox, place) = (&lead.mailbox, &*lead.place.ready.name);
    tracing::warn!(
        mailbox,
        upstream = place,
        said,
        "a mailbox did not open after a sign-in"
    );
    let is_refused = matches!(
        found.refusal,
        Some(RefusalKind::Credentials | RefusalKind::Policy)
    );
    match is_refused || found.is_logged_in {
        true => Err(Problem::Closed {
            address: lead.address.clone(),
            said: clean(&said, 200),
        }),
        false => Err(Problem::MailAway),
    }
}
