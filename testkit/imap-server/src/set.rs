//! Sets of numbers such as `1,4:7,9:*`.

/// A set of sequence numbers or UIDs; ranges ascend and do not touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Set(Vec<(u32, u32)>);

impl Set {
    /// Reads a set in which `*` stands for `last`.
    pub(super) fn read(text: &[u8], last: u32) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut ranges = Vec::new();
        for part in text.split(',') {
            let (from, to) = part.split_once(':').unwrap_or((part, part));
            let (from, to) = (number(from, last)?, number(to, last)?);
            ranges.push((from.min(to), from.max(to)));
        }
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (from, to) in ranges {
            match merged.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                Some(_) | None => merged.push((from, to)),
            }
        }
        Some(Self(merged))
    }

    /// Whether the number is in it.
    pub(super) fn contains(&self, number: u32) -> bool {
        let at = self.0.partition_point(|range| range.1 < number);
        self.0.get(at).is_some_and(|range| range.0 <= number)
    }
}

/// The shortest way to write ascending numbers.
pub(super) fn write(numbers: &[u32]) -> String {
    let mut out = String::new();
    let mut rest = numbers;
    while let Some(&first) = rest.first() {
        let expected = u64::from(first)..;
        let run = rest
            .iter()
            .zip(expected)
            .take_while(|&(&number, next)| u64::from(number) == next)
            .count();
        let separator = if out.is_empty() { "" } else { "," };
        let last = rest.get(run - 1).copied().unwrap_or(first);
        out += &if first == last {
            format!("{separator}{first}")
        } else {
            format!("{separator}{first}:{last}")
        };
        rest = rest.get(run..).unwrap_or_default();
    }
    out
}

fn number(text: &str, last: u32) -> Option<u32> {
    if text == "*" {
        return Some(last);
    }
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&number| digits && number > 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn sets_are_read_and_merged() {
        let set = Set::read(b"7:5,1,2,9:*,*", 12).unwrap();
        assert_eq!(set, Set(vec![(1, 2), (5, 7), (9, 12)]));
        let members: Vec<u32> = (0..20).filter(|&number| set.contains(number)).collect();
        assert_eq!(members, [1, 2, 5, 6, 7, 9, 10, 11, 12]);
        assert_eq!(write(&members), "1:2,5:7,9:12");
        assert_eq!(Set::read(b"5:*", 3), Set::read(b"3:5", 3));
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in [
            "",
            "0",
            "1,",
            ",1",
            "1:",
            "a",
            "+1",
            "1:2:3",
            "4294967296",
            "1 2",
        ] {
            assert_eq!(Set::read(text.as_bytes(), 5), None, "{text:?}");
        }
    }
}
