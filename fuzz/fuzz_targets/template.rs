//! Any text as the template of folders: an accepted one gives each account folders of its own, below the root.
#![no_main]

use std::collections::HashMap;

use libfuzzer_sys::fuzz_target;
use maildir_backend::{Template, fuzzing};

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let Ok(template) = Template::parse(lines.next().unwrap_or_default()) else {
        return;
    };
    assert_eq!(Template::parse(&template.to_string()), Ok(template.clone()));
    let mut taken = HashMap::new();
    for account in lines.take(100) {
        let Ok(folders) = fuzzing::folders(&template, account) else {
            continue;
        };
        for folder in &folders {
            let name = folder.to_str().expect("it is made of texts");
            assert!(!matches!(name, "" | "." | ".."));
            assert!(!name.contains('/') && !name.contains(char::is_control));
        }
        let other = taken.insert(folders, account);
        assert!(other.is_none_or(|other| other == account));
    }
});
