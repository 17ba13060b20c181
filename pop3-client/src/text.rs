//! Text from strangers, made harmless for a terminal: no control characters, no escape sequences, no
//! reversed writing that could make one thing look like another.

use unicode_width::UnicodeWidthChar;

/// One line: line ends and tabs become spaces, everything that is not visible text is replaced.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut space = false;
    for c in text.trim().chars() {
        if c.is_whitespace() {
            space = true;
            continue;
        }
        if std::mem::take(&mut space) {
            line.push(' ');
        }
        line.push(harmless(c));
    }
    line
}

/// Several lines: line ends stay, tabs become spaces.
pub fn lines(text: &str) -> String {
    let mut lines = String::with_capacity(text.len());
    for line in text.lines() {
        for c in line.trim_end_matches('\r').chars() {
            match c {
                '\t' => lines.push_str("    "),
                c => lines.push(harmless(c)),
            }
        }
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
    // exact enough for people far beyond any mailbox
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

/// A character as it may go to a terminal.
const fn harmless(c: char) -> char {
    match c {
        // controls of C0 and C1, among them the one that begins an escape sequence
        '\0'..='\x1F' | '\x7F'..='\u{9F}'
        // writing direction: overrides, embeddings, isolates, marks
        | '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        // line ends of another kind
        | '\u{2028}' | '\u{2029}'
        // invisible: tags and the like
        | '\u{200B}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}' => char::REPLACEMENT_CHARACTER,
        c => c,
    }
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
