//! A state: an engine, and the keys that what it keeps is sealed with. What can be asked of it stands in the files
//! beside this one, a file for each subject.

mod accounts;
mod grants;
mod reseal;
mod sign_ins;
mod slips;

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::engine::{Engine, Stamp};
use crate::error::StateError;
use crate::keys::Keys;
use crate::seal::{self, Place, Unsealed};
use crate::url::StateUrl;

pub use reseal::Resealed;

/// What outlives a process: grants, accounts, sign-ins under way, slips. Cheap to clone; all clones are one.
///
/// ```
/// use gateway_state::{Binding, GrantId, Keys, Replaced, State, Tokens};
/// use pop3_proto::secret::Secret;
///
/// # futures_lite::future::block_on(async {
/// let state = State::open(&"memory:".parse()?, Keys::generate()?).await?;
/// let id = GrantId::new("example", "tim@example.org");
/// let binding = Binding { issuer: "https://login.example", client: "c1" };
/// let tokens = Tokens { refresh: Some(Secret::from(&b"r1"[..])), ..Tokens::default() };
/// let version = state.put_grant(&id, binding, &tokens, 1_800_000_000).await?;
///
/// // a refresh: kept before the new token is used
/// let newer = Tokens { refresh: Some(Secret::from(&b"r2"[..])), ..Tokens::default() };
/// let done = state.replace_grant(&id, binding, version, &newer, 1_800_003_000).await?;
/// assert!(matches!(done, Replaced::Done(_)));
/// // somebody else who had read the old one as well
/// let late = state.replace_grant(&id, binding, version, &tokens, 1_800_003_000).await?;
/// assert_eq!(late, Replaced::Changed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct State(Arc<Inner>);

struct Inner {
    engine: Engine,
    keys: Keys,
    /// Random, made with the state: a record that is copied to another state is not unsealed there.
    id: String,
}

/// Calls the engine.
macro_rules! engine {
    ($state:expr, $call:ident($($argument:expr),*)) => {
        match &$state.0.engine {
            $crate::engine::Engine::Memory(engine) => engine.$call($($argument),*).await,
            $crate::engine::Engine::Sql(engine) => engine.$call($($argument),*).await,
        }
    };
}
use engine;

impl State {
    /// Opens the state at this address, makes it if there is none, and brings it to this program's version.
    ///
    /// # Errors
    ///
    /// If it cannot be reached or read, was made by a newer program, or is sealed with none of these keys. Nothing
    /// was changed then.
    pub async fn open(url: &StateUrl, keys: Keys) -> Result<Self, StateError> {
        let (state, stamp) = Self::open_any(url, keys).await?;
        let opened = match state.unseal(|| url.to_string(), STAMP, &stamp.sealed) {
            Ok(_) => engine!(state, migrate()),
            Err(error) => Err(error),
        };
        match opened {
            Ok(()) => Ok(state),
            Err(error) => {
                state.close().await;
                Err(error)
            }
        }
    }

    /// Opens a state whose key is lost: the accounts stay, the grants and what else was sealed are removed, and from now
    /// on it is sealed with these keys. How many grants were removed. If the key is not lost, nothing is.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), other keys aside. All of it is done, or nothing.
    pub async fn open_without_key(url: &StateUrl, keys: Keys) -> Result<(Self, u64), StateError> {
        match Self::open(url, keys.clone()).await {
            Err(StateError::OtherKey { .. }) => {}
            other => return Ok((other?, 0)),
        }
        let (state, stamp) = Self::open_any(url, keys.clone()).await?;
        let sealed = state.seal(STAMP, b"")?;
        let removed = engine!(state, forget_sealed(&stamp.sealed, &sealed));
        state.close().await;
        let removed = removed?;
        Ok((Self::open(url, keys).await?, removed))
    }

    /// Closes its connections: nothing is asked of it any more.
    pub async fn close(&self) {
        engine!(self, close());
    }

    /// Whatever keys it is sealed with.
    async fn open_any(url: &StateUrl, keys: Keys) -> Result<(Self, Stamp), StateError> {
        let (engine, stamp) = Engine::open(url, fresh_stamp(&keys)?).await?;
        let id = stamp.id.clone();
        Ok((Self(Arc::new(Inner { engine, keys, id })), stamp))
    }

    /// Seals for a place in this state.
    fn seal(&self, place: &[&str], plain: &[u8]) -> Result<Vec<u8>, StateError> {
        seal::seal(&self.0.keys, &place_in(&self.0.id, place), plain)
    }

    fn unseal(
        &self,
        what: impl Fn() -> String,
        place: &[&str],
        record: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, StateError> {
        let plain = seal::unseal(&self.0.keys, &place_in(&self.0.id, place), record);
        plain.map_err(|error| match error {
            Unsealed::Key(sealed) => StateError::OtherKey {
                what: what(),
                sealed,
                given: self.0.keys.id(),
            },
            Unsealed::Damaged => StateError::Damaged(what()),
        })
    }
}

/// What the stamp of a state is sealed for.
const STAMP: &[&str] = &["state"];

/// Of a new state.
fn fresh_stamp(keys: &Keys) -> Result<Stamp, StateError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id)
        .map_err(|error| StateError::Refused(format!("no random octets: {error}")))?;
    let id = base16ct::lower::encode_string(&id);
    let sealed = seal::seal(keys, &place_in(&id, STAMP), b"")?;
    Ok(Stamp { id, sealed })
}

fn place_in(id: &str, parts: &[&str]) -> Place {
    Place::new(&[&[id], parts].concat())
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("id", &self.0.id)
            .finish_non_exhaustive()
    }
}
