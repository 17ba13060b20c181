//! Passwords for devices: made, shown once, taken back.
//!
//! Owns the names that devices log in with. Whatever is asked is about the mailbox of the session and no other.

use gateway_state::{Access, Account, StateError};
use local_accounts::{Algorithm, hash};
use pop3_proto::controls::blanked;

use super::browser::{Fresh, Session};
use super::desk::Desk;
use super::guard::{Posted, Visit};
use super::html;
use super::problem::Problem;
use super::reply::{self, Outcome};
use crate::oauth::{device_password, now};

/// The most devices of a mailbox.
const MOST: usize = 40;
/// The longest label, in characters.
const LABEL: usize = 40;

/// The mailbox and its devices.
pub(super) fn list(desk: &Desk, visit: &Visit<'_>) -> Outcome {
    let Some((cookie, session)) = visit.session(desk)? else {
        return Ok(reply::go("/"));
    };
    desk.place(&session)?;
    let browsers = &desk.browsers;
    let devices = devices(desk, &session)?;
    let (token, notice) = (browsers.token(&cookie), browsers.noted(&cookie)?);
    Ok(html::mailbox(
        desk,
        &session,
        &devices,
        &token,
        notice.as_deref(),
    ))
}

fn devices(desk: &Desk, session: &Session) -> Result<Vec<Account>, Problem> {
    let found = desk
        .records
        .with(|state| state.accounts(Some(&session.mailbox)));
    let mut found = found.map_err(|error| Problem::unkept(&error))?;
    found.retain(|own| own.place == session.place);
    found.sort_by_key(|own| own.created);
    Ok(found)
}

/// Makes a password.
pub(super) fn make(desk: &Desk, _: &Visit<'_>, posted: &Posted) -> Outcome {
    let session = posted.session(desk)?;
    desk.place(&session)?;
    if devices(desk, &session)?.len() >= MOST {
        return Err(Problem::TooManyDevices(MOST));
    }
    let label: String = blanked(posted.field("label").trim().chars())
        .take(LABEL)
        .collect();
    let label = match label.is_empty() {
        true => "Device".into(),
        false => label,
    };
    let access = match posted.field("access") {
        "read-write" => Access::ReadWrite,
        // what is not known here may do the least
        _ => Access::ReadOnly,
    };
    let made = device_password().ok().and_then(|password| {
        let credential = hash(&password, Algorithm::Argon2id).ok()?;
        Some((password, credential))
    });
    let (password, credential) = made.ok_or(Problem::Unkept)?;
    for name in names(&session.address, &label) {
        // a name that leads elsewhere would be of no use
        let Ok(lead) = desk.lead(&name) else { continue };
        if *lead.place.ready.name != *session.place {
            continue;
        }
        let mut account = Account::new(
            lead.mailbox,
            session.mailbox.as_str(),
            session.place.as_str(),
            credential.as_str(),
            now(),
        );
        account.label.clone_from(&label);
        account.access = access;
        match desk.records.with(|state| state.add_account(&account)) {
            Ok(()) => {}
            Err(StateError::AccountExists(_)) => continue,
            Err(error) => return Err(Problem::unkept(&error)),
        }
        tracing::info!(
            account = account.name,
            mailbox = session.mailbox,
            "a password was made"
        );
        let fresh = Fresh {
            label,
            name,
            password,
        };
        desk.browsers.keep(&posted.cookie, &fresh)?;
        return Ok(reply::go("/device"));
    }
    Err(Problem::NoName)
}

/// The names that a device may get, the best first: the address itself, then with what it is called.
fn names(address: &str, label: &str) -> impl Iterator<Item = String> + use<> {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let word: String = label
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(12)
        .collect::<String>()
        .to_lowercase();
    let word = if word.is_empty() {
        "device".into()
    } else {
        word
    };
    let (local, domain) = (local.to_owned(), domain.to_owned());
    let more = (1..=MOST * 2).map(move |number| match number {
        1 => format!("{local}+{word}@{domain}"),
        _ => format!("{local}+{word}{number}@{domain}"),
    });
    std::iter::once(address.to_owned()).chain(more)
}

/// Shows the password, once.
pub(super) fn show(desk: &Desk, visit: &Visit<'_>) -> Outcome {
    let Some((cookie, session)) = visit.session(desk)? else {
        return Ok(reply::go("/"));
    };
    if visit.asked.head.method != hyper::Method::GET {
        return Ok(reply::go("/mailbox"));
    }
    match desk.browsers.kept(&cookie)? {
        Some(fresh) => Ok(html::device(desk, &session, &fresh)),
        None => Ok(reply::go("/mailbox")),
    }
}

/// Takes a password back.
pub(super) fn revoke(desk: &Desk, _: &Visit<'_>, posted: &Posted) -> Outcome {
    let session = posted.session(desk)?;
    let name = posted.field("name");
    let devices = devices(desk, &session)?;
    let Some(own) = devices.iter().find(|own| own.name == name) else {
        // it is gone, or was never one of these
        return Ok(reply::go("/mailbox"));
    };
    let removed = desk.records.with(|state| state.remove_account(&own.name));
    removed.map_err(|error| Problem::unkept(&error))?;
    tracing::info!(
        account = own.name,
        mailbox = session.mailbox,
        "a password was taken back"
    );
    let notice = "The password was taken back. The device cannot log in any more.";
    desk.browsers.note(&posted.cookie, notice)?;
    Ok(reply::go("/mailbox"))
}

/// Forgets the mailbox: its passwords, then its grant.
pub(super) fn disconnect(desk: &Desk, _: &Visit<'_>, posted: &Posted) -> Outcome {
    let session = posted.session(desk)?;
    let place = desk.place(&session)?;
    for own in devices(desk, &session)? {
        let removed = desk.records.with(|state| state.remove_account(&own.name));
        removed.map_err(|error| Problem::unkept(&error))?;
    }
    let id = place.grant_of(&session.mailbox);
    let provider = place.authority.provider();
    let (issuer, client) = (provider.issuer(), provider.client_id.as_str());
    let binding = gateway_state::Binding {
        issuer: &issuer,
        client,
    };
    let grant = desk.records.with(|state| state.grant(&id, binding));
    let removed = desk.records.with(|state| state.remove_grant(&id));
    removed.map_err(|error| Problem::unkept(&error))?;
    desk.keeper.forget(&id);
    // a session that rests would come back by it
    if let Some(lot) = &place.ready.lot {
        lot.give_up(&session.mailbox);
    }
    // it is gone here; at the provider it is removed as well as that goes
    if let Ok(Some(grant)) = grant
        && let Some(refresh) = &grant.tokens.refresh
        && let Err(refusal) = place.authority.revoke(refresh)
    {
        tracing::warn!(mailbox = session.mailbox, %refusal, "the provider was not told of a grant's end");
    }
    tracing::info!(mailbox = session.mailbox, "disconnected by its owner");
    desk.browsers.sign_out(&posted.cookie)?;
    let told = html::gone(desk, &session.address);
    Ok(reply::without_cookie(told, desk))
}

/// Ends the session.
pub(super) fn sign_out(desk: &Desk, _: &Visit<'_>, posted: &Posted) -> Outcome {
    desk.browsers.sign_out(&posted.cookie)?;
    Ok(reply::without_cookie(reply::go("/"), desk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_names_that_tell_them_apart() {
        let first = |label: &str| names("ann@example.org", label).take(3).collect::<Vec<_>>();
        assert_eq!(
            first("Scanner (2nd floor)"),
            [
                "ann@example.org",
                "ann+scanner2ndfl@example.org",
                "ann+scanner2ndfl2@example.org"
            ]
        );
        assert_eq!(first("\u{1f4e0}")[1], "ann+device@example.org");
    }
}
