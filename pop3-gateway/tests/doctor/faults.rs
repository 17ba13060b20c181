//! What can be wrong between a configuration and an open mailbox.

use std::fs;

use serde_json::json;
use testkit::imap_server::{Fault as Misbehaviour, Options, Trouble};

use crate::rig::{ANN, APP, OBJECT, Rig, change_state, nobody, unknown_certificate};

/// One fault: what it is put into, the step that is missing then, and what its remedy says.
pub(crate) struct Fault {
    pub(crate) on: Rig,
    pub(crate) put: fn(&mut Rig),
    pub(crate) step: &'static str,
    pub(crate) remedy: &'static [&'static str],
}

type Row = (
    &'static str,
    fn() -> Rig,
    fn(&mut Rig),
    &'static str,
    &'static [&'static str],
);

pub(crate) fn all() -> Vec<(&'static str, Fault)> {
    let rows = [HERE, PROVIDER, TOKEN, CLAIMS, MAILBOX, ACCOUNTS].concat();
    let fault = |(name, on, put, step, remedy): Row| {
        let fault = Fault {
            on: on(),
            put,
            step,
            remedy,
        };
        (name, fault)
    };
    rows.into_iter().map(fault).collect()
}

const HERE: &[Row] = &[
    (
        "a slip in the configuration",
        Rig::default,
        |rig| rig.provider.push_str("tennant = \"x\"\n"),
        "configuration",
        &["tenant"],
    ),
    (
        "no such provider profile",
        Rig::default,
        |rig| rig.profile = "hotmail",
        "configuration",
        &["microsoft"],
    ),
    (
        "key lost",
        Rig::default,
        |rig| {
            rig.state_is_whole = false;
            rig.at_last = |folder| fs::remove_file(folder.join("state.key")).unwrap();
        },
        "state",
        &["put the key back"],
    ),
    (
        "key of another state",
        Rig::default,
        |rig| {
            rig.state_is_whole = false;
            rig.at_last = |folder| {
                fs::write(
                    folder.join("state.key"),
                    gateway_state::Keys::generate().unwrap().to_text().expose(),
                )
                .unwrap()
            };
        },
        "state",
        &["put the key back", "sign in again"],
    ),
    (
        "key is none",
        Rig::default,
        |rig| {
            rig.at_last = |folder| fs::write(folder.join("state.key"), "x").unwrap();
        },
        "state",
        &["put the key back"],
    ),
    (
        "state is no state",
        Rig::default,
        |rig| {
            rig.state_is_whole = false;
            rig.at_last = |folder| {
                fs::remove_file(folder.join("state.db")).unwrap();
                let _ = fs::remove_file(folder.join("state.db-wal"));
                fs::write(
                    folder.join("state.db"),
                    "this is a letter, and no database ".repeat(100),
                )
                .unwrap();
            };
        },
        "state",
        &["restore"],
    ),
    (
        "state of a newer version",
        Rig::default,
        |rig| {
            rig.state_is_whole = false;
            rig.at_last = |folder| {
                let statement = "UPDATE gateway_state SET version = 999";
                change_state(&folder.join("state.db"), statement);
            };
        },
        "state",
        &["use the newer program"],
    ),
    (
        "secret's file missing",
        Rig::default,
        |rig| rig.provider.push_str("client_secret_file = \"nowhere\"\n"),
        "app",
        &["check the file's name"],
    ),
    (
        "secret's file empty",
        Rig::default,
        |rig| {
            rig.provider.push_str("client_secret_file = \"empty\"\n");
            rig.at_last = |folder| fs::write(folder.join("empty"), "\n").unwrap();
        },
        "app",
        &["one line"],
    ),
    (
        "certificate missing",
        Rig::default,
        |rig| {
            rig.provider
                .push_str("certificate = \"a.pem\"\nprivate_key = \"a.key\"\n");
        },
        "app",
        &["certificate"],
    ),
    (
        "service account's file is none",
        Rig::service_account,
        |rig| {
            rig.at_last = |folder| fs::write(folder.join("account.json"), "{}").unwrap();
        },
        "app",
        &["as the console gives it out"],
    ),
    (
        "assertion's file missing",
        Rig::default,
        |rig| rig.provider.push_str("assertion_file = \"nowhere\"\n"),
        "app",
        &["check the file's name"],
    ),
    (
        "authorities' file missing",
        Rig::default,
        |rig| rig.provider.push_str("ca_file = \"nowhere\"\n"),
        "app",
        &["ca_file"],
    ),
];

const PROVIDER: &[Row] = &[
    (
        "provider down",
        Rig::default,
        |rig| rig.endpoint = Some(format!("http://{}/token", nobody())),
        "provider",
        &["check the network"],
    ),
    (
        "provider's certificate unknown",
        Rig::default,
        |rig| {
            rig.endpoint = Some(format!("https://{}/token", unknown_certificate()));
        },
        "provider",
        &["ca_file"],
    ),
    (
        "issuer has another name",
        Rig::oidc,
        |rig| {
            rig.metadata =
                Some(json!({ "issuer": "OWN/other", "token_endpoint": "OWN/token" }).to_string());
        },
        "provider",
        &["issuer", "to the letter"],
    ),
    (
        "issuer tells nothing of use",
        Rig::oidc,
        |rig| rig.metadata = Some("<html>".into()),
        "provider",
        &["[[provider]]"],
    ),
    (
        "issuer has no token endpoint",
        Rig::oidc,
        |rig| rig.metadata = Some(r#"{"issuer":"OWN"}"#.into()),
        "provider",
        &["token_endpoint"],
    ),
    (
        "clock off",
        Rig::default,
        |rig| rig.date = Some("Sun, 06 Nov 1994 08:49:37 GMT"),
        "clock",
        &["set the clock"],
    ),
];

const TOKEN: &[Row] = &[
    (
        "HTML answer",
        Rig::default,
        |rig| rig.answer = Some((200, "<html>hello</html>".into())),
        "token",
        &["the endpoints in [[provider]]"],
    ),
    (
        "redirect",
        Rig::default,
        |rig| rig.answer = Some((302, String::new())),
        "token",
        &["check the endpoints"],
    ),
    (
        "too many requests",
        Rig::default,
        |rig| rig.answer = Some((429, "{}".into())),
        "token",
        &["nothing, if it ends soon"],
    ),
    (
        "out of order",
        Rig::default,
        |rig| rig.answer = Some((503, "{}".into())),
        "token",
        &["the provider's status"],
    ),
    (
        "wrong tenant",
        Rig::default,
        |rig| rig.said("invalid_request", &[90002]),
        "token",
        &["tenant in [[provider]]"],
    ),
    (
        "unknown app",
        Rig::default,
        |rig| rig.said("unauthorized_client", &[700_016]),
        "token",
        &["client_id and tenant"],
    ),
    (
        "app disabled",
        Rig::app,
        |rig| rig.said("unauthorized_client", &[7_000_112]),
        "token",
        &["Enterprise applications"],
    ),
    (
        "secret expired",
        Rig::app,
        |rig| rig.said("invalid_client", &[7_000_222]),
        "token",
        &["make a new one", "client_secret_file"],
    ),
    (
        "secret wrong",
        Rig::app,
        |rig| rig.said("invalid_client", &[7_000_215]),
        "token",
        &["not its id"],
    ),
    (
        "secret sent where none may be",
        Rig::default,
        |rig| rig.said("invalid_client", &[700_025]),
        "token",
        &["leave client_secret_file out"],
    ),
    (
        "secret missing",
        Rig::default,
        |rig| rig.said("invalid_client", &[7_000_218]),
        "token",
        &["public client"],
    ),
    (
        "certificate unknown to the provider",
        Rig::app,
        |rig| rig.said("invalid_client", &[700_027]),
        "token",
        &["upload the certificate"],
    ),
    (
        "consent missing",
        Rig::default,
        |rig| rig.said("invalid_grant", &[65001]),
        "token",
        &["grants consent"],
    ),
    (
        "device code blocked",
        Rig::default,
        |rig| {
            rig.flow = "device";
            rig.said("interaction_required", &[53003]);
        },
        "token",
        &["Conditional Access", "flow = \"code\""],
    ),
    (
        "device not compliant",
        Rig::default,
        |rig| rig.said("interaction_required", &[53000]),
        "token",
        &["compliant"],
    ),
    (
        "network not allowed",
        Rig::default,
        |rig| rig.said("invalid_grant", &[53003]),
        "token",
        &["sign-in log", "allows this network"],
    ),
    (
        "second factor",
        Rig::default,
        |rig| rig.said("interaction_required", &[50076]),
        "token",
        &["sign-in --config", ANN],
    ),
    (
        "password changed",
        Rig::default,
        |rig| rig.said("invalid_grant", &[50173]),
        "token",
        &["password was changed", ANN],
    ),
    (
        "sign-in frequency",
        Rig::default,
        |rig| rig.said("invalid_grant", &[70043]),
        "token",
        &["sign-in frequency"],
    ),
    (
        "unused for 90 days",
        Rig::default,
        |rig| rig.said("invalid_grant", &[700_082]),
        "token",
        &["90 days", ANN],
    ),
    (
        "scope wrong",
        Rig::default,
        |rig| rig.said("invalid_scope", &[70011]),
        "token",
        &["leave scopes out"],
    ),
    (
        "app in testing, 7 days over",
        Rig::google,
        |rig| rig.said("invalid_grant", &[]),
        "token",
        &["7 days", "publish"],
    ),
    (
        "session of the organisation over",
        Rig::google,
        |rig| {
            rig.answer = Some((
                400,
                json!({ "error": "invalid_grant", "error_subtype": "invalid_rapt" }).to_string(),
            ));
        },
        "token",
        &["how long a session lasts"],
    ),
    (
        "grant revoked, in a word",
        Rig::default,
        |rig| rig.said_with("bad_token"),
        "token",
        &["was revoked", ANN],
    ),
    (
        "grant too old, in a word",
        Rig::default,
        |rig| rig.said_with("token_expired"),
        "token",
        &["older than the tenant allows", ANN],
    ),
    (
        "a step of the person missing",
        Rig::default,
        |rig| rig.said_with("basic_action"),
        "token",
        &["only the person can take", ANN],
    ),
    (
        "a step outside of the sign-in missing",
        Rig::default,
        |rig| rig.said_with("additional_action"),
        "token",
        &["myaccount.microsoft.com"],
    ),
    (
        "a rule that nobody can satisfy",
        Rig::default,
        |rig| rig.said_with("message_only"),
        "token",
        &["sign-in log"],
    ),
    (
        "consent taken back",
        Rig::default,
        |rig| rig.said_with("consent_required"),
        "token",
        &["grant it"],
    ),
    (
        "password expired at the provider",
        Rig::default,
        |rig| rig.said_with("user_password_expired"),
        "token",
        &["has expired", ANN],
    ),
    (
        "app protection wanted",
        Rig::default,
        |rig| rig.said_with("protection_policy_required"),
        "token",
        &["Intune"],
    ),
    (
        "grant of another app",
        Rig::default,
        |rig| rig.said_with("client_mismatch"),
        "token",
        &["client_id"],
    ),
    (
        "device unknown",
        Rig::default,
        |rig| rig.said_with("device_authentication_failed"),
        "token",
        &["registered device"],
    ),
    (
        "delegation missing",
        Rig::service_account,
        |rig| rig.said("unauthorized_client", &[]),
        "token",
        &["domain-wide delegation"],
    ),
    (
        "grant ended",
        Rig::default,
        |rig| rig.grant_ended = true,
        "token",
        &["sign-in --config", ANN],
    ),
    (
        "nobody signed in",
        Rig::default,
        |rig| rig.is_signed_in = false,
        "token",
        &["sign-in --config", ANN],
    ),
    (
        "no refresh token",
        Rig::default,
        |rig| rig.has_refresh_token = false,
        "token",
        &["offline_access"],
    ),
    (
        "signed in with another app",
        Rig::default,
        |rig| rig.client = "another-app",
        "token",
        &["sign-in --config", ANN],
    ),
    (
        "token with a line end",
        Rig::default,
        |rig| {
            rig.answer = Some((
                200,
                json!({ "access_token": "a\r\nb", "token_type": "Bearer" }).to_string(),
            ));
        },
        "token",
        &["[[provider]]"],
    ),
];

const CLAIMS: &[Row] = &[
    (
        "scope of another resource",
        Rig::default,
        |rig| {
            rig.claims["aud"] = "https://graph.microsoft.com".into();
            rig.opens = false;
        },
        "claims",
        &["scopes of https://outlook.office.com"],
    ),
    (
        "scope for mail missing",
        Rig::default,
        |rig| {
            rig.claims["scp"] = "User.Read".into();
            rig.opens = false;
        },
        "claims",
        &["IMAP.AccessAsUser.All", "Grant admin consent"],
    ),
    (
        "role missing",
        Rig::app,
        |rig| {
            rig.claims["roles"] = json!([]);
            rig.opens = false;
        },
        "claims",
        &[
            "IMAP.AccessAsApp",
            "Office 365 Exchange Online",
            "Grant admin consent",
        ],
    ),
    (
        "token of another tenant",
        Rig::default,
        |rig| {
            rig.claims["tid"] = "99999999-2222-3333-4444-555555555555".into();
            rig.opens = false;
        },
        "claims",
        &["tenant in [[provider]]"],
    ),
    (
        "token for another user",
        Rig::default,
        |rig| rig.claims["upn"] = "bob@example.org".into(),
        "claims",
        &[
            "sign in again as ann@example.org",
            "--grant-of bob@example.org",
        ],
    ),
    (
        "token over at once",
        Rig::default,
        |rig| {
            rig.claims["exp"] = 1_000_000.into();
            rig.opens = false;
        },
        "claims",
        &["clock"],
    ),
];

const NOT_CONNECTED: &str = "BAD User is authenticated but not connected.";

const MAILBOX: &[Row] = &[
    (
        "service principal missing, or with a wrong object id",
        Rig::app,
        |rig| rig.opens = false,
        "mailbox",
        &[
            "New-ServicePrincipal -AppId aaaaaaaa-0000-0000-0000-00000000000a -ObjectId bbbbbbbb-0000-0000-0000-00000000000b",
            "Add-MailboxPermission -Identity ann@example.org -User bbbbbbbb-0000-0000-0000-00000000000b -AccessRights FullAccess",
            "Get-ServicePrincipal",
            "not of App registrations",
        ],
    ),
    (
        "IMAP off for an app's mailbox",
        Rig::app,
        |rig| {
            rig.imap.faults.push(Misbehaviour::on_each(
                "EXAMINE",
                Trouble::Answer(NOT_CONNECTED.into()),
            ))
        },
        "mailbox",
        &["Set-CASMailbox -Identity ann@example.org -ImapEnabled $true"],
    ),
    (
        "IMAP off, or no licence",
        Rig::default,
        |rig| {
            rig.imap.faults.push(Misbehaviour::on_each(
                "EXAMINE",
                Trouble::Answer(NOT_CONNECTED.into()),
            ))
        },
        "mailbox",
        &[
            "Set-CASMailbox -Identity ann@example.org -ImapEnabled $true",
            "licence",
        ],
    ),
    (
        "IMAP off, said at the login",
        Rig::default,
        |rig| {
            rig.imap.faults.push(Misbehaviour::on_each(
                "AUTHENTICATE",
                Trouble::Answer("NO IMAP is disabled for this mailbox".into()),
            ));
        },
        "mailbox",
        &["Set-CASMailbox"],
    ),
    (
        "token refused",
        Rig::default,
        |rig| rig.opens = false,
        "mailbox",
        &["must be who signed in"],
    ),
    (
        "token refused at Gmail",
        Rig::google,
        |rig| rig.opens = false,
        "mailbox",
        &["IMAP is on"],
    ),
    (
        "delegated for no such user",
        Rig::service_account,
        |rig| rig.opens = false,
        "mailbox",
        &["domainwidedelegation", "alias"],
    ),
    (
        "token refused by one's own server",
        Rig::oidc,
        |rig| {
            rig.upstream_is_own();
            rig.opens = false;
        },
        "mailbox",
        &["issuer, audience or scope"],
    ),
    (
        "folder missing",
        Rig::oidc,
        |rig| {
            rig.upstream_is_own();
            rig.upstream.push_str("folder = \"Nowhere\"\n");
        },
        "mailbox",
        &["check folder"],
    ),
    (
        "IMAP server down",
        Rig::default,
        |rig| rig.upstream_url = Some(format!("imap://{}", nobody())),
        "mailbox",
        &["check --connect"],
    ),
    (
        "IMAP server's certificate unknown",
        Rig::default,
        |rig| rig.upstream_url = Some(format!("imaps://{}", unknown_certificate())),
        "mailbox",
        &["ca_file", "certificate"],
    ),
    (
        "IMAP server takes no tokens",
        Rig::default,
        |rig| {
            rig.imap = Options::default()
                .without("AUTH=XOAUTH2")
                .without("AUTH=OAUTHBEARER");
        },
        "mailbox",
        &["takes no tokens"],
    ),
    (
        "authorities of the IMAP server missing",
        Rig::default,
        |rig| {
            rig.upstream_url = Some("imaps://127.0.0.1:1".into());
            rig.upstream.push_str("ca_file = \"nowhere\"\n");
        },
        "mailbox",
        &["[[upstream]]"],
    ),
];

const ACCOUNTS: &[Row] = &[
    (
        "no account",
        Rig::default,
        |rig| rig.has_account = false,
        "accounts",
        &["account add --config", "--mailbox ann@example.org"],
    ),
    (
        "account off",
        Rig::default,
        |rig| rig.change_account = |account| account.enabled = false,
        "accounts",
        &["account add"],
    ),
    (
        "account expired",
        Rig::default,
        |rig| rig.change_account = |account| account.expires = Some(1),
        "accounts",
        &["account add"],
    ),
    (
        "account of another upstream",
        Rig::default,
        |rig| rig.change_account = |account| account.place = "other".into(),
        "accounts",
        &["account add"],
    ),
];

#[test]
fn the_ids_in_the_commands_are_the_tokens() {
    let commands = MAILBOX.first().map(|(.., remedy)| remedy.concat()).unwrap();
    assert!(commands.contains(APP) && commands.contains(OBJECT));
}
