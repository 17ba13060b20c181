//! Something else than POP3, in the clear or through TLS: says every octet once more, and `bye` when the server goes
//! down.

use std::io;
use std::time::Duration;

use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt};
use pop3_server::handler::{Arrival, Door, Handler, Visit};
use pop3_server::limit::Limits;
use pop3_server::runtime::Runtime;
use pop3_server::tls::ServerTls;

/// How long a client may take for its handshake.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One connection for each address.
#[derive(Clone, Debug, Default)]
pub struct Echo {
    pub tls: Option<ServerTls>,
}

impl<R: Runtime> Handler<R> for Echo {
    fn door(&self) -> Door {
        let mut limits = Limits::default();
        limits.per_address = 1;
        let door = Door::new(limits);
        match &self.tls {
            // There is no way to say it.
            Some(_) => door,
            None => door.full(b"full\n"),
        }
    }

    fn handle(&self, arrival: Arrival<R>) {
        match &self.tls {
            Some(tls) => arrival.spawn_tls(tls, PATIENCE, speak),
            None => arrival.spawn(speak),
        }
    }
}

async fn speak<R: Runtime>(mut visit: Visit<R>) {
    let _ = echo(&mut visit).await;
}

async fn echo<R: Runtime>(visit: &mut Visit<R>) -> io::Result<()> {
    let Visit {
        channel, finishing, ..
    } = visit;
    let mut octets = [0; 64];
    loop {
        let read = async { Some(channel.read(&mut octets).await) };
        let finish = async {
            (&mut *finishing).await;
            None
        };
        let read = finish.or(read).await;
        match read {
            Some(Ok(0)) => return channel.close().await,
            Some(read) => channel.write_all(&octets[..read?]).await?,
            None => {
                channel.write_all(b"bye\r\n").await?;
                return channel.close().await;
            }
        }
    }
}
