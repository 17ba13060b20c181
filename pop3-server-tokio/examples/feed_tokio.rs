//! A POP3 server on mails that lie elsewhere and come over a channel, as they would over HTTP: an
//! asynchronous store. For the user `tim` with the password `tanstaaf`:
//! `cargo run -p pop3-server-tokio --example feed_tokio -- 127.0.0.1:1100`
use std::{env, error::Error, thread};

use pop3_server_tokio::serve;
use pop3_server_tokio::store::{AsyncMailbox, AsyncMessage, AsyncStore, Bytes, Entry, Index};
use pop3_server_tokio::store::{Open, Secret, StoreError};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// What the source of the mails can be asked.
enum Ask {
    /// The names and sizes of all mails.
    List(oneshot::Sender<Vec<Entry>>),
    /// A mail in pieces. `None` ends it: a channel that merely closes has lost the rest.
    Get(String, mpsc::Sender<Option<Bytes>>),
    /// Remove a mail.
    Delete(String, oneshot::Sender<()>),
}

/// Something far away: here, a thread.
fn source(mut asked: mpsc::Receiver<Ask>) {
    let mut mails = vec![
        ("1", "Subject: one\r\n\r\nThe first mail.\r\n"),
        ("2", "Subject: two\r\n\r\n.\r\n..\r\nThe second.\r\n"),
    ];
    // the one who asked may be gone meanwhile, which does no harm
    while let Some(ask) = asked.blocking_recv() {
        match ask {
            Ask::List(answer) => {
                let entry = |(name, mail): &(&str, &str)| Entry {
                    size: mail.len() as u64,
                    unique_id: (*name).into(),
                };
                let _ = answer.send(mails.iter().map(entry).collect());
            }
            Ask::Get(wanted, pieces) => {
                if let Some((_, mail)) = mails.iter().find(|(name, _)| *name == wanted) {
                    for piece in mail.as_bytes().chunks(8) {
                        let _ = pieces.blocking_send(Some(Bytes::from_static(piece)));
                    }
                    let _ = pieces.blocking_send(None);
                }
            }
            Ask::Delete(unwanted, done) => {
                mails.retain(|(name, _)| *name != unwanted);
                let _ = done.send(());
            }
        }
    }
}

struct Feed {
    source: mpsc::Sender<Ask>,
    password: Secret,
}

impl AsyncStore for Feed {
    type Mailbox = Mails;

    async fn open(&self, open: &Open) -> Result<Mails, StoreError> {
        if open.login.user() != Some("tim") || !open.login.proves(&self.password) {
            return Err(StoreError::Credentials);
        }
        Ok(Mails {
            source: self.source.clone(),
            names: Vec::new(),
        })
    }
}

struct Mails {
    source: mpsc::Sender<Ask>,
    names: Vec<String>,
}

impl Mails {
    async fn ask(&self, ask: Ask) -> Result<(), StoreError> {
        self.source.send(ask).await.map_err(|_| lost())
    }

    fn name(&self, index: Index) -> Result<String, StoreError> {
        let name = self.names.get(index.0 as usize);
        name.cloned().ok_or(StoreError::Missing)
    }
}

impl AsyncMailbox for Mails {
    type Message = Pieces;

    async fn list(&mut self) -> Result<Vec<Entry>, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.ask(Ask::List(answer)).await?;
        let entries = answered.await.map_err(|_| lost())?;
        self.names = entries
            .iter()
            .map(|entry| entry.unique_id.clone())
            .collect();
        Ok(entries)
    }

    async fn message(&mut self, index: Index) -> Result<Pieces, StoreError> {
        // the source is a few pieces ahead of the client, and no more
        let (sender, pieces) = mpsc::channel(4);
        self.ask(Ask::Get(self.name(index)?, sender)).await?;
        Ok(Pieces(pieces))
    }

    async fn remove(&mut self, indexes: &[Index]) -> Result<(), StoreError> {
        for index in indexes {
            let (done, heard) = oneshot::channel();
            self.ask(Ask::Delete(self.name(*index)?, done)).await?;
            heard.await.map_err(|_| lost())?;
        }
        Ok(())
    }
}

struct Pieces(mpsc::Receiver<Option<Bytes>>);

impl AsyncMessage for Pieces {
    async fn chunk(&mut self) -> Result<Option<Bytes>, StoreError> {
        self.0.recv().await.ok_or_else(lost)
    }
}

fn lost() -> StoreError {
    StoreError::Temporary("the source of the mails is gone".into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (sender, asked) = mpsc::channel(16);
    thread::spawn(move || source(asked));
    let feed = Feed {
        source: sender,
        password: Secret::from(&b"tanstaaf"[..]),
    };
    let address = env::args().nth(1).ok_or("an address, please")?;
    let socket = TcpListener::bind(address).await?;
    println!("{}", socket.local_addr()?);
    serve(socket, feed)?.await?;
    Ok(())
}
