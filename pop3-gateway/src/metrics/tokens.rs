//! What providers of tokens answered.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::out::{Family, Out};
use super::table::Table;
use super::tally::Tally;

/// What an answer is. The last one is anything else.
const RESULTS: [&str; 5] = ["ok", "ended", "later", "settings", "other"];

/// Requests for tokens.
#[derive(Debug, Default)]
pub struct Tokens(Table<Answers>);

#[derive(Debug)]
struct Answers(Tally);

impl Default for Answers {
    fn default() -> Self {
        Self(Tally::of(&RESULTS))
    }
}

impl Tokens {
    /// A provider has answered: `ok`, `ended` (somebody has to sign in again), `later`, `settings`, or something else.
    pub fn answered(&self, provider: &str, result: &str) {
        self.0.at(provider, |answers| answers.0.one(result));
    }

    /// A provider that is configured: its counters are there before the first answer.
    pub fn configured(&self, provider: &str) {
        self.0.at(provider, |_| ());
    }
}

impl Collector for Tokens {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let all = self.0.all();
        let rows = all.iter().flat_map(|(provider, answers)| {
            let row =
                move |(result, count)| ([("provider", &**provider), ("result", result)], count);
            answers.0.all().map(row)
        });
        let family = Family::new(
            "token_requests",
            "Requests for access tokens, by what the provider answered",
        );
        Out(encoder).counters(family, rows)
    }
}
