//! Which requirement is shown by which test: writes `docs/conformance.md`.
//!
//! ```text
//! cargo run -p testkit --example conformance             write it
//! cargo run -p testkit --example conformance -- --check  say what is wrong or stale, and change nothing
//! ```
//!
//! The requirements are in `docs/conformance.toml`. A test names the ones that it shows in its name, a dialogue
//! in its title, a scenario of the interoperability tests in its doc string. A requirement without a test has
//! the reason there.

mod catalogue;
mod id;
mod page;
mod scan;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use catalogue::Catalogue;
use id::Id;
use scan::Test;

const CATALOGUE: &str = "docs/conformance.toml";
const PAGE: &str = "docs/conformance.md";

/// The tests that name a requirement, in the order of their places.
type Named = BTreeMap<Id, Vec<Test>>;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let check = env::args().any(|argument| argument == "--check");
    let catalogue = Catalogue::parse(&fs::read_to_string(root.join(CATALOGUE))?)?;
    let named = by_id(scan::all(&root)?);

    let mut complaints = catalogue.complaints(&named);
    let page = page::render(&catalogue, &named);
    if check && fs::read_to_string(root.join(PAGE)).unwrap_or_default() != page {
        complaints.push(format!(
            "{PAGE} is stale: run `cargo run -p testkit --example conformance` and look at what changed"
        ));
    } else if !check {
        fs::write(root.join(PAGE), page)?;
    }
    println!("{}", page::figures(&catalogue, &named));
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    Ok(ExitCode::from(u8::from(!complaints.is_empty())))
}

fn by_id(tests: Vec<Test>) -> Named {
    let mut named = Named::new();
    for test in tests {
        for &id in &test.ids {
            named.entry(id).or_default().push(test.clone());
        }
    }
    for tests in named.values_mut() {
        tests.sort();
    }
    named
}
