//! Why there is no token.
//!
//! Owns what each refusal means for a grant and which remedy a person is given. Reads codes and numbers, never
//! a provider's prose, which it cleans and cuts before it passes it on.

use std::fmt;
use std::time::Duration;

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The grant is at an end; a person has to sign in again. `invalid_grant` alone says so, unless a number or a word
    /// beside it says that only a rule bars the way.
    Ended,
    /// It may work later without anybody's doing.
    Later {
        /// When, if the provider said so.
        after: Option<Duration>,
    },
    /// Something is set wrong, here or at the provider; the grant may be good.
    Settings,
    /// The person has not signed in yet.
    Pending,
    /// The provider wants to be asked less often.
    SlowDown,
    /// The person, or a rule, said no; or the sign-in took too long.
    Declined,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it means.
    pub meaning: Meaning,
    /// What happened, in one line without secrets.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
    /// The provider's own code (`invalid_grant`), if it gave one.
    pub code: Option<String>,
    /// Microsoft's numbers (AADSTS).
    pub numbers: Vec<u64>,
}

impl Refusal {
    /// Something here is wrong: a file, a setting.
    pub fn here(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            meaning: Meaning::Settings,
            what: what.into(),
            remedy: remedy.into(),
            code: None,
            numbers: Vec::new(),
        }
    }

    /// The provider cannot be reached, or says nothing of use.
    pub fn later(what: impl Into<String>, after: Option<Duration>) -> Self {
        Self {
            meaning: Meaning::Later { after },
            what: what.into(),
            remedy: "nothing, if it ends soon; otherwise check the network, the provider's status and the \
                     endpoints in [[provider]]"
                .into(),
            code: None,
            numbers: Vec::new(),
        }
    }

    /// What a provider said no with. The subtype is Google's `error_subtype` or Microsoft's `suberror`.
    pub fn said(
        code: &str,
        description: Option<&str>,
        subtype: Option<&str>,
        numbers: &[u64],
    ) -> Self {
        let code = clean(code, 60);
        let numbers: Vec<_> = numbers
            .iter()
            .copied()
            .chain(description.into_iter().flat_map(numbers_in))
            .take(8)
            .collect();
        let meaning = meaning(&code, subtype, &numbers);
        let remedy = remedy(&code, subtype, &numbers);
        let mut what = format!("the provider says {code}");
        if let Some(subtype) = subtype.filter(|subtype| !subtype.is_empty()) {
            what.push_str(&format!(" ({})", clean(subtype, 60)));
        }
        if let Some(description) = description {
            what.push_str(": ");
            what.push_str(&clean(description, 200));
        }
        Self {
            meaning,
            what,
            remedy: remedy.into(),
            code: Some(code),
            numbers,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

impl std::error::Error for Refusal {}

/// What those who wait for a token hear in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoToken {
    /// Whether it may work later without anybody's doing.
    pub passes: bool,
    /// What happened and what to do, in one line without secrets.
    pub text: String,
}

impl NoToken {
    pub(super) fn passing(text: impl fmt::Display) -> Self {
        Self {
            passes: true,
            text: text.to_string(),
        }
    }

    pub(super) fn lasting(text: impl fmt::Display) -> Self {
        Self {
            passes: false,
            text: text.to_string(),
        }
    }
}

impl fmt::Display for NoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for NoToken {}

fn meaning(code: &str, subtype: Option<&str>, numbers: &[u64]) -> Meaning {
    let later = Meaning::Later { after: None };
    // asked in a loop, too busy, or out of order for a while: whatever the code says
    if numbers
        .iter()
        .any(|number| matches!(number, 50196 | 90033 | 90036 | 90006 | 90012))
    {
        return later;
    }
    match code {
        "invalid_grant" if numbers.iter().any(|number| BARRED.contains(number)) => {
            Meaning::Settings
        }
        "invalid_grant" if suberror(subtype).is_some_and(|(_, bars, _)| *bars) => Meaning::Settings,
        "invalid_grant" => Meaning::Ended,
        "authorization_pending" => Meaning::Pending,
        "slow_down" => Meaning::SlowDown,
        "temporarily_unavailable" | "server_error" => later,
        // RFC 8628 section 3.5, and Microsoft's names
        "access_denied"
        | "authorization_declined"
        | "expired_token"
        | "bad_verification_code"
        | "code_expired" => Meaning::Declined,
        _ => Meaning::Settings,
    }
}

/// Microsoft says `invalid_grant` too where a rule bars the way, or somebody has to allow something first: the refresh
/// token itself is as good as before once that is gone. What really ended (a changed password, a token that is too old or
/// was revoked) is not among them.
const BARRED: &[u64] = &[
    // the person's account: unknown here, locked, disabled, not assigned to the app
    50034, 50053, 50057, 50105, //
    // the device, or that it is not known
    50005, 50097, 50129, 50131, 50187, //
    // a second factor, or another step that only a person can take
    50072, 50074, 50076, 50078, 50079, 50158, //
    // Conditional Access
    53000, 53001, 53002, 53003, 53004, 53011, 530_002, 530_003, 530_032, 530_034, 530_035, //
    // consent
    65001, 65004, //
    // the app is unknown in the tenant, or disabled
    700_016, 7_000_112,
];

/// Microsoft's words beside `invalid_grant` (`suberror`), and whether the refresh token is good once somebody did what
/// is asked for. A word that is not here decides nothing, and none makes an end of what a number only bars.
const SUBERRORS: &[(&str, bool, &str)] = &[
    (
        "bad_token",
        false,
        "the grant was revoked; sign in again with \"pop3-gateway sign-in MAILBOX\"",
    ),
    (
        "token_expired",
        false,
        "the grant is older than the tenant allows; sign in again with \"pop3-gateway sign-in MAILBOX\", and let an \
         administrator exclude this app from the sign-in frequency",
    ),
    (
        "basic_action",
        true,
        "the tenant wants a step that only the person can take; sign in again with \"pop3-gateway sign-in MAILBOX\"",
    ),
    (
        "additional_action",
        true,
        "the tenant wants a step outside of a sign-in; the person signs in at https://myaccount.microsoft.com and does \
         what is asked for there, or an administrator excludes this app from the rule (sign-in log)",
    ),
    (
        "message_only",
        true,
        "a rule of the tenant bars the way, and no step of the person helps; an administrator looks at the sign-in log",
    ),
    (
        "consent_required",
        true,
        "nobody consented to the app, or the consent was taken back; sign in again and accept, or let an administrator \
         grant it (App registrations, API permissions)",
    ),
    (
        "user_password_expired",
        true,
        "the person's password at the provider has expired; the person sets another one there, and signs in again with \
         \"pop3-gateway sign-in MAILBOX\" if that is asked for",
    ),
    (
        "protection_policy_required",
        true,
        "the tenant's Conditional Access wants an app under Intune's protection, which this one cannot be; an \
         administrator excludes this app",
    ),
    (
        "client_mismatch",
        true,
        "the grant was made with another app; put that app's client_id into [[provider]], or sign in again with \
         \"pop3-gateway sign-in MAILBOX\"",
    ),
    (
        "device_authentication_failed",
        true,
        "the tenant's Conditional Access wants a registered device; an administrator excludes this app or allows this \
         network",
    ),
];

fn suberror(word: Option<&str>) -> Option<&'static (&'static str, bool, &'static str)> {
    SUBERRORS.iter().find(|(known, _, _)| Some(*known) == word)
}

/// Microsoft's numbers that have a remedy of their own.
const NUMBERS: &[(u64, &str)] = &[
    (
        50034,
        "there is no such user in this tenant; check the mailbox's name and tenant in [[provider]]",
    ),
    (
        50053,
        "the account is locked after wrong passwords; an administrator unlocks it, or wait",
    ),
    (
        50057,
        "the account is disabled; an administrator enables it",
    ),
    (
        50072,
        "the tenant wants the person to register a second factor; sign in once at https://aka.ms/mfasetup, then \
             with \"pop3-gateway sign-in MAILBOX\"",
    ),
    (
        50074,
        "the tenant wants a second factor; sign in again with \"pop3-gateway sign-in MAILBOX\"",
    ),
    (
        50076,
        "the tenant wants a second factor; sign in again with \"pop3-gateway sign-in MAILBOX\"",
    ),
    (
        50078,
        "the tenant wants the second factor anew; sign in again with \"pop3-gateway sign-in MAILBOX\"",
    ),
    (
        50079,
        "the tenant wants the person to register a second factor; sign in once at https://aka.ms/mfasetup, then \
             with \"pop3-gateway sign-in MAILBOX\"",
    ),
    (
        50105,
        "the app is for assigned users only; assign the user to it (Enterprise applications, Users and groups)",
    ),
    (
        50097,
        "the tenant's Conditional Access wants a registered device; an administrator excludes this app or allows this \
             network",
    ),
    (50126, "wrong name or password at the provider"),
    (
        50158,
        "the tenant wants another step of the person; sign in again with \"pop3-gateway sign-in MAILBOX\"",
    ),
    (
        50173,
        "the password was changed; sign in again with \"pop3-gateway sign-in MAILBOX\"",
    ),
    (
        50196,
        "the app asked too often with the same question; wait some minutes, and look for another program that \
             uses the same app",
    ),
    (
        53000,
        "the tenant's Conditional Access wants a compliant device; an administrator excludes this app or allows \
             this network",
    ),
    (
        53001,
        "the tenant's Conditional Access wants a device of the domain; an administrator excludes this app or allows \
             this network",
    ),
    (
        53002,
        "the tenant's Conditional Access does not allow this app; an administrator excludes it or allows this network",
    ),
    (
        53003,
        "the tenant's Conditional Access blocks this sign-in; an administrator looks at the sign-in log and \
             excludes this app or allows this network; where the device code flow is blocked, use flow = \"code\"",
    ),
    (
        53004,
        "the tenant wants the person to register a second factor from a place that it trusts; sign in there, then with \
             \"pop3-gateway sign-in MAILBOX\"",
    ),
    (54005, "the code was used already; begin the sign-in again"),
    (
        65001,
        "nobody consented to the app; an administrator grants consent (App registrations, API permissions)",
    ),
    (
        65004,
        "the person refused consent; sign in again and accept, or let an administrator grant it",
    ),
    (
        70008,
        "the grant expired because it was not used; sign in again with \"pop3-gateway sign-in MAILBOX\"",
    ),
    (
        70011,
        "the scope is wrong; leave scopes out of [[provider]], or ask for one resource only",
    ),
    (
        70043,
        "the tenant limits how long a sign-in lasts; sign in again, and let an administrator exclude this app \
             from the sign-in frequency",
    ),
    (
        70044,
        "the tenant limits how long a sign-in lasts; sign in again, and let an administrator exclude this app \
             from the sign-in frequency",
    ),
    (
        90002,
        "there is no such tenant; write its domain or id as tenant in [[provider]]",
    ),
    (
        90009,
        "the app asks for a token of itself; give scopes of the mailbox's resource",
    ),
    (
        700016,
        "there is no such app in this tenant; check client_id and tenant in [[provider]], and that an \
              administrator consented",
    ),
    (
        700025,
        "this app is a public client, and a secret was sent; leave client_secret_file out of [[provider]]",
    ),
    (
        700027,
        "the provider does not know the certificate, or the clock here is wrong; upload the certificate to the \
              app (Certificates & secrets)",
    ),
    (
        700082,
        "the grant expired because it was not used for 90 days; sign in again with \"pop3-gateway sign-in \
              MAILBOX\"",
    ),
    (
        700_084,
        "the app's redirect address is one for web pages, whose grants end after a day; register it as mobile and \
              desktop application, and sign in again",
    ),
    (
        7_000_112,
        "the app is disabled in this tenant; an administrator enables it (Enterprise applications)",
    ),
    (
        7_000_215,
        "the client secret is wrong; put the secret's value (not its id) into client_secret_file",
    ),
    (
        7_000_218,
        "the app is no public client and no secret was sent; set client_secret_file, or allow public client \
                 flows (App registrations, Authentication)",
    ),
    (
        7_000_222,
        "the client secret expired; make a new one (App registrations, Certificates & secrets) and put it \
                 into client_secret_file",
    ),
    (
        9_002_313,
        "the request is malformed; begin the sign-in again",
    ),
    (
        9_002_326,
        "the redirect address is of the kind for web pages; register it as mobile and desktop application",
    ),
];

const ADDRESS: &str = "the redirect address is not registered with the app; register the one that is shown, letter \
                       by letter";

fn remedy(code: &str, subtype: Option<&str>, numbers: &[u64]) -> &'static str {
    let known = |number: &u64| NUMBERS.iter().find(|(known, _)| known == number);
    if let Some((_, remedy)) = numbers.iter().find_map(known) {
        return remedy;
    }
    if numbers.contains(&50011) {
        return ADDRESS;
    }
    if let Some((_, _, remedy)) = suberror(subtype) {
        return remedy;
    }
    match (code, subtype) {
        ("invalid_grant", Some("invalid_rapt")) => {
            "the organisation limits how long a session lasts; sign in again, or let an administrator trust this app"
        }
        ("invalid_grant", _) => {
            "sign in again with \"pop3-gateway sign-in MAILBOX\"; a Google app in testing ends its grants after 7 days: \
             publish it"
        }
        ("invalid_client", _) => {
            "check client_id and the secret, certificate or assertion in [[provider]]"
        }
        ("unauthorized_client", _) => {
            "the app may not do this; allow the flow and the permissions where the app is registered"
        }
        ("invalid_scope", _) => {
            "leave scopes out of [[provider]], or name those that the app was given"
        }
        ("access_denied" | "authorization_declined", _) => {
            "the person or a rule said no; sign in again and accept, or ask the administrator"
        }
        ("expired_token" | "bad_verification_code" | "code_expired", _) => {
            "the code was not entered in time; begin the sign-in again"
        }
        ("redirect_uri_mismatch" | "invalid_redirect_uri", _) => ADDRESS,
        ("unsupported_grant_type", _) => {
            "the provider does not know this flow; choose another one in [[grant]]"
        }
        ("consent_required" | "interaction_required" | "login_required", _) => {
            "sign in again with \"pop3-gateway sign-in MAILBOX\""
        }
        _ => "look the code up in the provider's documentation",
    }
}

/// The numbers in a text: `AADSTS700016: …`.
fn numbers_in(text: &str) -> impl Iterator<Item = u64> {
    text.split("AADSTS").skip(1).filter_map(|rest| {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        rest.get(..end)?.parse().ok()
    })
}

/// One line of what a provider wrote, cut.
pub(crate) fn clean(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    let plain = line.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(most).collect()
}
