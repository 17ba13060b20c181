//! Dovecot in a scratch folder: as upstream, as POP3 server on the Maildirs, and as POP3 server over
//! its own IMAP client. Set up as an administrator would who wants it fast and has many users.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::Ports;
use crate::Outcome;
use crate::place::{Place, program};
use crate::pop::PASSWORD;
use crate::process::Served;

/// The upstream.
pub(super) fn imap(place: &Place, mail: &Path, port: u16) -> Outcome<Served> {
    let storage = maildir(mail);
    start(place, "upstream", "imap", &storage, Some(port), None)
}

/// POP3 on the Maildirs themselves.
pub(super) fn native(place: &Place, mail: &Path, ports: Ports) -> Outcome<Served> {
    let storage = maildir(mail);
    start(
        place,
        "native",
        "pop3",
        &storage,
        Some(ports.plain),
        Some(ports.tls),
    )
}

/// POP3 over IMAP: what the gateway does.
pub(super) fn imapc(
    place: &Place,
    name: &str,
    index: &Path,
    ports: Ports,
    upstream: u16,
) -> Outcome<Served> {
    let index = index.display();
    let storage = format!(
        "mail_location = imapc:{index}/%u
imapc_host = 127.0.0.1
imapc_port = {upstream}
imapc_user = %u
imapc_password = {PASSWORD}
imapc_features = rfc822.size fetch-headers
mail_prefetch_count = 20
"
    );
    start(
        place,
        name,
        "pop3",
        &storage,
        Some(ports.plain),
        Some(ports.tls),
    )
}

fn maildir(mail: &Path) -> String {
    format!("mail_location = maildir:{}/%u\n", mail.display())
}

fn start(
    place: &Place,
    name: &str,
    protocol: &str,
    storage: &str,
    plain: Option<u16>,
    tls: Option<u16>,
) -> Outcome<Served> {
    let packages = "dovecot-imapd dovecot-pop3d";
    let binary = program("dovecot", packages)?;
    for part in ["imap", "pop3"] {
        if !Path::new("/usr/lib/dovecot").join(part).exists() {
            return Err(
                format!("Dovecot has no {part}; on Debian: apt-get install {packages}").into(),
            );
        }
    }
    let folder = place.path(name);
    for part in ["run", "state"] {
        fs::create_dir_all(folder.join(part))?;
    }
    let listener = |name: &str, port: Option<u16>, ssl: &str| {
        let port = port.unwrap_or(0);
        format!("  inet_listener {name} {{\n    port = {port}\n    ssl = {ssl}\n  }}\n")
    };
    let (uid, gid) = (place.account.uid, place.account.gid);
    let mut text = format!(
        "base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
instance_name = bench-{name}
protocols = {protocol}
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
auth_mechanisms = plain
auth_failure_delay = 0
first_valid_uid = 1
mail_fsync = never
mail_max_userip_connections = 100000
default_vsz_limit = 4G
default_client_limit = 9000
default_process_limit = 3000
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
}}
# logins in processes that stay, sessions in processes that are used again
service {protocol}-login {{
  chroot =
  service_count = 0
  process_min_avail = 2
  process_limit = 2
{near}{tls}}}
service {protocol} {{
  service_count = 1000
  process_min_avail = 10
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
protocol pop3 {{
  pop3_uidl_format = %v.%u
  pop3_no_flag_updates = yes
}}
{storage}",
        folder = folder.display(),
        certificate = place.certificate.display(),
        key = place.key.display(),
        near = listener(protocol, plain, "no"),
        tls = listener(&format!("{protocol}s"), tls, "yes"),
    );
    if let Some((user, group)) = &place.account.own {
        // not root: everything runs as who we are
        write!(
            text,
            "default_login_user = {user}
default_internal_user = {user}
default_internal_group = {group}
"
        )?;
    }
    let config = folder.join("dovecot.conf");
    fs::write(&config, text)?;
    let argv = [
        binary.as_os_str(),
        "-F".as_ref(),
        "-c".as_ref(),
        config.as_os_str(),
    ];
    Served::start(
        name,
        argv.map(ToOwned::to_owned).into(),
        folder.join("output.log"),
        plain.into_iter().chain(tls).collect(),
    )
}
