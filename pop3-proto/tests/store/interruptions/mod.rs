//! Both store adapters without a session in front of them: what is asked for is given up, or never comes
//! back, at every point.

mod bench;

mod losses;
mod messages;
mod opening;
mod updates;
