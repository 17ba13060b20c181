//! `status`: which mailboxes are signed in for, who may log in to them, and what ends when.
//!
//! Reads the state and nothing else; shows no token and no password.

use std::fmt::Write as _;

use gateway_state::GrantSummary;
use serde_json::{Value, json};

use crate::cli::tools::Status;
use crate::config::Config;
use crate::oauth::now;
use crate::tools::devices::{date, line, records, told};
use crate::{Failure, print};

/// Runs `status`.
pub fn run(arguments: &Status) -> Result<(), Failure> {
    let config = Config::load(&arguments.file.config)?;
    let records = records(&config)?;
    let grants = records
        .with(|state| state.grants())
        .map_err(Failure::running)?;
    let accounts = records
        .with(|state| state.accounts(None))
        .map_err(Failure::running)?;
    if arguments.json {
        let grants: Vec<Value> = grants.iter().map(as_json).collect();
        let accounts: Vec<Value> = accounts.iter().map(told).collect();
        let all = json!({ "grants": grants, "accounts": accounts });
        return print(format!("{all}\n").as_bytes());
    }
    let mut text = String::new();
    // writing to a String does not fail
    for grant in &grants {
        let state = match &grant.ended {
            Some(ended) => format!("ended {}: {}", date(ended.at), ended.why),
            None if is_stuck(grant, now()) => format!(
                "no new token since {}, though it was used {}; look with \"pop3-gateway doctor {}\"",
                date(grant.refreshed),
                date(grant.used),
                grant.id.owner
            ),
            None => format!(
                "good; last refreshed {}, last used {}",
                date(grant.refreshed),
                date(grant.used)
            ),
        };
        let _ = writeln!(
            text,
            "{} (grant {:?}): {state}",
            grant.id.owner, grant.id.grant
        );
        let own = accounts
            .iter()
            .filter(|own| own.mailbox.eq_ignore_ascii_case(&grant.id.owner));
        for account in own {
            let _ = writeln!(text, "    {}", line(account));
        }
    }
    let is_signed_in = |mailbox: &str| {
        grants
            .iter()
            .any(|grant| grant.id.owner.eq_ignore_ascii_case(mailbox))
    };
    for account in accounts.iter().filter(|own| !is_signed_in(&own.mailbox)) {
        let _ = writeln!(text, "{}: {}", account.mailbox, line(account));
    }
    if text.is_empty() {
        text.push_str("Nobody signed in, and there is no account.\n");
    }
    print(text.as_bytes())
}

/// Whether a login found no token that lives, and none came since: something is in its way that ended no grant.
fn is_stuck(grant: &GrantSummary, now: u64) -> bool {
    grant.access_expires <= now && grant.used > grant.access_expires
}

fn as_json(grant: &GrantSummary) -> Value {
    json!({
        "grant": grant.id.grant,
        "mailbox": grant.id.owner,
        "issuer": grant.issuer,
        "client": grant.client,
        "obtained": grant.obtained,
        "refreshed": grant.refreshed,
        "used": grant.used,
        "access_expires": grant.access_expires,
        "ended": grant.ended.as_ref().map(|ended| json!({ "why": ended.why, "at": ended.at })),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use gateway_state::{Binding, GrantId, Keys, State, Tokens};

    use super::*;

    #[test]
    fn a_grant_is_stuck_that_is_used_without_a_token() {
        futures_lite::future::block_on(async {
            let place = "memory:".parse().unwrap();
            let state = State::open(&place, Keys::generate().unwrap());
            let state = state.await.unwrap();
            let id = GrantId::new("office", "tim@example.org");
            let binding = Binding {
                issuer: "i",
                client: "c",
            };
            let tokens = Tokens {
                access_expires: 4600,
                ..Tokens::default()
            };
            state.put_grant(&id, binding, &tokens, 1000).await.unwrap();
            let stuck = async |now| is_stuck(&state.grants().await.unwrap()[0], now);
            assert!(!stuck(2000).await);
            // nobody used it since
            assert!(!stuck(9000).await);
            state.grant_used(&id, 5000).await.unwrap();
            assert!(stuck(9000).await);
            state.put_grant(&id, binding, &tokens, 1000).await.unwrap();
            assert!(!stuck(9000).await);
        });
    }
}
