//! Message numbers as people write them: `3`, `1-5,9`, `7-`, `all`.

use std::collections::BTreeSet;

/// Reads ranges and returns the numbers of `there` in them, in order. A single number must be there; a
/// range takes those that are.
pub fn parse(words: &[&str], there: &BTreeSet<u32>) -> Result<Vec<u32>, String> {
    let mut found = BTreeSet::new();
    let pieces = words.iter().flat_map(|word| word.split(','));
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        match piece.split_once('-') {
            _ if matches!(piece, "all" | "*") => found.extend(there),
            None => {
                let number = number(piece)?;
                if !there.contains(&number) {
                    return Err(format!("there is no message {number}"));
                }
                found.insert(number);
            }
            Some((first, last)) => {
                let first = if first.is_empty() { 1 } else { number(first)? };
                let last = if last.is_empty() {
                    u32::MAX
                } else {
                    number(last)?
                };
                if first > last {
                    return Err(format!("'{piece}' ends before it begins"));
                }
                found.extend(there.range(first..=last));
            }
        }
    }
    if found.is_empty() {
        return Err("which message? Numbers and ranges like 3 or 1-5,9 or all".into());
    }
    Ok(found.into_iter().collect())
}

fn number(digits: &str) -> Result<u32, String> {
    let plain = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    let number = plain.then(|| digits.parse().ok()).flatten();
    number.filter(|number| *number > 0).ok_or_else(|| {
        format!(
            "'{}' is not a message number",
            crate::text::one_line(digits)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn ranges() {
        let there = [1, 2, 3, 5, 9, 12].into();
        assert_eq!(parse(&["1-5,9"], &there), Ok(vec![1, 2, 3, 5, 9]));
        assert_eq!(parse(&["9", "1", "1"], &there), Ok(vec![1, 9]));
        assert_eq!(parse(&["5-"], &there), Ok(vec![5, 9, 12]));
        assert_eq!(parse(&["-2"], &there), Ok(vec![1, 2]));
        assert_eq!(parse(&["all"], &there).map(|all| all.len()), Ok(6));
        for wrong in ["4", "0", "x", "5-3", "+1", "1--2", "4294967296", "", "6-8"] {
            assert!(parse(&[wrong], &there).is_err(), "{wrong}");
        }
    }
}
