//! A token for a mailbox, got as a login gets it, and what it says of itself.
//!
//! Owns what claims ought to say. They are not verified, so a mailbox that opens proves more than they do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_lite::future::block_on;
use gateway_state::{Binding, GrantId};
use pop3_proto::secret::Secret;

use super::place::{Place, Target};
use super::remedy::{delegation, is_id};
use super::step::{Missing, of_state};
use crate::oauth::claims::Claims;
use crate::oauth::{
    Ask, Authority, Flow, Granted, Keeper, Obtained, Profile, Refusal, Source, now,
};
use crate::tools::devices::date;

/// A grant at its provider, whose last answer is kept: the keeper tells a login less than a person wants to know.
#[derive(Debug)]
pub(super) struct Watched {
    granted: Granted,
    last: Mutex<Option<Result<Secret, Refusal>>>,
}

impl Watched {
    pub(super) fn new(authority: Arc<Authority>, flow: Flow) -> Self {
        Self {
            granted: Granted { authority, flow },
            last: Mutex::default(),
        }
    }

    fn last(&self) -> MutexGuard<'_, Option<Result<Secret, Refusal>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Watched {
    fn flow(&self) -> Flow {
        self.granted.flow()
    }

    fn binding(&self) -> (String, String) {
        self.granted.binding()
    }

    fn obtain(&self, ask: Ask<'_>) -> Result<Obtained, Refusal> {
        let obtained = self.granted.obtain(ask);
        let access = obtained.as_ref().map(|obtained| obtained.access.clone());
        *self.last() = Some(access.map_err(Clone::clone));
        obtained
    }
}

/// Whose grant opens the mailbox.
pub(super) fn owner<'p>(place: &'p Place<'_>, target: &'p Target<'_>) -> &'p str {
    let mailbox = target.mailbox.unwrap_or_default();
    let mut accounts = place.accounts.iter().filter(|own| {
        own.place == target.upstream.name && own.mailbox.eq_ignore_ascii_case(mailbox)
    });
    match target.flow {
        Flow::App => "",
        Flow::ServiceAccount => mailbox,
        Flow::Code | Flow::Device => accounts
            .find_map(|own| own.owner.as_deref())
            .unwrap_or(mailbox),
    }
}

/// Asks for a new token, and keeps it as the gateway would.
pub(super) fn obtain(
    place: &Place<'_>,
    target: &Target<'_>,
    keeper: &Keeper,
    source: &Watched,
) -> Result<(String, Secret), Missing> {
    let owner = owner(place, target);
    let id = GrantId::new(target.grant, owner.to_lowercase());
    if target.flow == Flow::ServiceAccount && owner.is_empty() {
        let what = "a service account acts for one mailbox at a time";
        return Err(Missing::new(what, "name one: pop3-gateway doctor MAILBOX"));
    }
    let sign_in = |remedy: &str| place.filled(remedy, owner);
    // what is kept counts as refused, so that the provider is asked
    let kept = match target.flow.signs_in() {
        true => kept(place, &id, source).map_err(|missing| Missing {
            remedy: sign_in(&missing.remedy),
            ..missing
        })?,
        false => None,
    };
    *source.last() = None;
    let got = block_on(keeper.token(&id, kept.as_ref()));
    let last = source.last().take();
    match (got, last) {
        (Ok(token), _) => Ok(("the provider gives one".into(), token)),
        // the same again, which is as good
        (Err(_), Some(Ok(token))) if Some(&token) == kept.as_ref() => {
            Ok(("the provider gives the same one again".into(), token))
        }
        (Err(_), Some(Err(refusal))) => {
            let code = refusal.code.as_deref().unwrap_or_default();
            let remedy = match (target.flow, code) {
                (
                    Flow::ServiceAccount,
                    "unauthorized_client" | "access_denied" | "invalid_grant",
                ) => delegation(owner),
                _ => sign_in(&refusal.remedy),
            };
            Err(Missing::new(refusal.what, remedy))
        }
        (Err(error), Some(Ok(_)) | None) => Err(Missing::new(
            error.text,
            "check that the state can be written, and that its disk is not full",
        )),
    }
}

/// The access token that is kept for a person, if somebody signed in.
fn kept(place: &Place<'_>, id: &GrantId, source: &Watched) -> Result<Option<Secret>, Missing> {
    const AGAIN: &str = "sign in with \"pop3-gateway sign-in MAILBOX\"";
    let nobody = || Missing::new(format!("nobody signed in for {}", id.owner), AGAIN);
    let records = place.records.as_ref().ok_or_else(nobody)?;
    let (issuer, client) = source.binding();
    let binding = Binding {
        issuer: &issuer,
        client: &client,
    };
    let grant = records.with(|state| state.grant(id, binding));
    let grant = grant
        .map_err(|error| of_state(&error))?
        .ok_or_else(nobody)?;
    if let Some(ended) = grant.ended {
        let what = format!(
            "the grant of {} ended on {}: {}",
            id.owner,
            date(ended.at),
            ended.why
        );
        return Err(Missing::new(what, AGAIN));
    }
    if grant.tokens.refresh.is_none() {
        let remedy = "ask for the scope offline_access (Google: access_type=offline), let the administrator look \
                      whether a rule withholds it, and sign in again with \"pop3-gateway sign-in MAILBOX\"";
        return Err(Missing::new("the provider gave no refresh token", remedy));
    }
    Ok(grant.tokens.access)
}

/// What the claims of a token say that cannot be right.
pub(super) fn judge(
    claims: &Claims,
    target: &Target<'_>,
    owner: &str,
) -> Result<(String, ()), Missing> {
    if claims.expires.is_some_and(|end| end <= now()) {
        let what = "the token that came just now has ended already";
        return Err(Missing::new(what, "set the clock of this machine"));
    }
    if target.provider.profile == Profile::Microsoft {
        microsoft(claims, target)?;
    }
    if let Some(person) = &claims.person
        && target.flow.signs_in()
        && !person.eq_ignore_ascii_case(owner)
    {
        return Err(Missing::new(
            format!("{person} signed in for {owner}"),
            format!(
                "sign in again as {owner} with \"pop3-gateway sign-in MAILBOX\"; where {owner} is a mailbox that {person} \
                 may open, make its account with --grant-of {person}"
            ),
        ));
    }
    let whom = claims.person.as_ref().or(claims.app.as_ref());
    let audience = claims.audience.as_deref().unwrap_or("whichever resource");
    let what = match whom {
        Some(whom) => format!("it is of {whom}, for {audience}"),
        None => format!("it is for {audience}"),
    };
    Ok((what, ()))
}

/// The resources that mail is at, by name and by id.
const RESOURCES: [&str; 5] = [
    "https://outlook.office.com",
    "https://outlook.office365.com",
    "https://outlook.office365.us",
    "https://partner.outlook.cn",
    "00000002-0000-0ff1-ce00-000000000000",
];

fn microsoft(claims: &Claims, target: &Target<'_>) -> Result<(), Missing> {
    if let Some(audience) = &claims.audience
        && !RESOURCES.contains(&audience.trim_end_matches('/'))
    {
        return Err(Missing::new(
            format!("the token is for {audience}, not for mail"),
            "leave scopes out of [[provider]], or ask for scopes of https://outlook.office.com alone",
        ));
    }
    if let (Some(has), Some(wanted)) = (&claims.tenant, &target.provider.tenant)
        && is_id(wanted)
        && !has.eq_ignore_ascii_case(wanted)
    {
        return Err(Missing::new(
            format!("the token is of the tenant {has}, not of {wanted}"),
            "check tenant in [[provider]], and that the app is registered there",
        ));
    }
    let (list, wanted, kind) = match target.flow {
        Flow::App => (&claims.roles, "IMAP.AccessAsApp", "application"),
        Flow::Code | Flow::Device | Flow::ServiceAccount => {
            (&claims.scopes, "IMAP.AccessAsUser.All", "delegated")
        }
    };
    if !list.iter().any(|own| own == wanted) {
        return Err(Missing::new(
            format!("the token lacks the {kind} permission {wanted}"),
            format!(
                "add it to the app (App registrations, API permissions, Add a permission, APIs my organization uses, \
                 Office 365 Exchange Online, {kind} permissions, {wanted}), then Grant admin consent"
            ),
        ));
    }
    Ok(())
}
