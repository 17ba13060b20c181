//! What is counted of sessions, as a scrape reads it.
//!
//! Owns the families and their words of help. Counts nothing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::super::out::{Family, Out};
use super::super::span::Span;
use super::super::tally::Tally;
use super::{Listener, STATES, Served, Sessions, Upstream};

/// A row for each of these and each word of its tally.
fn rows<'a, T>(
    label: &'static str,
    all: &'a [(Arc<str>, Arc<T>)],
    word: &'static str,
    tally: fn(&T) -> &Tally,
) -> impl Iterator<Item = ([(&'static str, &'a str); 2], u64)> {
    all.iter().flat_map(move |(name, own)| {
        let row = move |(value, count)| ([(label, &**name), (word, value)], count);
        tally(own).all().map(row)
    })
}

impl Collector for Sessions {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Out(encoder);
        self.of_listeners(&mut out)?;
        self.of_services(&mut out)?;
        self.of_upstreams(&mut out)?;
        let limits = self.limits.all();
        out.counters(
            Family::new(
                "limits_reached",
                "Connections and logins that found a limit reached, by which one",
            ),
            limits.map(|(limit, count)| ([("limit", limit)], count)),
        )
    }
}

impl Sessions {
    fn of_listeners(&self, out: &mut Out<'_>) -> fmt::Result {
        let all = self.listeners.all();
        let each = |count: fn(&Listener) -> u64| {
            let row = move |(name, own): &'_ (Arc<str>, Arc<Listener>)| {
                ([("listener", name.to_string())], count(own))
            };
            all.iter().map(row)
        };
        let states = all.iter().flat_map(|(name, own)| {
            let open = own.open.iter().map(|open| open.load(Ordering::Relaxed));
            let labels = STATES.map(|state| [("listener", &**name), ("state", state)]);
            labels.into_iter().zip(open)
        });
        out.gauges(
            Family::new("sessions", "Sessions that are open, by their state"),
            states,
        )?;
        out.counters(
            Family::new("sessions_started", "Sessions that began"),
            each(|own| own.started.get()),
        )?;
        let words = |word, tally: fn(&Listener) -> &Tally| rows("listener", &all, word, tally);
        out.counters(
            Family::new("sessions_ended", "Sessions that ended, by the reason"),
            words("reason", |own| &own.ended),
        )?;
        out.counters(
            Family::new("tls_sessions", "TLS handshakes of clients that came about"),
            words("version", |own| &own.secured),
        )?;
        out.counters(
            Family::new(
                "client_received",
                "Octets that came from clients, TLS included",
            )
            .bytes(),
            each(|own| own.received.get()),
        )?;
        out.counters(
            Family::new("client_sent", "Octets that went to clients, TLS included").bytes(),
            each(|own| own.sent.get()),
        )?;
        out.counters(
            Family::new(
                "logins_delayed",
                "Logins that had to wait because recent ones failed",
            ),
            each(|own| own.delayed.get()),
        )?;
        out.counters(
            Family::new("clear_logins", "Logins whose secret came without TLS"),
            each(|own| own.in_the_clear.get()),
        )
    }

    fn of_services(&self, out: &mut Out<'_>) -> fmt::Result {
        let listeners = self.listeners.all();
        let pairs = listeners.iter().flat_map(|(listener, own)| {
            let pair = move |(upstream, served)| (listener, upstream, served);
            own.served.all().into_iter().map(pair)
        });
        let pairs: Vec<(&Arc<str>, Arc<str>, Arc<Served>)> = pairs.collect();
        let rows = |word: &'static str, values: fn(&Served) -> Vec<(&'static str, u64)>| {
            pairs.iter().flat_map(move |(listener, upstream, served)| {
                let labels = move |value| {
                    [
                        ("listener", &***listener),
                        ("upstream", &**upstream),
                        (word, value),
                    ]
                };
                values(served)
                    .into_iter()
                    .map(move |(value, count)| (labels(value), count))
            })
        };
        out.counters(
            Family::new("logins", "Logins that are over, by what came of them"),
            rows("result", |served| served.logins.all().collect()),
        )?;
        out.counters(
            Family::new(
                "messages",
                "Messages, by what was done with them in sessions that are over",
            ),
            rows("what", |served| served.messages().into()),
        )?;
        let octets = pairs.iter().map(|(listener, upstream, served)| {
            let labels = [("listener", &***listener), ("upstream", &**upstream)];
            (labels, served.octets.get())
        });
        out.counters(
            Family::new(
                "messages_sent",
                "Octets of messages in sessions that are over",
            )
            .bytes(),
            octets,
        )
    }

    fn of_upstreams(&self, out: &mut Out<'_>) -> fmt::Result {
        let all = self.upstreams.all();
        let words = |word, tally: fn(&Upstream) -> &Tally| rows("upstream", &all, word, tally);
        out.counters(
            Family::new("upstream_connects", "Attempts to connect to an upstream"),
            words("result", |own| &own.connects),
        )?;
        out.counters(
            Family::new(
                "upstream_errors",
                "Connections to an upstream that ended in an error after they were open",
            ),
            words("kind", |own| &own.errors),
        )?;
        let each = |count: fn(&Upstream) -> u64| {
            all.iter()
                .map(move |(name, own)| ([("upstream", &**name)], count(own)))
        };
        out.counters(
            Family::new(
                "upstream_received",
                "Octets that came from an upstream, TLS included",
            )
            .bytes(),
            each(|own| own.received.get()),
        )?;
        out.counters(
            Family::new(
                "upstream_sent",
                "Octets that went to an upstream, TLS included",
            )
            .bytes(),
            each(|own| own.sent.get()),
        )?;
        out.counters(
            Family::new("message_failures", "Messages that could not be sent"),
            words("kind", |own| &own.messages_failed),
        )?;
        out.counters(
            Family::new(
                "update_failures",
                "Removals of messages at QUIT that failed",
            ),
            words("kind", |own| &own.updates_failed),
        )?;
        let logins = all.iter().flat_map(|(name, own)| {
            let row = move |result, span| ([("upstream", &**name), ("result", result)], span);
            [row("ok", &own.good_logins), row("failed", &own.bad_logins)]
        });
        out.spans(
            Family::new(
                "login",
                "From the moment a login is looked at to its verdict",
            ),
            logins,
        )?;
        let spans = |span: fn(&Upstream) -> &Span| {
            all.iter()
                .map(move |(name, own)| ([("upstream", &**name)], span(own)))
        };
        out.spans(
            Family::new(
                "first_octet",
                "From RETR or TOP to the first octet of the message",
            ),
            spans(|own| &own.first_octets),
        )?;
        out.spans(
            Family::new("update", "From QUIT to the verdict on what is removed"),
            spans(|own| &own.updates),
        )
    }
}
