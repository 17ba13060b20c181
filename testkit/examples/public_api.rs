//! Lists what a crate offers to others, from rustdoc's JSON: `docs/api/*.txt`, for reviews.
//!
//! ```text
//! .ci/run api                  says what differs from docs/api
//! API_UPDATE=1 .ci/run api     writes docs/api anew
//! ```
//!
//! Methods of traits' implementations are left out: the line of the implementation implies them.
//! Blanket implementations are also left out, and those that the compiler finds by itself.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let json = std::env::args()
        .nth(1)
        .ok_or("the file of rustdoc, please")?;
    let api = public_api::Builder::from_rustdoc_json(PathBuf::from(json))
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()?;
    let mut implementor = None;
    for item in api.items() {
        let line = item.to_string();
        if line.starts_with("impl") {
            implementor = line.split_once(" for ").map(|(_, name)| name.to_owned());
        } else if let Some(name) = &implementor {
            let is_method = line.split_once("fn ").is_some_and(|(_, rest)| {
                rest.strip_prefix(name.as_str())
                    .is_some_and(|rest| rest.starts_with("::"))
            });
            if is_method {
                continue;
            }
        }
        println!("{line}");
    }
    Ok(())
}
