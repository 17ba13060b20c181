//! How a step is written.

use std::time::Duration;

/// A step of a dialogue.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Send(Vec<u8>),
    HangUp,
    Advance(Duration),
    Line { shown: String, pattern: Vec<Glob> },
    UntilDot,
    Silence,
    Closed,
}

/// A part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Glob {
    Octet(u8),
    Any,
}

/// A step, and whether the next one belongs to it.
pub(super) fn read_step(text: &str) -> Result<(Step, bool), &'static str> {
    match text.trim_end() {
        "C!" => return Ok((Step::HangUp, false)),
        "S..." => return Ok((Step::UntilDot, false)),
        "S-" => return Ok((Step::Silence, false)),
        "S!" => return Ok((Step::Closed, false)),
        _ => {}
    }
    let (kind, text) = text.split_once(':').ok_or("not a step")?;
    let text = text.strip_prefix(' ').unwrap_or(text);
    match kind {
        "C" | "C&" => {
            let mut octets = octets(text)?;
            octets.extend_from_slice(b"\r\n");
            Ok((Step::Send(octets), kind == "C&"))
        }
        "C~" => Ok((Step::Send(octets(text)?), false)),
        "S" => {
            let (shown, pattern) = (text.to_owned(), globs(text)?);
            Ok((Step::Line { shown, pattern }, false))
        }
        "T" => Ok((Step::Advance(span(text)?), false)),
        _ => Err("not a step"),
    }
}

/// The octets that a text with escapes stands for.
pub fn octets(text: &str) -> Result<Vec<u8>, &'static str> {
    let octet = |glob| match glob {
        Glob::Octet(octet) => octet,
        Glob::Any => b'*',
    };
    Ok(globs(text)?.into_iter().map(octet).collect())
}

fn globs(text: &str) -> Result<Vec<Glob>, &'static str> {
    let mut globs = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        globs.push(match byte {
            b'*' => Glob::Any,
            b'\\' => Glob::Octet(escaped(&mut rest).ok_or("unknown escape")?),
            _ => Glob::Octet(byte),
        });
    }
    Ok(globs)
}

fn escaped(rest: &mut impl Iterator<Item = u8>) -> Option<u8> {
    Some(match rest.next()? {
        b'r' => b'\r',
        b'n' => b'\n',
        b't' => b'\t',
        b'0' => 0,
        b'x' => {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            u8::try_from(digit()? * 16 + digit()?).ok()?
        }
        byte @ (b'\\' | b'*') => byte,
        _ => return None,
    })
}

/// `+9m59s`
fn span(text: &str) -> Result<Duration, &'static str> {
    const WRONG: &str = "not a span of time such as `+9m59s`";
    let mut rest = text.trim_end().strip_prefix('+').ok_or(WRONG)?;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(WRONG)?;
        let number: u32 = rest[..digits].parse().map_err(|_| WRONG)?;
        rest = &rest[digits..];
        let end = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return Err(WRONG),
        };
        total = total.saturating_add(unit.saturating_mul(number));
        rest = &rest[end..];
    }
    Ok(total)
}

/// Whether a line is what a pattern says.
pub(super) fn matches_glob(pattern: &[Glob], line: &[u8]) -> bool {
    let (mut at, mut next, mut star) = (0, 0, None);
    while at < line.len() {
        match pattern.get(next) {
            Some(Glob::Octet(octet)) if *octet == line[at] => (at, next) = (at + 1, next + 1),
            Some(Glob::Any) => {
                star = Some((at, next));
                next += 1;
            }
            Some(Glob::Octet(_)) | None => {
                let Some((from, any)) = star else {
                    return false;
                };
                star = Some((from + 1, any));
                (at, next) = (from + 1, any + 1);
            }
        }
    }
    pattern[next..].iter().all(|glob| *glob == Glob::Any)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn wildcards() {
        let fits =
            |pattern: &str, line: &str| matches_glob(&globs(pattern).unwrap(), line.as_bytes());
        for (pattern, line) in [
            ("*", ""),
            ("a*", "a"),
            ("*a*b", "xaxbab"),
            ("a**", "abc"),
            ("\\*", "*"),
            ("", ""),
        ] {
            assert!(fits(pattern, line), "{pattern} {line}");
        }
        for (pattern, line) in [
            ("a", ""),
            ("a*b", "a"),
            ("*a", "ab"),
            ("\\*", "x"),
            ("", "x"),
            ("a*c", "abcd"),
        ] {
            assert!(!fits(pattern, line), "{pattern} {line}");
        }
    }
}
