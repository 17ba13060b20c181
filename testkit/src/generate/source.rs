//! A reader of raw octets that never fails.

/// Octets from which decisions are made. When they run out, every decision is the first choice.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    octets: &'a [u8],
}

impl<'a> Source<'a> {
    /// From these octets.
    pub fn new(octets: &'a [u8]) -> Self {
        Self { octets }
    }

    /// Whether no octet is left.
    pub fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// How many octets are left.
    pub fn len(&self) -> usize {
        self.octets.len()
    }

    /// The next octet; 0 if there is none.
    pub fn octet(&mut self) -> u8 {
        let Some((&first, rest)) = self.octets.split_first() else {
            return 0;
        };
        self.octets = rest;
        first
    }

    /// A number below `end`, 0 if `end` is 0. Takes one octet, or two if one is not enough.
    pub fn below(&mut self, end: usize) -> usize {
        let number = match end {
            0..=256 => usize::from(self.octet()),
            _ => usize::from(u16::from_be_bytes([self.octet(), self.octet()])),
        };
        number.checked_rem(end).unwrap_or(0)
    }

    /// True once in `times`, false without octets.
    pub fn chance(&mut self, times: usize) -> bool {
        !self.is_empty() && self.below(times) + 1 == times.max(1)
    }

    /// One of these, the first one without octets. An empty slice is a mistake of the caller.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Up to `most` octets as they are.
    pub fn take(&mut self, most: usize) -> &'a [u8] {
        let len = self.below(most + 1).min(self.octets.len());
        let (taken, rest) = self.octets.split_at(len);
        self.octets = rest;
        taken
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_follow_the_octets_and_end_with_them() {
        let mut source = Source::new(&[5, 255, 1, 0, 2, b'a', b'b', b'c']);
        assert_eq!(source.octet(), 5);
        assert_eq!(source.below(10), 5);
        assert_eq!(source.below(1000), 256);
        assert_eq!(source.take(8), b"ab");
        assert_eq!(source.clone().rest(), b"c");
        assert_eq!(source.pick(&[1, 2]), 2);
        assert!(source.is_empty());
        assert_eq!(
            (
                source.octet(),
                source.below(7),
                source.below(0),
                source.chance(1)
            ),
            (0, 0, 0, false)
        );
        assert_eq!(source.take(9), b"");
    }
}
