//! Files of a directory that are no mails as they lie there: texts, other encodings, names in capitals.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Disk, read};
use maildir_backend::Layout;
use pop3_proto::backend::blocking::Mailbox;
use pop3_proto::backend::store::message_size;
use proptest::prelude::*;

fn directory(suffixes: &[&str]) -> Disk {
    Disk::with(|config| {
        config.layout = Layout::Directory;
        config.settle = Duration::ZERO;
        config.suffixes = suffixes.iter().map(|suffix| (*suffix).to_owned()).collect();
    })
}

/// The only message, and its size in the list.
fn only(disk: &Disk) -> Vec<u8> {
    let mut mailbox = disk.open();
    let entries = mailbox.list().unwrap();
    assert_eq!(entries.len(), 1);
    let octets = read(&mut mailbox, 0).unwrap();
    assert_eq!(entries[0].size, message_size(&octets[..]).unwrap());
    octets
}

/// The header of a wrapped text, and the text.
fn unwrapped(mail: &[u8]) -> (String, String) {
    let mail = str::from_utf8(mail).unwrap();
    assert!(mail.lines().all(|line| line.len() <= 76), "{mail}");
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    let body = STANDARD.decode(body.replace("\r\n", "")).unwrap();
    (head.to_owned(), String::from_utf8(body).unwrap())
}

fn utf16(text: &str, big: bool) -> Vec<u8> {
    let octets = |unit: u16| {
        if big {
            unit.to_be_bytes()
        } else {
            unit.to_le_bytes()
        }
    };
    text.encode_utf16().flat_map(octets).collect()
}

#[test]
fn w063_suffixes_are_several_and_without_case() {
    let disk = directory(&[".eml", ".txt"]);
    for name in [
        "a.eml",
        "b.EML",
        "c.Txt",
        "d.jpg",
        "e",
        ".pop3sf_password_bcrypt",
        ".eml",
        "f.eml.PART",
    ] {
        disk.put(name, "Subject: x\n\nx\n");
    }
    assert_eq!(disk.list().len(), 3);
    let all = directory(&[]);
    for name in [
        "a.eml",
        "b.TXT",
        "c",
        ".pop3sf_password_bcrypt",
        "d.TMP",
        "e.CRDOWNLOAD",
    ] {
        all.put(name, "Subject: x\n\nx\n");
    }
    assert_eq!(all.list().len(), 3);
}

/// The header that POP3SF writes, with the time of the file.
#[test]
fn w063_a_text_is_wrapped_as_pop3sf_does_it() {
    let disk = directory(&[".eml", ".txt"]);
    disk.put("note.TXT", "Grüße\n.\nfrom here\r\nand\rthere");
    let file = File::options()
        .write(true)
        .open(disk.path().join("note.TXT"))
        .unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_792_313_400))
        .unwrap();
    let (head, text) = unwrapped(&only(&disk));
    assert_eq!(text, "Grüße\r\n.\r\nfrom here\r\nand\r\nthere");
    let id = disk.ids().remove(0);
    let mark = id.strip_prefix("note.TXT.").unwrap();
    let expected = format!(
        "Content-Type: text/plain; charset=\"utf-8\"\r\nMIME-Version: 1.0\r\n\
         Content-Transfer-Encoding: base64\r\nDate: Sun, 18 Oct 2026 08:50:00 +0000\r\n\
         From: nobody <nobody@localhost>\r\nTo: nobody <nobody@localhost>\r\n\
         Subject: Plaintext file {}\r\nMessage-ID: <{mark}@localhost>\r\n\
         X-Mailer: POP3SF-Plaintext-Wrapper",
        &mark[..8]
    );
    assert_eq!(head, expected);
    // mails beside it are sent as they are
    disk.put("mail.eml", "Subject: x\n\nx\n");
    let mut mailbox = disk.open();
    mailbox.list().unwrap();
    assert_eq!(read(&mut mailbox, 1).unwrap(), b"Subject: x\n\nx\n");
}

/// Texts as editors of all kinds leave them.
#[test]
fn w063_texts_of_all_encodings_are_read() {
    let text = "Grüße – 你好 🙂\r\n";
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("UTF-8", text.into(), text),
        ("UTF-8 with a mark", format!("\u{feff}{text}").into(), text),
        (
            "UTF-16LE with a mark",
            utf16(&format!("\u{feff}{text}"), false),
            text,
        ),
        (
            "UTF-16BE with a mark",
            utf16(&format!("\u{feff}{text}"), true),
            text,
        ),
        ("UTF-16LE", utf16("plain text\r\n", false), "plain text\r\n"),
        ("UTF-16BE", utf16("plain text\r\n", true), "plain text\r\n"),
        ("umlauts", utf16("über\r\n", false), "über\r\n"),
        ("big umlauts", utf16("ä", true), "ä"),
        ("a letter", utf16("x", false), "x"),
        (
            "Cyrillic",
            utf16("Привет, мир\r\nпока", false),
            "Привет, мир\r\nпока",
        ),
        ("Greek", utf16("γεια σου κόσμε", true), "γεια σου κόσμε"),
        ("emoji", utf16("fine \u{1f600}", false), "fine \u{1f600}"),
        ("a zero", b"hello\0worlds".to_vec(), "hello\0worlds"),
        ("zeros", b"ab\0\0".to_vec(), "ab\0\0"),
        ("an odd number", b"a\0b\0c".to_vec(), "a\0b\0c"),
        (
            "Windows-1252",
            b"Gr\xfc\xdfe \x96 10 \x80\r\n".to_vec(),
            "Grüße – 10 €\r\n",
        ),
        ("nothing", Vec::new(), ""),
        ("a mark alone", b"\xef\xbb\xbf".to_vec(), ""),
        ("half a mark", b"\xff\xfe".to_vec(), ""),
        ("half a character", b"x\xe2\x82".to_vec(), "xâ‚"),
        ("half of UTF-16", b"\xff\xfea\0b".to_vec(), "a\u{fffd}"),
    ];
    for (what, octets, expected) in cases {
        let disk = directory(&[]);
        disk.put("note.txt", octets);
        assert_eq!(unwrapped(&only(&disk)).1, expected, "{what}");
    }
}

/// Zeros and control octets make no UTF-16 of what begins as a mail does.
#[test]
fn w063_a_mail_with_zeros_in_it_comes_as_it_is() {
    let head = b"Subject: x\r\n\r\n";
    let zeros = [
        &head[..],
        b"\0\x01\x02\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\r\n",
    ]
    .concat();
    let some = [&head[..], b"a\0b\x04c\r\n"].concat();
    let odd = [b"X: y\r\n\r\n".as_slice(), &[0; 33], b"\r\n"].concat();
    for mail in [zeros, some, odd] {
        let disk = directory(&[".eml"]);
        disk.put("a.eml", mail.clone());
        assert_eq!(only(&disk), mail);
    }
}

/// A mail with a mark in front lost its first header line, and one in UTF-16 was noise.
#[test]
fn w063_marks_and_utf_16_cost_no_header() {
    let mail = "Subject: Grüße\r\n\r\nx\r\n";
    let marked = format!("\u{feff}{mail}");
    for octets in [
        marked.clone().into_bytes(),
        utf16(&marked, false),
        utf16(&marked, true),
        utf16(mail, false),
        utf16(mail, true),
    ] {
        let disk = directory(&[".eml"]);
        disk.put("a.eml", octets);
        assert_eq!(only(&disk), mail.as_bytes());
        // where any file is a message, a text without a header becomes one
        let disk = directory(&[]);
        disk.put("report", utf16("\u{feff}all is well\r\n", false));
        assert_eq!(unwrapped(&only(&disk)).1, "all is well\r\n");
    }
    for text in [": no name\r\n", "to be: or not\r\n"] {
        let disk = directory(&[]);
        disk.put("report", utf16(&format!("\u{feff}{text}"), false));
        assert_eq!(unwrapped(&only(&disk)).1, text);
    }
    for text in ["", "a", "ab", "abc"] {
        let disk = directory(&[]);
        disk.put("note.txt", text);
        assert_eq!(unwrapped(&only(&disk)).1, text);
    }
    // octets of a body that are no UTF-8 are its own affair
    let disk = directory(&[".eml"]);
    disk.put("a.eml", b"\xef\xbb\xbfSubject: x\n\n\xfc\n");
    assert_eq!(only(&disk), b"Subject: x\n\n\xfc\n");
}

/// What is no text and has no mark is sent as it lies there.
#[test]
fn w063_other_files_stay_as_they_are() {
    for octets in [
        &b"Subject: x\n\n\xff\xfe\0\n"[..],
        b"no header at all\n",
        b"II*\0\x08\0\0\0",
        b"x",
        // the first two are letters, whatever follows
        b"abc\0d\0e\0f\0g\0h\0",
        // Chinese in UTF-16, of which one character in seven is a blank: too little to be sure
        &utf16(" \u{4e2d}\u{6587}\u{4e2d}\u{6587}\u{4e2d}\u{6587}", false),
    ] {
        let disk = directory(&[]);
        disk.put("a", octets);
        assert_eq!(only(&disk), octets);
    }
}

/// Other settings, other sizes: what was counted before is not believed.
#[test]
fn w063_the_size_follows_the_settings() {
    let disk = directory(&[]);
    disk.put("note.txt", "Subject: x\n\nx\n");
    let wrapped = only(&disk).len();
    let plain = Disk {
        store: common::store(disk.path(), |config| {
            config.layout = Layout::Directory;
            config.settle = Duration::ZERO;
            config.texts.clear();
        }),
        root: disk.root,
    };
    assert!(only(&plain).len() < wrapped);
}

/// A mail that is added to a directory of texts would be wrapped.
#[test]
fn w063_no_mail_is_added_as_a_text() {
    let disk = directory(&[".TXT"]);
    let error = disk
        .store
        .deliver("u", &b"Subject: x\n\nx\n"[..])
        .unwrap_err();
    assert!(error.to_string().contains("suffix"), "{error}");
    assert_eq!(disk.files("."), [""; 0]);
    let disk = directory(&[".txt", ".eml"]);
    let id = disk.store.deliver("u", &b"Subject: x\n\nx\n"[..]).unwrap();
    assert!(id.contains(".eml.") && disk.ids() == [id]);
    assert_eq!(only(&disk), b"Subject: x\n\nx\n");
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// However long and wherever pieces end: the text comes back.
    #[test]
    fn w063_any_text_comes_back(
        parts in proptest::collection::vec("[a-zäß€🙂 \r\n.]{0,40}", 0..6),
        times in proptest::sample::select(vec![1usize, 50, 700]),
        encoding in 0..4,
    ) {
        // an odd start, so that no encoding but its own fits
        let text = format!("ä{}", parts.concat().repeat(times));
        let octets = match encoding {
            0 => text.clone().into_bytes(),
            1 => format!("\u{feff}{text}").into_bytes(),
            2 => utf16(&format!("\u{feff}{text}"), false),
            _ => utf16(&format!("\u{feff}{text}"), true),
        };
        let disk = directory(&[".txt"]);
        disk.put("note.txt", octets);
        let lines = text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
        prop_assert_eq!(unwrapped(&only(&disk)).1, lines);
    }

    /// Any octets are some text, and never an error.
    #[test]
    fn w063_any_octets_are_a_text(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        let disk = directory(&[".txt", ".eml"]);
        disk.put("note.txt", &octets);
        unwrapped(&only(&disk));
        fs::rename(disk.path().join("note.txt"), disk.path().join("mail.eml")).unwrap();
        only(&disk);
    }
}
