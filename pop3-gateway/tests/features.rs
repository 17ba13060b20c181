//! What the program has as it is built.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

/// W065: a plain build has everything; a slim build names what it wants.
#[test]
fn w065_the_program_as_built_has_every_feature() {
    let manifest = include_str!("../Cargo.toml");
    let manifest: toml::Table = manifest.parse().unwrap();
    let features = manifest["features"].as_table().unwrap();
    let default = features["default"].as_array().unwrap().iter();
    let default: BTreeSet<_> = default.map(|name| name.as_str().unwrap()).collect();
    let all = features.keys().map(String::as_str);
    let all: BTreeSet<_> = all.filter(|name| *name != "default").collect();
    assert_eq!(default, all);
}
