//! Rights that the process gives up for good once its sockets listen.
//!
//! For those without a service manager that does it. What is read after that, certificates and keys too, is read as
//! the other user, so that a reload can read it as well. Never takes a right.

use std::ffi::CString;

use nix::unistd::{Gid, Group, Uid, User, geteuid, initgroups, setgid, setuid};

use crate::Failure;

/// Becomes this user and this group, by name or number; without a group, the user's own. With neither, nothing
/// changes.
pub(crate) fn become_other(user: Option<&str>, group: Option<&str>) -> Result<(), Failure> {
    let Some(user) = user else {
        return match group {
            None => Ok(()),
            Some(_) => Err(Failure::configuration("--group needs --user")),
        };
    };
    let found = user_of(user)?;
    let gid = group.map_or(Ok(found.gid), group_of)?;
    if found.uid.is_root() {
        return Err(Failure::configuration("--user root would keep every right"));
    }
    if !geteuid().is_root() {
        return Err(Failure::configuration(
            "--user needs to be started as root, which has the right to become another user",
        ));
    }
    let become_it = || {
        let name = CString::new(found.name.as_str()).map_err(|_| nix::Error::EINVAL)?;
        initgroups(&name, gid)?;
        setgid(gid)?;
        setuid(found.uid)
    };
    become_it().map_err(|error| {
        Failure::running(format!("cannot become the user {:?}: {error}", found.name))
    })?;
    // were there a way back, nothing would have been given up
    match setuid(Uid::from_raw(0)) {
        Ok(()) => Err(Failure::running("the rights of root did not go")),
        Err(_) => Ok(()),
    }
}

fn user_of(name: &str) -> Result<User, Failure> {
    let found = match name.parse() {
        Ok(number) => User::from_uid(Uid::from_raw(number)),
        Err(_) => User::from_name(name),
    };
    let missing = || Failure::configuration(format!("--user: there is no user {name:?} here"));
    found.map_err(Failure::running)?.ok_or_else(missing)
}

fn group_of(name: &str) -> Result<Gid, Failure> {
    let found = match name.parse() {
        Ok(number) => return Ok(Gid::from_raw(number)),
        Err(_) => Group::from_name(name),
    };
    let missing = || Failure::configuration(format!("--group: there is no group {name:?} here"));
    let group = found.map_err(Failure::running)?.ok_or_else(missing)?;
    Ok(group.gid)
}
