//! Any octets as a mail: it is shown, in proportion to its size, and nothing of it moves a cursor.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pop3_client::mail::Mail;

fuzz_target!(|octets: &[u8]| {
    let mail = Mail::parse(octets);
    let text = mail.text();
    // an address of a link stands once, a tab is four spaces, a replacement three octets
    assert!(text.len() < octets.len() * 20 + 10_000);
    let attachments = mail.attachments();
    let files: usize = attachments.iter().map(|file| file.octets.len()).sum();
    assert!(files <= octets.len() * 4);
    for file in &attachments {
        assert!(!file.name.is_empty() && file.name.len() <= 255);
        assert!(!file.name.contains(['/', '\\', '\0']) && !file.name.starts_with('.'));
    }
    let names = attachments
        .iter()
        .map(|file| format!("{} {}", file.name, file.kind));
    let head = [
        mail.short_head(),
        mail.raw_head(),
        mail.summary().short_date(),
    ];
    for shown in names.chain(head).chain([text]) {
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()));
        assert!(!shown.contains(['\u{202d}', '\u{202e}', '\u{feff}']));
    }
});
