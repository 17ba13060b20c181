//! A POP3 server over a store of one's own, for the user `tim` with the password `tanstaaf`:
//! `cargo run -p pop3-server-smol --example mails_smol -- 127.0.0.1:1100`
use pop3_server_smol::store::*;
use std::{env, error::Error};

#[derive(Clone)]
struct Mails(Vec<&'static str>);
impl AsyncStore for Mails {
    type Mailbox = Self;
    async fn open(&self, open: &Open) -> Result<Self, StoreError> {
        let proven = open.login.proves(&Secret::from(&b"tanstaaf"[..]));
        let known = open.login.user() == Some("tim") && proven;
        known.then(|| self.clone()).ok_or(StoreError::Credentials)
    }
}
impl AsyncMailbox for Mails {
    type Message = Bytes;
    async fn list(&mut self) -> Result<Vec<Entry>, StoreError> {
        let entry = |mail: &&str| Entry {
            size: mail.len() as u64,
            unique_id: mail[9..12].into(),
        };
        Ok(self.0.iter().map(entry).collect())
    }
    async fn message(&mut self, index: Index) -> Result<Bytes, StoreError> {
        Ok(Bytes::from(self.0[index.0 as usize]))
    }
    async fn remove(&mut self, _: &[Index]) -> Result<(), StoreError> {
        Err(StoreError::Permanent("these mails stay".into()))
    }
}
fn main() -> Result<(), Box<dyn Error>> {
    let first = "Subject: one\r\n\r\nThe first mail.\r\n";
    let second = "Subject: two\r\n\r\n.\r\n..\r\nThe second.\r\n";
    let address = env::args().nth(1).ok_or("an address, please")?;
    let socket = smol::block_on(smol::net::TcpListener::bind(address))?;
    println!("{}", socket.local_addr()?);
    let serve = async { pop3_server_smol::serve(socket, Mails(vec![first, second]))?.await };
    Ok(smol::block_on(serve)?)
}
