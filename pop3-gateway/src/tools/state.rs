//! `state`: what is done about its key.
//!
//! Reads and writes the state and nothing else. Makes no key and removes none: a gateway that runs may still need it.

use std::path::Path;

use gateway_state::State as Kept;
use serde_json::json;

use super::devices::records;
use crate::cli::tools::State;
use crate::config::Config;
use crate::wiring::tokens::records_without_grants;
use crate::{Failure, print};

/// Runs `state`.
pub fn run(command: &State) -> Result<(), Failure> {
    match command {
        State::Reseal { file, json } => reseal(&file.config, *json),
        State::ForgetGrants { file } => forget_grants(&file.config),
    }
}

fn reseal(file: &Path, as_json: bool) -> Result<(), Failure> {
    let records = records(&Config::load(file)?)?;
    let done = records.with(Kept::reseal).map_err(Failure::running)?;
    let (current, resealed, failed) = (done.current, done.resealed, &done.failed);
    let text = if as_json {
        let all = json!({ "current": current, "resealed": resealed, "failed": failed });
        format!("{all}\n")
    } else {
        let mut text =
            format!("Grants sealed with the first key: {resealed} now, {current} before.\n");
        for failed in failed {
            text.push_str(failed);
            text.push('\n');
        }
        if failed.is_empty() {
            text.push_str("The other keys are not needed any more.\n");
        }
        text
    };
    print(text.as_bytes())?;
    match failed.len() {
        0 => Ok(()),
        some => Err(Failure::running(format!(
            "{some} of the grants are not sealed with the first key; keep the others"
        ))),
    }
}

fn forget_grants(file: &Path) -> Result<(), Failure> {
    let config = Config::load(file)?;
    let state = config.state.as_ref();
    let state = state.ok_or_else(|| Failure::configuration("there is no [state]; add one"))?;
    let (_, removed) = records_without_grants(state).map_err(Failure::running)?;
    let text = match removed {
        0 => "No grant was removed: the key opens them, or there is none.\n".to_owned(),
        some => format!(
            "{some} removed; the owners sign in again with \"pop3-gateway sign-in MAILBOX\".\n"
        ),
    };
    print(text.as_bytes())
}
