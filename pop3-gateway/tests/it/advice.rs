//! What `check` and the start warn of: files that others can read or change.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::common::Gateway;
use pop3_gateway::self_signed;

/// A configuration with secrets, and what it names, for its owner alone.
fn place(dir: &Path) -> [(&'static str, std::path::PathBuf); 4] {
    let (identity, _) = self_signed::ensure(&dir.join("tls"), &["localhost".to_owned()]).unwrap();
    let (users, watch, file) = (dir.join("users"), dir.join("watch"), dir.join("g.toml"));
    fs::write(&users, "tim:{PLAIN}tim\n").unwrap();
    fs::write(&watch, "twelve letters\n").unwrap();
    let text = format!(
        "[[listener]]\nlisten = \"127.0.0.1:0\"\ntls = \"stls\"\n[[listener.certificate]]\ncert = {:?}\nkey = {:?}\n\
         [[store]]\nname = \"s\"\nkind = \"list\"\naccounts = \"users\"\n\
         [monitor]\nuser = \"watch\"\nsecret_file = \"watch\"\n",
        identity.chain, identity.key
    );
    fs::write(&file, text).unwrap();
    let files = [
        ("the private key", identity.key),
        ("the file of accounts", users),
        ("the secret of the monitoring account", watch),
        ("the configuration", file),
    ];
    for (_, file) in &files {
        mode(file, 0o600);
    }
    files
}

fn mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

fn checked(config: &Path) -> String {
    let mut check = Command::new(env!("CARGO_BIN_EXE_pop3-gateway"));
    let output = check
        .args(["check", "--json", "--config"])
        .arg(config)
        .output()
        .unwrap();
    assert!(output.status.success());
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let warnings = answer["warnings"].as_array().unwrap().iter();
    let lines: Vec<_> = warnings
        .map(|line| line["what"].as_str().unwrap().to_owned())
        .collect();
    lines.join("\n")
}

#[test]
fn w030_check_warns_of_files_that_others_read_or_change() {
    let dir = tempfile::tempdir().unwrap();
    let files = place(dir.path());
    let config = &files[3].1;
    let good = checked(config);
    assert!(!good.contains("(mode"), "{good}");
    for (what, file) in &files[..3] {
        for (rights, expected) in [
            (0o644, "every user of this machine can read"),
            (0o620, "users other than its owner can change"),
            (0o666, "can read, and users other than its owner can change"),
        ] {
            mode(file, rights);
            let said = checked(config);
            let line = said
                .lines()
                .find(|line| line.contains(what))
                .unwrap_or_default();
            assert!(
                line.contains(expected) && line.contains(&*file.to_string_lossy()),
                "{what}: {said}"
            );
            assert!(line.contains("chmod"), "{line}");
        }
        mode(file, 0o640);
        assert!(!checked(config).contains("(mode"), "{what}");
    }
    // the configuration itself, as soon as a secret stands in it
    mode(config, 0o644);
    assert!(!checked(config).contains("(mode"));
    let text = fs::read_to_string(config).unwrap();
    let text = text.replace("secret_file = \"watch\"", "secret = \"twelve letters\"");
    fs::write(config, text).unwrap();
    assert!(checked(config).contains("the configuration with its secrets"));
}

/// The balancers that are named are not the whole world.
#[test]
fn g27_check_warns_of_a_listener_that_believes_anybody() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("gateway.toml");
    let said = |networks: &str| {
        let listener = format!(
            "[[listener]]\nlisten = \"127.0.0.1:0\"\nproxy_protocol = [{networks}]\nallow_clear_login = true\n"
        );
        let upstream = "[[upstream]]\nname = \"main\"\nurl = \"imap://127.0.0.1:1\"\n";
        fs::write(&config, listener + upstream).unwrap();
        checked(&config)
    };
    assert!(said("\"10.0.0.0/8\", \"::/0\"").contains("from every address (::/0)"));
    assert!(!said("\"10.0.0.0/8\"").contains("from every address"));
}

#[test]
fn w030_w054_the_service_warns_of_what_check_warns_of() {
    let dir = tempfile::tempdir().unwrap();
    let files = place(dir.path());
    mode(&files[1].1, 0o666);
    let config = files[3].1.to_str().unwrap();
    for runtime in crate::common::RUNTIMES {
        let mut gateway = Gateway::start(runtime, 1, &["--config", config]);
        // the greeting comes when signals are handled
        drop(gateway.connect());
        gateway.signal("HUP");
        let what = "the file of accounts";
        let line = gateway.wait_for_line(what, |entry| entry.to_string().contains(what));
        assert_eq!(line["level"], "WARN");
    }
}
