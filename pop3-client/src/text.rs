//! Text from strangers, made harmless for a terminal: no control characters, no escape sequences, no
//! reversed writing that could make one thing look like another.

use unicode_width::UnicodeWidthChar;

/// One line: line ends and tabs become spaces, invisible marks are dropped, everything else that is
/// not visible text is replaced.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut space = false;
    for c in text.chars() {
        if c.is_whitespace() {
            space = !line.is_empty();
        } else if let Some(c) = harmless(c, line.chars().next_back()) {
            if std::mem::take(&mut space) {
                line.push(' ');
            }
            line.push(c);
        }
    }
    line
}

/// Several lines: line ends of any kind stay, tabs become spaces.
pub fn lines(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + 1);
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\r' if rest.peek() == Some(&'\n') => continue,
            // of a line, of a page, of a paragraph
            '\n' | '\r' | '\x0C' | '\u{2028}' | '\u{2029}' => lines.push('\n'),
            '\t' => lines.push_str("    "),
            c => match harmless(c, before) {
                Some(c) => lines.push(c),
                None => continue,
            },
        }
        before = Some(c);
    }
    if !lines.is_empty() && !lines.ends_with('\n') {
        lines.push('\n');
    }
    lines
}

/// Cut to a width on the terminal, with an ellipsis where something is missing, and filled up to it.
pub fn cell(text: &str, width: usize) -> String {
    let mut cell = cut(text, width);
    let used = columns(&cell);
    cell.extend(std::iter::repeat_n(' ', width.saturating_sub(used)));
    cell
}

/// Cut to a width on the terminal, with an ellipsis where something is missing.
pub fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.into();
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        used += wide;
        kept.push(c);
    }
    if width > 0 {
        kept.push('…');
    }
    kept
}

/// A number of octets for people.
pub fn size(octets: u64) -> String {
    const UNITS: [&str; 4] = ["K", "M", "G", "T"];
    if octets < 1000 {
        return octets.to_string();
    }
    // exact enough for sizes far beyond any mailbox
    #[allow(clippy::cast_precision_loss, reason = "rounded to two digits")]
    let mut value = octets as f64 / 1024.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value < 9.95 {
        format!("{value:.1}{}", UNITS[unit])
    } else {
        format!("{value:.0}{}", UNITS[unit])
    }
}

/// A count and its noun: `1 message`, `2 messages`.
pub fn count(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// A character as it may go to a terminal, after this one; `None` for one that is dropped.
fn harmless(c: char, before: Option<char>) -> Option<char> {
    match c {
        // controls of C0 and C1, among them the one that begins an escape sequence
        '\0'..='\x1F' | '\x7F'..='\u{9F}' => Some(char::REPLACEMENT_CHARACTER),
        // text that runs backwards on purpose: without this it is in order, and the reader is warned
        '\u{202D}' | '\u{202E}' => Some(char::REPLACEMENT_CHARACTER),
        c => (!is_invisible(c) || joins(c, before)).then_some(c),
    }
}

/// Whether this is a joiner after something that it can join: a letter of a script that does so, or a
/// picture made of several.
pub(crate) fn joins(c: char, before: Option<char>) -> bool {
    let joiner = matches!(c, '\u{200C}' | '\u{200D}');
    joiner && before.is_some_and(|before| !before.is_ascii() && !before.is_whitespace())
}

/// Invisible marks: byte order marks, spaces without width, soft hyphens, marks of writing
/// direction, tags.
pub(crate) const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{180B}'..='\u{180E}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202C}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E007F}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_passes() {
        let evil = "a\x1b]0;title\x07b\x1b[2Jc\u{9b}31md\u{202e}txt.exe\r\nBcc: x\tend";
        let line = one_line(evil);
        assert!(!line.chars().any(char::is_control));
        assert!(!line.contains('\u{202e}'));
        assert!(line.ends_with("Bcc: x end"));
        let several = lines(evil);
        assert!(several.chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn w077_invisible_marks_are_dropped() {
        let marks = "\u{feff}\u{200b}\u{200e}\u{200f}\u{ad}\u{34f}\u{2060}\u{2066}\u{2069}\u{e0041}\u{200d}\u{61c}\u{202a}\u{202c}";
        assert_eq!(
            one_line(&format!("{marks}a{marks}b {marks} c{marks}")),
            "ab c"
        );
        assert_eq!(lines(&format!("{marks}a{marks}\n{marks}\n")), "a\n\n");
        assert_eq!(one_line("txt\u{202e}exe"), "txt\u{fffd}exe");
        assert_eq!(
            one_line("می\u{200c}خواهم 👩\u{200d}💻"),
            "می\u{200c}خواهم 👩\u{200d}💻"
        );
        assert_eq!(lines("a\u{2028}b\x0cc\r\nd\re\r"), "a\nb\nc\nd\ne\n");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(cell("日本語", 5), "日本…");
        assert_eq!(cell("ab", 4), "ab  ");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcdef", 0), "");
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(size(999), "999");
        assert_eq!(size(1536), "1.5K");
        assert_eq!(size(1024 * 1024 * 20), "20M");
        assert_eq!(size(1023 * 1024), "1.0M");
        assert_eq!(size(u64::MAX), "16777216T");
    }
}
