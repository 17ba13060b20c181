//! The words of a command: atoms, strings, lists.

/// A word of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Atom(Vec<u8>),
    Quoted(Vec<u8>),
    Literal { bytes: Vec<u8>, synchronising: bool },
    List(Vec<Self>),
}

impl Word {
    /// The octets of a word that is not a list.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Atom(bytes) | Self::Quoted(bytes) | Self::Literal { bytes, .. } => Some(bytes),
            Self::List(_) => None,
        }
    }

    /// An atom in upper case.
    pub(super) fn keyword(&self) -> Option<String> {
        match self {
            Self::Atom(bytes) => Some(String::from_utf8_lossy(bytes).to_ascii_uppercase()),
            Self::Quoted(_) | Self::Literal { .. } | Self::List(_) => None,
        }
    }

    /// The octets as text.
    pub(super) fn text(&self) -> Option<String> {
        self.bytes()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// A list's words, or the word itself.
    pub(super) fn items(&self) -> &[Self] {
        match self {
            Self::List(words) => words,
            Self::Atom(_) | Self::Quoted(_) | Self::Literal { .. } => std::slice::from_ref(self),
        }
    }

    /// The word as the log shows it.
    pub(super) fn show(&self, secret: bool) -> String {
        let shown = |bytes: &[u8]| match secret {
            true => "***".to_owned(),
            false => String::from_utf8_lossy(bytes).into_owned(),
        };
        match self {
            Self::Atom(bytes) => shown(bytes),
            Self::Quoted(bytes) => format!("\"{}\"", shown(bytes)),
            Self::Literal {
                bytes,
                synchronising,
            } => {
                let plus = if *synchronising { "" } else { "+" };
                format!("{{{}{plus}}}{}", bytes.len(), shown(bytes))
            }
            Self::List(words) => {
                let words: Vec<_> = words.iter().map(|word| word.show(secret)).collect();
                format!("({})", words.join(" "))
            }
        }
    }
}

/// The open lists, outermost first.
pub(super) struct WordReader {
    lists: Vec<Vec<Word>>,
}

impl WordReader {
    pub(super) fn new() -> Self {
        Self {
            lists: vec![Vec::new()],
        }
    }

    /// The words, and whether all lists were closed.
    pub(super) fn finish(self) -> (Vec<Word>, bool) {
        let closed = self.lists.len() == 1;
        (self.lists.into_iter().next().unwrap_or_default(), closed)
    }

    pub(super) fn add(&mut self, word: Word) {
        if let Some(list) = self.lists.last_mut() {
            list.push(word);
        }
    }

    pub(super) fn text(&mut self, text: &[u8]) -> Result<(), &'static str> {
        let mut rest = text;
        while let Some((&first, behind)) = rest.split_first() {
            match first {
                b' ' => rest = behind,
                b'(' if self.lists.len() > 8 => return Err("lists too deep"),
                b'(' => {
                    self.lists.push(Vec::new());
                    rest = behind;
                }
                b')' if self.lists.len() < 2 => return Err("stray parenthesis"),
                b')' => {
                    let list = self.lists.pop().unwrap_or_default();
                    self.add(Word::List(list));
                    rest = behind;
                }
                b'"' => {
                    let (word, behind) = quoted(behind).ok_or("unclosed string")?;
                    self.add(Word::Quoted(word));
                    rest = behind;
                }
                _ => {
                    let (word, behind) = rest.split_at(atom_len(rest));
                    self.add(Word::Atom(word.to_vec()));
                    rest = behind;
                }
            }
        }
        Ok(())
    }
}

/// Brackets belong to the atom with all between them: `BODY[HEADER.FIELDS (DATE)]`.
fn atom_len(text: &[u8]) -> usize {
    let mut bracketed = false;
    let end = text.iter().position(|&byte| {
        bracketed = (bracketed || byte == b'[') && byte != b']';
        !bracketed && matches!(byte, b' ' | b'(' | b')')
    });
    end.unwrap_or(text.len())
}

fn quoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    let mut bytes = text.iter().enumerate();
    while let Some((at, &byte)) = bytes.next() {
        match byte {
            b'"' => return Some((word, text.get(at + 1..)?)),
            b'\\' => word.push(*bytes.next()?.1),
            _ => word.push(byte),
        }
    }
    None
}
