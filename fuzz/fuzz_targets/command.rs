//! A line is a command or an error; a command without a secret reads the same when written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pop3_proto::command::Command;

fuzz_target!(|line: &[u8]| {
    let Ok(command) = Command::parse(line) else {
        return;
    };
    let shown = command.to_string();
    assert!(!shown.contains(['\r', '\n', '\0']));
    if !shown.contains('<') {
        assert_eq!(Command::parse(shown.as_bytes()), Ok(command));
    }
});
