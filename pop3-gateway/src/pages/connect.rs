//! A sign-in: begun here, and ended when the provider sends the browser back.
//!
//! Owns what is kept of it meanwhile. The keys to that are the `state` that comes back and the cookie of the browser in
//! which it began, both; so a call-back that was forged, stolen or sent to somebody else opens nothing, and does not end
//! the sign-in of the right one either.

use gateway_state::{GrantId, SignIn as Kept, StateError};
use oauth2::url::form_urlencoded;
use pop3_proto::secret::Secret;
use serde::{Deserialize, Serialize};

use super::browser::{Cookie, Session};
use super::desk::{Desk, Lead};
use super::guard::{Posted, Visit};
use super::problem::Problem;
use super::rate::Sort;
use super::reply::{self, Outcome};
use super::{html, proof};
use crate::oauth::{Authority, CallBack, Meaning, Obtained, Refusal, SignIn, now};

/// How long a person may take, in seconds.
const PATIENCE: u64 = 15 * 60;
/// What is late is known for so much longer, to be able to say so.
const LATE: u64 = 15 * 60;
/// How long an invitation is good, in seconds.
const INVITATION: u64 = 24 * 3600;

/// What is kept of a sign-in under way, sealed.
#[derive(Deserialize, Serialize)]
struct Payload {
    verifier: String,
    redirect: String,
    address: String,
    late: u64,
    invited: bool,
}

/// The first page.
pub(super) fn start(desk: &Desk, visit: &Visit<'_>) -> Outcome {
    if visit.session(desk)?.is_some() {
        return Ok(reply::go("/mailbox"));
    }
    let cookie = known_or_new(visit)?;
    let token = desk.browsers.token(&cookie);
    let told = html::start(desk, &token, None);
    Ok(reply::with_cookie(told, desk, &cookie))
}

/// The first page for who was invited. Looking at it does not use the invitation up: programs look at links, too.
pub(super) fn invited(desk: &Desk, visit: &Visit<'_>) -> Outcome {
    let query = visit.asked.head.uri.query().unwrap_or_default();
    let mut fields = form_urlencoded::parse(query.as_bytes());
    let key = fields.find(|(name, _)| name == "key");
    let key = key.map(|(_, key)| key).ok_or(Problem::NoInvitation)?;
    let cookie = known_or_new(visit)?;
    let token = desk.browsers.token(&cookie);
    let told = html::start(desk, &token, Some(&key));
    Ok(reply::with_cookie(told, desk, &cookie))
}

/// What went wrong, said once.
pub(super) fn problem(desk: &Desk, visit: &Visit<'_>) -> Outcome {
    let told = |cookie: &Cookie| desk.browsers.told(cookie).transpose();
    match visit.cookie.as_ref().and_then(told).transpose()? {
        Some(problem) => Err(problem),
        None => Ok(reply::go("/")),
    }
}

fn known_or_new(visit: &Visit<'_>) -> Result<Cookie, Problem> {
    match &visit.cookie {
        Some(cookie) => Ok(cookie.clone()),
        None => Cookie::random().map_err(|_| Problem::Unkept),
    }
}

/// Sends the browser to the provider.
pub(super) fn begin(desk: &Desk, visit: &Visit<'_>, posted: &Posted) -> Outcome {
    visit.count(desk, Sort::Begin)?;
    let key = posted.field("key");
    if key.is_empty() {
        let lead = desk.listed(posted.field("address"))?;
        return send(desk, visit, &posted.cookie, &lead, false);
    }
    let key = invitation_key(key);
    let mut invitation = invitation(desk, &key)?;
    let address = String::from_utf8_lossy(invitation.payload.expose());
    let sent = desk.lead(&address);
    let sent = sent.and_then(|lead| send(desk, visit, &posted.cookie, &lead, true));
    if sent.is_err() {
        // it is for one sign-in, and there was none
        invitation.created = now();
        let kept = desk
            .records
            .with(|state| state.begin_sign_in(&key, &invitation));
        kept.map_err(|error| Problem::unkept(&error))?;
    }
    sent
}

/// Keeps what is needed when the browser comes back, and lets it go.
fn send(
    desk: &Desk,
    visit: &Visit<'_>,
    cookie: &Cookie,
    lead: &Lead<'_>,
    invited: bool,
) -> Outcome {
    let authority = &lead.place.authority;
    let begun = authority.begin_proving(&desk.redirect(), Some(&lead.address));
    let (address, sign_in) = begun.map_err(|refusal| refused(&lead.address, &refusal))?;
    keep(desk, visit, cookie, lead, &sign_in, invited)?;
    Ok(html::leave(desk, &lead.address, &address))
}

fn keep(
    desk: &Desk,
    visit: &Visit<'_>,
    cookie: &Cookie,
    lead: &Lead<'_>,
    sign_in: &SignIn,
    invited: bool,
) -> Result<(), Problem> {
    let begun = now();
    let payload = Payload {
        verifier: String::from_utf8_lossy(sign_in.verifier.expose()).into_owned(),
        redirect: sign_in.redirect.clone(),
        address: lead.address.clone(),
        late: begun + PATIENCE,
        invited,
    };
    let payload = serde_json::to_vec(&payload).map_err(|_| Problem::Unkept)?;
    let kept = Kept {
        // those of one browser make room for each other; who types somebody's address ends no sign-in of his
        id: GrantId::new(lead.place.grant.as_str(), desk.browsers.token(cookie)),
        network: Some(visit.network()),
        payload: Secret::new(payload),
        created: begun,
        expires: begun + PATIENCE + LATE,
    };
    let key = key(&sign_in.state, cookie);
    let begun = desk.records.with(|state| state.begin_sign_in(&key, &kept));
    begun.map_err(
        |error| match matches!(error, StateError::TooManySignIns(_)) {
            true => Problem::Crowded,
            false => Problem::unkept(&error),
        },
    )
}

/// Makes an invitation for a mailbox: what its link has for a key.
pub fn invite(records: &crate::oauth::Records, address: &str) -> Result<Secret, StateError> {
    let key = Cookie::random().map_err(|error| StateError::Refused(error.to_string()))?;
    let begun = now();
    let kept = Kept {
        id: GrantId::new("invitation", address.to_lowercase()),
        // the operator's
        network: None,
        payload: Secret::from(address.as_bytes()),
        created: begun,
        expires: begun + INVITATION,
    };
    let stored = invitation_key(key.expose());
    records.with(|state| state.begin_sign_in(&stored, &kept))?;
    Ok(Secret::from(key.expose().as_bytes()))
}

/// An invitation, once; it holds the mailbox.
fn invitation(desk: &Desk, key: &Secret) -> Result<Kept, Problem> {
    let taken = desk.records.with(|state| state.take_sign_in(key, now()));
    let kept = taken.map_err(|error| Problem::unkept(&error))?;
    kept.ok_or(Problem::NoInvitation)
}

/// What an invitation is kept under.
fn invitation_key(key: &str) -> Secret {
    Secret::from(format!("invitation\n{key}").as_bytes())
}

/// The browser is back. Whatever came of it, it is sent away from an address with a code in it.
pub(super) fn end(desk: &Desk, visit: &Visit<'_>) -> Outcome {
    let Some(cookie) = &visit.cookie else {
        return Err(Problem::Unknown);
    };
    let query = visit.asked.head.uri.query().unwrap_or_default();
    let back = CallBack::parse(&format!("?{query}"));
    match finish(desk, cookie, &back) {
        Ok(Some(cookie)) => Ok(reply::with_cookie(reply::go("/mailbox"), desk, &cookie)),
        Ok(None) => Ok(reply::go("/mailbox")),
        Err(problem) => {
            desk.browsers.tell(cookie, &problem)?;
            Ok(reply::go("/problem"))
        }
    }
}

/// The cookie of the new session; none if this browser has the session of this sign-in already.
fn finish(desk: &Desk, cookie: &Cookie, back: &CallBack) -> Result<Option<Cookie>, Problem> {
    let browsers = &desk.browsers;
    let state = back.state.as_deref().ok_or(Problem::Unknown)?;
    let key = key(state, cookie);
    let taken = desk.records.with(|state| state.take_sign_in(&key, now()));
    let Some(kept) = taken.map_err(|error| Problem::unkept(&error))? else {
        // the same call-back again, in the browser that it was for
        if browsers.came_by(cookie, state)? {
            return Ok(None);
        }
        return Err(match browsers.was_ended(state)? {
            true => Problem::Used,
            false => Problem::Unknown,
        });
    };
    browsers.ended(state)?;
    let payload: Payload =
        serde_json::from_slice(kept.payload.expose()).map_err(|_| Problem::Unknown)?;
    if payload.late <= now() {
        return Err(Problem::Late);
    }
    let lead = match payload.invited {
        true => desk.lead(&payload.address)?,
        false => desk.listed(&payload.address)?,
    };
    let sign_in = SignIn {
        state: state.to_owned(),
        verifier: Secret::new(payload.verifier.into_bytes()),
        redirect: payload.redirect,
    };
    let authority = &lead.place.authority;
    let obtained = authority.finish(&sign_in, back);
    let obtained = obtained.map_err(|refusal| refused(&lead.address, &refusal))?;
    if let Err(problem) = proof::prove(desk, &lead, &obtained) {
        give_back(authority, &obtained);
        return Err(problem);
    }
    let id = lead.place.grant_of(&lead.mailbox);
    let kept = desk.records.keep_grant(&id, authority.provider(), obtained);
    kept.map_err(|error| Problem::unkept(&error))?;
    desk.keeper.forget(&id);
    tracing::info!(
        mailbox = lead.mailbox,
        grant = id.grant,
        "connected by its owner"
    );
    let session = Session {
        address: lead.address,
        mailbox: lead.mailbox,
        place: lead.place.ready.name.as_ref().into(),
    };
    browsers.sign_in(cookie, session, state).map(Some)
}

/// What is not kept is not needed at the provider either.
fn give_back(authority: &Authority, obtained: &Obtained) {
    if let Some(refresh) = &obtained.refresh
        && let Err(refusal) = authority.revoke(refresh)
    {
        tracing::debug!(%refusal, "a token that was not kept cannot be revoked");
    }
}

/// Both keys in one.
fn key(state: &str, cookie: &Cookie) -> Secret {
    Secret::from(format!("{state}\n{}", cookie.expose()).as_bytes())
}

/// What a person reads when the provider gives nothing; the operator reads the rest.
fn refused(address: &str, refusal: &Refusal) -> Problem {
    tracing::warn!(address, %refusal, "a sign-in came to nothing");
    match refusal.meaning {
        Meaning::Later { .. } | Meaning::Pending | Meaning::SlowDown => Problem::ProviderAway,
        Meaning::Declined if refusal.code.is_some() => Problem::Declined,
        Meaning::Declined => Problem::Strange,
        Meaning::Ended | Meaning::Settings => Problem::Refused(refusal.what.clone()),
    }
}
