//! What the server knows at the moment at which it is asked.

use std::fmt;

use pop3_server::parking::Why;
use pop3_server::server::Server;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::out::{Family, Out, number};

/// A server that is asked.
#[derive(Debug)]
pub(super) struct Live(pub(super) Server);

impl Collector for Live {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Out(encoder);
        let (all, strangers) = self.0.crowd().count();
        out.gauge(
            Family::new(
                "connections",
                "Connections that have a place; those of HTTP have others",
            ),
            number(all),
        )?;
        out.gauge(
            Family::new(
                "connections_before_login",
                "Connections that have a place and have not logged in",
            ),
            number(strangers),
        )?;
        out.gauge(
            Family::new(
                "connection_addresses",
                "IPv4 addresses and IPv6 networks of 64 bits that have connections",
            ),
            number(self.0.crowd().origins()),
        )?;
        out.gauge(
            Family::new(
                "maildrops_held",
                "Maildrops that sessions of this process hold",
            ),
            number(self.0.locks().held()),
        )?;
        out.gauge(
            Family::new(
                "logins_waiting",
                "Logins that wait because recent ones failed",
            ),
            number(self.0.throttle().waiting()),
        )?;
        let parking = self.0.parking();
        out.gauge(
            Family::new(
                "parked_connections",
                "Connections to upstreams that wait for the next login",
            ),
            number(parking.waiting()),
        )?;
        let row = |(why, count): (Why, _)| ([("reason", why.as_str())], count);
        out.counters(
            Family::new(
                "parked_connections_ended",
                "Connections to upstreams that waited in vain, by what ended them",
            ),
            parking.ended().map(row),
        )?;
        let (places, names, devices) = self.0.throttle().remembered();
        let row = |what, count| ([("what", what)], number(count));
        out.gauges(
            Family::new(
                "throttle_entries",
                "What is remembered of logins: addresses and names that failed, devices that were right",
            ),
            [row("address", places), row("name", names), row("device", devices)],
        )
    }
}
