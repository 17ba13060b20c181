#![doc = include_str!("../README.md")]

mod address;
pub mod timer;

pub use address::{Address, AddressError, PARAMETERS, is_local, shown};
