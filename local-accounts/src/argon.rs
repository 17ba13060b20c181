//! Checking argon2 hashes in memory that goes back to the system at once.
//!
//! An allocator that serves many threads, as glibc's does, keeps what a thread has freed for that thread. With
//! 19 MiB for each check and several threads, that soon adds up to hundreds of MiB. Above 32 MiB glibc asks
//! the system for each piece and gives it back. So that much is reserved, but only what is needed is touched,
//! and only that costs.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq as _;

/// In blocks of 1 KiB: above what any allocator keeps for itself.
const RESERVED: usize = 33 * 1024;

/// Whether this is the password of the hash.
pub(crate) fn verifies(hash: &PasswordHash, password: &[u8]) -> bool {
    let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
        return false;
    };
    let algorithm = Algorithm::try_from(hash.algorithm.as_str());
    // old hashes name no version
    let version = match hash.version {
        Some(number) => Version::try_from(number),
        None => Ok(Version::V0x10),
    };
    let (Ok(algorithm), Ok(version), Ok(params)) = (algorithm, version, Params::try_from(hash))
    else {
        return false;
    };
    let blocks = params.block_count();
    let mut memory = Vec::with_capacity(blocks.max(RESERVED));
    memory.resize(blocks, Block::default());
    let mut computed = vec![0; expected.len()];
    let argon2 = Argon2::new(algorithm, version, params);
    let done = argon2.hash_password_into_with_memory(password, salt, &mut computed, memory);
    done.is_ok() && bool::from(computed.as_slice().ct_eq(expected.as_bytes()))
}
