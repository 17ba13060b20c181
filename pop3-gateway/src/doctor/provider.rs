//! Whether a provider can be asked: the proof of the app is here, an endpoint answers, and the clocks agree.

use std::sync::Arc;

use time::OffsetDateTime;

use super::step::{Missing, Steps};
use crate::oauth::{Authority, Provider};

/// Clocks may differ by so many seconds; signed statements live as long.
const APART: i64 = 300;

/// The provider, if it can be asked.
pub(super) fn examine(steps: &mut Steps, provider: &Provider) -> Option<Arc<Authority>> {
    let of = Some(provider.name.as_str());
    let authority = Authority::new(provider.clone()).map_err(Missing::from);
    let equipped = authority.and_then(|authority| {
        authority.is_equipped()?;
        Ok(("its files can be read".into(), authority))
    });
    let authority = steps.take("app", of, equipped)?;
    let told = authority.time().map_err(Missing::from);
    let told = told.map(|time| ("its token endpoint answers".into(), time));
    let time = steps.take("provider", of, told)?;
    steps.take("clock", of, compare(time, OffsetDateTime::now_utc()));
    Some(Arc::new(authority))
}

fn compare(theirs: Option<OffsetDateTime>, ours: OffsetDateTime) -> Result<(String, ()), Missing> {
    let Some(theirs) = theirs else {
        return Ok(("the provider tells no time".into(), ()));
    };
    let ahead = (ours - theirs).whole_seconds();
    let way = if ahead > 0 { "ahead" } else { "late" };
    match ahead.abs() {
        0..=APART => Ok(("it agrees with the provider's".into(), ())),
        apart => Err(Missing::new(
            format!("the clock here is {apart} seconds {way}, compared with the provider's"),
            "set the clock of this machine, and keep it right (timedatectl set-ntp true): tokens and signed \
             statements live by it",
        )),
    }
}
