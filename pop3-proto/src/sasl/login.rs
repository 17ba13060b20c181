//! LOGIN: never a standard, still what many clients speak. Two prompts, two answers.

use alloc::string::String;

use super::{Step, password, text};
use crate::backend::Login;
use crate::secret::Secret;

pub(super) const USER_PROMPT: &[u8] = b"Username:";
const PASSWORD_PROMPT: &[u8] = b"Password:";

/// Takes the next answer; `user` is the name once it was given.
pub(super) fn answer(user: &mut Option<String>, answer: &Secret) -> Step {
    if let Some(user) = user.take() {
        let login = password(answer.expose()).map(|password| Login::Password { user, password });
        return login.map_or(Step::Malformed, Step::Login);
    }
    *user = text(answer.expose());
    if user.is_some() {
        Step::Challenge(PASSWORD_PROMPT.to_vec())
    } else {
        Step::Malformed
    }
}
