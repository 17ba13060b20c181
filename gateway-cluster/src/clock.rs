//! The clock of this machine: it goes on while the machine sleeps, and nobody can set it.

use pop3_proto::time::Time;

/// A clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Start);

#[cfg(target_os = "linux")]
type Start = ();
#[cfg(not(target_os = "linux"))]
type Start = std::time::Instant;

impl Clock {
    #[cfg(target_os = "linux")]
    pub(crate) fn new() -> Self {
        Self(())
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new() -> Self {
        Self(std::time::Instant::now())
    }

    /// What other clocks of Linux count stands still while a machine is suspended; leases do not.
    #[cfg(target_os = "linux")]
    pub(crate) fn now(self) -> Time {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        let nanos = u32::try_from(now.tv_nsec).unwrap_or_default();
        Time::from_start(std::time::Duration::new(seconds, nanos))
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn now(self) -> Time {
        Time::from_start(self.0.elapsed())
    }
}
