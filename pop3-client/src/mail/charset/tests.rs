//! Labels and charsets, by table.

use super::*;

fn said(label: &str, octets: &[u8]) -> String {
    decode(Some(label), octets, None)
}

#[test]
fn w076_labels_of_mail_and_their_aliases() {
    let table: &[(&[&str], &[u8], &str)] = &[
        (
            &[
                "cp932",
                "CP-932",
                "windows-932",
                "MS932",
                "windows-31j",
                "csWindows31J",
                "x-sjis",
                "Shift-JIS",
                "shift_jis",
                "sjis",
                "x-ms-cp932",
                "ibm943",
                "x-mac-japanese",
            ],
            b"\x91\xe6\x87\x40\x89\xf1",
            "第①回",
        ),
        (
            &[
                "cp949",
                "ks_c_5601-1987",
                "ksc5601",
                "uhc",
                "windows-949",
                "EUC-KR",
                "ms949",
                "korean",
                "KS_C_5601",
                "x-windows-949",
            ],
            b"\xc7\xd1 \x94\xee",
            "한 뷁",
        ),
        (
            &[
                "cp950",
                "big5",
                "x-x-big5",
                "big5-hkscs",
                "cn-big5",
                "windows-950",
                "ms950",
                "x-big5",
            ],
            b"\xa7A\xa6n",
            "你好",
        ),
        (
            &[
                "gb2312",
                "gbk",
                "cp936",
                "x-gbk",
                "gb18030",
                "euc-cn",
                "csGB2312",
                "ms936",
                "GB_2312-80",
            ],
            b"\xc4\xe3\xba\xc3",
            "你好",
        ),
        (
            &[
                "windows1251",
                "windows-1251",
                "cp1251",
                "win-1251",
                "win1251",
                "x-cp1251",
                "microsoft-cp1251",
                "ansi-1251",
                "WINDOWS_1251",
                "cp-1251",
                " windows-1251 ",
            ],
            b"\xcf\xf0\xe8",
            "При",
        ),
        (
            &[
                "latin-1",
                "latin1",
                "iso8859-1",
                "iso-8859-1",
                "ISO_8859-1:1987",
                "iso88591",
                "8859-1",
                "l1",
                "cp819",
                "ibm819",
                "windows-1252",
                "iso-8859-1-windows-latin-1",
                "csISOLatin1",
                "iso-latin-1",
                "cp1252",
                "x-ansi",
                "ansi",
            ],
            b"Gr\xf6\xdfe",
            "Größe",
        ),
        (
            &[
                "iso-8859-15",
                "latin-9",
                "latin9",
                "iso8859_15",
                "cp923",
                "ISO-8859-15:1999",
            ],
            b"\xa4",
            "€",
        ),
        (
            &[
                "iso-8859-2",
                "latin2",
                "latin-2",
                "iso8859-2",
                "ISO_8859-2:1987",
                "csISOLatin2",
            ],
            b"\xb9",
            "š",
        ),
        (
            &["koi8-r", "koi8", "koi8r", "cskoi8r", "KOI8_R", "cp20866"],
            b"\xf0\xd2\xc9",
            "При",
        ),
        (
            &[
                "cp437",
                "ibm437",
                "437",
                "cp-437",
                "csPC8CodePage437",
                "dos-437",
            ],
            b"Gr\x94\xe1e",
            "Größe",
        ),
        (
            &["cp850", "ibm850", "ibm-850", "cspc850multilingual"],
            b"Gr\x94\xe1e",
            "Größe",
        ),
        (&["cp866", "ibm866", "dos-866"], b"\x8f\xe0\xa8", "При"),
        (
            &[
                "x-mac-ce",
                "mac-ce",
                "maccentraleurope",
                "x-mac-centraleurroman",
                "cp10029",
            ],
            b"P\xde\x92li\xe4",
            "Příliš",
        ),
        (
            &["x-mac-roman", "macintosh", "mac", "macroman"],
            b"Gr\x9a\xa7e",
            "Größe",
        ),
        (
            &[
                "iso-2022-jp",
                "iso-2022-jp-1",
                "iso-2022-jp-2",
                "ISO-2022-JP-3",
                "iso-2022-jp-ms",
                "cp50220",
                "csISO2022JP",
                "cp50221",
                "jis",
            ],
            b"\x1b$BF|K\\8l\x1b(B",
            "日本語",
        ),
        (
            &[
                "utf-8",
                "utf8",
                "UTF_8",
                "unicode-1-1-utf-8",
                "utf8mb4",
                "utf-8-sig",
                "cp65001",
                "csutf8",
                "x-unicode-2-0-utf-8",
            ],
            b"Gr\xc3\xb6\xc3\x9fe",
            "Größe",
        ),
        (
            &[
                "utf-7",
                "unicode-1-1-utf-7",
                "x-unicode-2-0-utf-7",
                "utf7",
                "csUnicode11UTF7",
                "cp65000",
            ],
            b"Gr+APYA3w-e",
            "Größe",
        ),
        (
            &[
                "utf-16",
                "utf16",
                "utf-16be",
                "ucs-2",
                "unicode",
                "iso-10646-ucs-2",
            ],
            b"\0G\0r\0\xf6",
            "Grö",
        ),
        (
            &["utf-16le", "utf-16", "ucs-2", "unicodefeff", "cp1200"],
            b"G\0r\0\xf6\0",
            "Grö",
        ),
        (
            &["utf-32", "utf-32le", "ucs-4", "iso-10646-ucs-4"],
            b"G\0\0\0\xf6\0\0\0",
            "Gö",
        ),
        (&["utf-32", "utf-32be", "ucs-4"], b"\0\0\0G\0\0\0\xf6", "Gö"),
        (
            &["tis-620", "windows-874", "cp874", "iso-8859-11", "TIS620"],
            b"\xa1",
            "ก",
        ),
        (
            &["iso-8859-8-i", "iso-8859-8", "iso-8859-8-e", "csISO88598I"],
            b"\xf9\xec",
            "של",
        ),
        (
            &["iso-2022-kr", "csISO2022KR", "cp50225"],
            b"\x1b$)C\n\x0eGQ\x0f a",
            "\n한 a",
        ),
        (
            &["hz-gb-2312", "hz", "cp52936"],
            b"a ~{<:Ky2;~} b",
            "a 己所不 b",
        ),
        (&["iso-2022-cn"], b"\x1b$)A\x0eDc:C\x0f.", "你好."),
        (&["koi8-u", "koi8-ru", "cp21866"], b"\xa6", "і"),
    ];
    for (labels, octets, expected) in table {
        for label in *labels {
            assert_eq!(said(label, octets), *expected, "{label}");
        }
    }
}

#[test]
fn w076_what_only_says_that_it_is_wide_is_read() {
    for label in ["utf-16", "utf-32", "ucs-2", "unicode"] {
        assert_eq!(said(label, "Größe\n".as_bytes()), "Größe\n", "{label}");
    }
    assert_eq!(said("utf-16", b"\x65\xe5\x67\x2c\x8a\x9e\0\n"), "日本語\n");
}

#[test]
fn w076_iso_2022_jp_2_has_other_sets() {
    assert_eq!(
        said(
            "iso-2022-jp-2",
            b"\x1b$(CGQ\x1b$ADc\x1b(I1\x1b(B\x1b.A\x1bNi"
        ),
        "한你ｱé"
    );
}

#[test]
fn w076_eight_bits_without_a_charset() {
    for label in [
        None,
        Some("us-ascii"),
        Some("unknown-8bit"),
        Some(""),
        Some("x-unknown"),
        Some("8bit"),
        Some("default"),
    ] {
        assert_eq!(
            decode(label, "Größe".as_bytes(), None),
            "Größe",
            "{label:?}"
        );
        assert_eq!(
            decode(label, b"Sch\xf6ne Gr\xf6\xdfe", None),
            "Schöne Größe",
            "{label:?}"
        );
        assert_eq!(
            decode(label, b"\xf0\xd2\xc9\xd7\xc5\xd4", Some("koi8-r")),
            "Привет",
            "{label:?}"
        );
        assert_eq!(
            decode(label, b"\x1b$BF|K\\8l\x1b(B", None),
            "日本語",
            "{label:?}"
        );
    }
    assert_eq!(
        decode(
            None,
            b"\xcf\xf0\xe8\xe2\xe5\xf2, \xea\xe0\xea \xe4\xe5\xeb\xe0?",
            None
        ),
        "Привет, как дела?"
    );
    assert_eq!(
        decode(
            None,
            b"\x82\xb1\x82\xf1\x82\xc9\x82\xbf\x82\xcd\x81A\x90\xa2\x8aE",
            None
        ),
        "こんにちは、世界"
    );
    for western in [
        &b"J\xf6rg"[..],
        b"\xdcbersicht.pdf",
        b"caf\xe9",
        b"Se\xf1or M\xfcller",
        b"na\xefve fa\xe7ade \xe0 la",
        b"Gr\xfc\xdfe",
        b"\x93quoted\x94 text \x96 dash",
        b"Schr\xf6dinger l\xe4\xdft gr\xfc\xdfen",
        b"\xc4\xd6\xdc",
    ] {
        let expected: String = WINDOWS_1252.decode(western).0.into();
        assert_eq!(decode(None, western, None), expected);
    }
}

#[test]
fn w071_one_bad_octet_costs_itself_alone() {
    assert_eq!(said("utf-8", b"Gr\xc3\xb6\xffe"), "Grö\u{fffd}e");
    assert_eq!(said("utf-8", b"abc\xe9def"), "abc\u{fffd}def");
}

#[test]
fn labels_and_octets_of_any_kind_do_no_harm() {
    let octets: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    for label in [
        "iso-2022-jp",
        "iso-2022-kr",
        "hz",
        "utf-7",
        "utf-16",
        "utf-32",
        "cp437",
        "x-mac-ce",
        "big5",
        "cp",
        "iso-8859",
        "iso-8859-99",
        "latin",
        "windows-99999999999",
        "ünïcode",
        "koi8-t",
        "x-user-defined",
        "replacement",
    ] {
        let _ = said(label, &octets);
        let _ = said(label, &octets[1..]);
    }
}
