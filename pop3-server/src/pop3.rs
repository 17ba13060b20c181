//! The listener that speaks POP3.

use pop3_proto::server::TlsOffer;

use crate::connection::Connection;
use crate::drive::Drive;
use crate::handler::{Arrival, Door, Handler};
use crate::runtime::Runtime;
use crate::service::Service;
use crate::settings::Reloadable;

impl<S: Service, R: Runtime> Handler<R> for Reloadable<S> {
    fn door(&self) -> Door {
        let settings = self.current();
        let door = Door::new(settings.limits).preamble(settings.preamble.clone());
        if settings.policy.tls == TlsOffer::Implicit {
            // A client that waits for TLS cannot read a reply.
            door
        } else {
            door.full(b"-ERR [SYS/TEMP] too many connections\r\n")
        }
    }

    fn handle(&self, arrival: Arrival<R>) {
        let Arrival {
            stream,
            early,
            peer,
            place,
            member,
            deadline,
            server,
            runtime,
        } = arrival;
        let connection = Connection::new(self.current(), &server, peer, place, runtime.now());
        let drive = Drive::new(
            runtime.clone(),
            connection,
            (stream, early),
            deadline,
            member,
        );
        runtime.spawn(drive);
    }
}
