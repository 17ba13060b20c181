//! Any text as a configuration: it can be used, or the error says where and what.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use pop3_gateway::config::Config;

fuzz_target!(|text: &str| {
    match Config::parse(text, Path::new("a/b.toml")) {
        Ok(config) => {
            assert!(!config.listeners.is_empty());
            let known = |name: &String| config.upstreams.iter().any(|own| own.name == *name);
            assert!(config.routing.default.iter().all(known));
            assert!(
                config
                    .routing
                    .domains
                    .values()
                    .all(|route| known(&route.to))
            );
        }
        Err(error) => {
            for error in std::iter::once(&error).chain(&error.others) {
                assert!(!error.what.is_empty());
                assert!(error.to_string().starts_with("a/b.toml"));
                let (line, column) = error.position.unwrap_or((1, 1));
                assert!(line > 0 && line as usize <= text.matches('\n').count() + 1);
                assert!(column > 0 && column as usize <= text.len() + 1);
            }
        }
    }
});
