//! Which label means which charset. It owns the names that mail programs have used, besides those of the
//! Encoding Standard, by families: punctuation, case, `x-` and `cs` mean nothing, and a number chooses the
//! member.

use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GB18030, IBM866, ISO_8859_2, ISO_8859_3, ISO_8859_4,
    ISO_8859_5, ISO_8859_6, ISO_8859_7, ISO_8859_8, ISO_8859_10, ISO_8859_13, ISO_8859_14,
    ISO_8859_15, ISO_8859_16, KOI8_R, KOI8_U, MACINTOSH, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE,
    WINDOWS_874, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253, WINDOWS_1254,
    WINDOWS_1255, WINDOWS_1256, WINDOWS_1257, WINDOWS_1258, X_MAC_CYRILLIC,
};
use oem_cp::code_table::DECODING_TABLE_CP_MAP;

use super::{Charset, Endian, tables};

/// The charset with this label; `None` for one that is unknown or that says nothing.
pub(super) fn charset(label: &str) -> Option<Charset> {
    let key = key(label);
    let known = |key: &str| special(key).or_else(|| family(key));
    // `cs` and `x-` before a name mean nothing
    known(&key)
        .or_else(|| standard(label))
        .or_else(|| known(key.strip_prefix("cs")?))
        .or_else(|| known(key.strip_prefix('x')?))
}

/// Letters and digits, in lower case.
fn key(label: &str) -> String {
    label
        .chars()
        .take(64)
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Names that are no family's, and those for which the Encoding Standard has a web browser's answer.
fn special(key: &str) -> Option<Charset> {
    Some(match key {
        "iso2022kr" | "csiso2022kr" | "iso2022cn" | "iso2022cnext" | "csiso2022cn"
        | "csiso2022jp" | "csiso2022jp2" | "jis" | "jis7" | "jis8" | "iso2022" => Charset::Iso2022,
        "hzgb2312" | "hz" | "hzgb" | "cshzgb2312" => Charset::Hz,
        "utf7" | "unicode11utf7" | "csunicode11utf7" | "utf7imap" | "unicode20utf7" => {
            Charset::Utf7
        }
        "utf16" | "ucs2" | "iso10646ucs2" | "unicode" | "csunicode" | "csutf16" | "unicode11" => {
            Charset::Utf16
        }
        "utf16be" | "ucs2be" | "unicodefffe" | "unicodebig" => Charset::Known(UTF_16BE),
        "utf16le" | "ucs2le" | "unicodefeff" | "unicodelittle" => Charset::Known(UTF_16LE),
        "utf32" | "ucs4" | "iso10646ucs4" | "csucs4" | "csutf32" => Charset::Utf32(None),
        "utf32be" | "ucs4be" => Charset::Utf32(Some(Endian::Big)),
        "utf32le" | "ucs4le" => Charset::Utf32(Some(Endian::Little)),
        "macce" | "maccentraleurope" | "maccentraleuropean" | "maccentraleurroman"
        | "maclatin2" | "maceastereurope" | "maceasterneurope" => {
            Charset::Upper(tables::MAC_CENTRAL_EUROPE)
        }
        "macgreek" => Charset::Upper(tables::MAC_GREEK),
        "macturkish" => Charset::Upper(tables::MAC_TURKISH),
        "macromanian" | "macromania" => Charset::Upper(tables::MAC_ROMANIAN),
        "maccroatian" => Charset::Upper(tables::MAC_CROATIAN),
        "maciceland" | "macicelandic" => Charset::Upper(tables::MAC_ICELANDIC),
        "mac" | "macroman" | "macintosh" | "macwestern" => Charset::Known(MACINTOSH),
        "maccyrillic" | "macukrainian" => Charset::Known(X_MAC_CYRILLIC),
        "macjapanese" => Charset::Known(SHIFT_JIS),
        "macchinesetrad" => Charset::Known(BIG5),
        "macchinesesimp" => Charset::Known(GB18030),
        "mackorean" => Charset::Known(EUC_KR),
        "koi8t" => Charset::Upper(tables::KOI8_T),
        "ptcp154" | "pt154" | "cp154" | "cyrillicasian" | "csptcp154" => {
            Charset::Upper(tables::PTCP154)
        }
        "hproman8" | "roman8" | "r8" | "cshproman8" => Charset::Upper(tables::HP_ROMAN8),
        "koi8u" | "koi8ru" | "koi8uni" => Charset::Known(KOI8_U),
        "gb2312" | "gbk" | "gb231280" | "euccn" | "gb" | "cngb" | "cngb2312" | "chinese" => {
            Charset::Known(GB18030)
        }
        "euckr" | "uhc" | "ksc5601" | "ksx1001" | "korean" | "ksc56011987" | "wansung" => {
            Charset::Known(EUC_KR)
        }
        "big5" | "big5hkscs" | "cnbig5" | "big5eten" | "bigfive" | "euctw" => Charset::Known(BIG5),
        "eucjp" | "ujis" | "eucjpms" | "eucjpwin" => Charset::Known(EUC_JP),
        "sjis" | "shiftjis" | "sjiswin" | "mskanji" | "windows31j" | "shiftjis2004" | "xjis" => {
            Charset::Known(SHIFT_JIS)
        }
        "tis620" | "tis6202533" | "thai" => Charset::Known(WINDOWS_874),
        "greek" => Charset::Known(ISO_8859_7),
        "ibm037" => return None,
        _ => return None,
    })
}

/// Names that are a family's with a number: `cp1251`, `windows1251`, `latin-1`, `ISO_8859-15:1999`.
fn family(key: &str) -> Option<Charset> {
    if key.starts_with("iso2022jp") {
        return Some(Charset::Iso2022);
    }
    if key.starts_with("utf8") || key.starts_with("unicode11utf8") {
        return Some(Charset::Known(UTF_8));
    }
    if key.starts_with("koi8") {
        return Some(Charset::Known(KOI8_R));
    }
    for name in ["iso8859", "8859"] {
        if let Some(number) = key.strip_prefix(name) {
            return iso_8859(number).map(Charset::Known);
        }
    }
    for name in ["latin", "l"] {
        if let Some(number) = key.strip_prefix(name).and_then(number) {
            return latin(number).map(Charset::Known);
        }
    }
    if key.bytes().all(|digit| digit.is_ascii_digit()) {
        return page(number(key)?);
    }
    let pages = [
        "windows",
        "win",
        "microsoftcp",
        "mscp",
        "ms",
        "codepage",
        "cp",
        "ccsid",
        "pc8codepage",
        "cspc",
        "cspcp",
        "ibm",
        "csibm",
        "oem",
        "dos",
        "pc",
    ];
    pages
        .iter()
        .filter_map(|name| key.strip_prefix(name))
        .map(|rest| rest.trim_start_matches("cp"))
        .find_map(|rest| page(number(rest)?))
}

/// The number at the beginning.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text[..digits.min(6)].parse().ok()
}

/// A part of ISO 8859. Its number may be followed by a year or by other words.
fn iso_8859(text: &str) -> Option<&'static Encoding> {
    let two = text.get(..2).and_then(|two| two.parse::<u32>().ok());
    match two {
        // `iso-8859-1:1987` is part 1, not part 11
        Some(part @ 10..=16) if !text[1..].starts_with("19") => part_of_8859(part),
        Some(_) | None => part_of_8859(text.get(..1)?.parse().ok()?),
    }
}

fn part_of_8859(part: u32) -> Option<&'static Encoding> {
    Some(match part {
        1 => WINDOWS_1252,
        2 => ISO_8859_2,
        3 => ISO_8859_3,
        4 => ISO_8859_4,
        5 => ISO_8859_5,
        6 => ISO_8859_6,
        7 => ISO_8859_7,
        8 => ISO_8859_8,
        9 => WINDOWS_1254,
        10 => ISO_8859_10,
        11 => WINDOWS_874,
        13 => ISO_8859_13,
        14 => ISO_8859_14,
        15 => ISO_8859_15,
        16 => ISO_8859_16,
        _ => return None,
    })
}

/// The Latin alphabets have numbers of their own.
fn latin(number: u32) -> Option<&'static Encoding> {
    let part = match number {
        1..=4 => number,
        5 => 9,
        6 => 10,
        7 => 13,
        8 => 14,
        9 | 0 => 15,
        10 => 16,
        _ => return None,
    };
    part_of_8859(part)
}

/// A code page, by its number.
fn page(number: u32) -> Option<Charset> {
    let known = match number {
        367 | 20127 => return None,
        813 => ISO_8859_7,
        819 => WINDOWS_1252,
        866 => IBM866,
        874 => WINDOWS_874,
        878 | 20866 => KOI8_R,
        912 => ISO_8859_2,
        913 => ISO_8859_3,
        914 => ISO_8859_4,
        915 => ISO_8859_5,
        916 | 38598 => ISO_8859_8,
        920 => WINDOWS_1254,
        921 => ISO_8859_13,
        923 => ISO_8859_15,
        932 | 942 | 943 => SHIFT_JIS,
        936 | 1386 | 51936 | 54936 | 20936 => GB18030,
        949 | 970 | 1363 | 51949 | 20949 => EUC_KR,
        950 | 951 => BIG5,
        1089 => ISO_8859_6,
        1200 => UTF_16LE,
        1201 => UTF_16BE,
        1208 | 65001 => UTF_8,
        1250 => WINDOWS_1250,
        1251 => WINDOWS_1251,
        1252 => WINDOWS_1252,
        1253 => WINDOWS_1253,
        1254 => WINDOWS_1254,
        1255 => WINDOWS_1255,
        1256 => WINDOWS_1256,
        1257 => WINDOWS_1257,
        1258 => WINDOWS_1258,
        10000 => MACINTOSH,
        10007 | 10017 => X_MAC_CYRILLIC,
        1168 | 21866 => KOI8_U,
        20932 | 33722 | 51932 => EUC_JP,
        28591..=28606 => part_of_8859(number - 28590)?,
        10006 => return Some(Charset::Upper(tables::MAC_GREEK)),
        10010 => return Some(Charset::Upper(tables::MAC_ROMANIAN)),
        10029 => return Some(Charset::Upper(tables::MAC_CENTRAL_EUROPE)),
        10079 => return Some(Charset::Upper(tables::MAC_ICELANDIC)),
        10081 => return Some(Charset::Upper(tables::MAC_TURKISH)),
        10082 => return Some(Charset::Upper(tables::MAC_CROATIAN)),
        12000 => return Some(Charset::Utf32(Some(Endian::Little))),
        12001 => return Some(Charset::Utf32(Some(Endian::Big))),
        50220..=50229 => return Some(Charset::Iso2022),
        52936 => return Some(Charset::Hz),
        65000 => return Some(Charset::Utf7),
        _ => {
            let number = u16::try_from(number).ok()?;
            return DECODING_TABLE_CP_MAP.get(&number).map(Charset::Page);
        }
    };
    Some(Charset::Known(known))
}

/// What the Encoding Standard knows. Writers who do not know their charset call it ASCII.
fn standard(label: &str) -> Option<Charset> {
    let trimmed = label.trim().to_ascii_lowercase();
    let silent = [
        "us-ascii",
        "ascii",
        "us",
        "ansi_x3.4-1968",
        "ansi_x3.4-1986",
        "iso-ir-6",
        "iso646-us",
    ];
    if silent.contains(&trimmed.as_str()) {
        return None;
    }
    let found = Encoding::for_label_no_replacement(trimmed.as_bytes())?;
    (found.name() != "x-user-defined").then_some(Charset::Known(found))
}
