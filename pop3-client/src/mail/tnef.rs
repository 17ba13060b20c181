//! `winmail.dat`: what Outlook wraps mails in (MS-OXTNEF). It owns finding the files and the text in it, and
//! reads no more than is there: sums, versions and unknown attributes are ignored.

use encoding_rs::UTF_16LE;

use super::charset;

/// Its content.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// As plain text.
    pub(super) text: Option<String>,
    pub(super) html: Option<String>,
    /// Names and octets.
    pub(super) files: Vec<(String, Vec<u8>)>,
}

const SIGNATURE: u32 = 0x223E_9F78;
/// More than this of attributes, or of properties of one, is not looked at.
const MAX_ITEMS: usize = 100_000;

/// Reads octets from the front; ends where there are no more.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.u32()?).ok()
    }

    /// Octets with their length before them, filled up to a multiple of four.
    fn padded(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        let taken = self.take(length)?;
        let fill = (4 - length % 4) % 4;
        self.0 = self.0.get(fill..).unwrap_or_default();
        Some(taken)
    }
}

/// Its content; `None` if it is something else.
pub(super) fn read(octets: &[u8]) -> Option<Contents> {
    let mut reader = Reader(octets);
    if reader.u32()? != SIGNATURE {
        return None;
    }
    reader.u16()?;
    let mut contents = Contents::default();
    let mut page = String::from("windows-1252");
    for _ in 0..MAX_ITEMS {
        if attribute(&mut reader, &mut contents, &mut page).is_none() {
            break;
        }
    }
    // what has neither a name nor octets is no file
    contents
        .files
        .retain(|(name, octets)| !name.is_empty() || !octets.is_empty());
    Some(contents)
}

fn attribute(reader: &mut Reader<'_>, contents: &mut Contents, page: &mut String) -> Option<()> {
    let level = reader.take(1)?;
    let id = reader.u32()? & 0xFFFF;
    let length = reader.length()?;
    // an attribute that was cut off counts as far as it came
    let data = reader.take(length.min(reader.0.len()))?;
    match (level, id) {
        // attOemCodepage
        (_, 0x9007) => {
            if let Some(number) = Reader(data).u32() {
                *page = format!("cp{number}");
            }
        }
        // attBody
        (_, 0x800C) => contents.text = Some(string(data, page)),
        // attMAPIProps
        (_, 0x9003) => {
            for property in properties(data) {
                match property.id {
                    0x1000 => contents.text = Some(property.text(page)),
                    0x1013 => contents.html = Some(property.text(page)),
                    _ => {}
                }
            }
        }
        // attAttachRenddata: another file begins
        (_, 0x9002) => contents.files.push((String::new(), Vec::new())),
        (_, 0x8010 | 0x800F | 0x9005) => {
            if contents.files.is_empty() {
                contents.files.push((String::new(), Vec::new()));
            }
            let (name, octets) = contents.files.last_mut()?;
            match id {
                // attAttachTitle, which is the short name
                0x8010 if name.is_empty() => *name = string(data, page),
                // attAttachData
                0x800F => *octets = data.to_vec(),
                // attAttachment
                0x9005 => {
                    for property in properties(data) {
                        match property.id {
                            0x3707 => *name = property.text(page),
                            0x3704 if name.is_empty() => *name = property.text(page),
                            0x3701 if octets.is_empty() => *octets = property.data.to_vec(),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        _ => {}
    }
    reader.u16()?;
    Some(())
}

/// A property of MAPI with a value of any length.
struct Property<'a> {
    id: u16,
    unicode: bool,
    data: &'a [u8],
}

impl Property<'_> {
    fn text(&self, page: &str) -> String {
        if self.unicode {
            let text = UTF_16LE.decode_without_bom_handling(self.data).0;
            return text.trim_end_matches('\0').into();
        }
        string(self.data, page)
    }
}

fn string(data: &[u8], page: &str) -> String {
    let end = data.iter().position(|octet| *octet == 0);
    charset::decode(Some(page), &data[..end.unwrap_or(data.len())], None)
}

/// The properties that have values of any length, until one is not understood.
fn properties(data: &[u8]) -> Vec<Property<'_>> {
    let mut reader = Reader(data);
    let mut found = Vec::new();
    let count = reader.length().unwrap_or(0).min(MAX_ITEMS);
    for _ in 0..count {
        if property(&mut reader, &mut found).is_none() {
            break;
        }
    }
    found
}

fn property<'a>(reader: &mut Reader<'a>, found: &mut Vec<Property<'a>>) -> Option<()> {
    let kind = reader.u16()?;
    let id = reader.u16()?;
    if id >= 0x8000 {
        // one with a name
        reader.take(16)?;
        if reader.u32()? == 0 {
            reader.u32()?;
        } else {
            reader.padded()?;
        }
    }
    let several = kind & 0x1000 != 0;
    let kind = kind & !0x1000;
    let long = matches!(kind, 0x0D | 0x1E | 0x1F | 0x102);
    let values = if several || long { reader.length()? } else { 1 };
    for _ in 0..values.min(MAX_ITEMS) {
        match kind {
            0x02 | 0x03 | 0x04 | 0x0A | 0x0B => reader.take(4)?,
            0x05 | 0x06 | 0x07 | 0x14 | 0x40 => reader.take(8)?,
            0x48 => reader.take(16)?,
            0x0D | 0x1E | 0x1F | 0x102 => {
                let data = reader.padded()?;
                // an object has its interface before it
                let data = if kind == 0x0D {
                    data.get(16..).unwrap_or_default()
                } else {
                    data
                };
                found.push(Property {
                    id,
                    unicode: kind == 0x1F,
                    data,
                });
                data
            }
            _ => return None,
        };
    }
    (values <= MAX_ITEMS).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(level: u8, id: u32, data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).expect("short").to_le_bytes();
        [&[level][..], &id.to_le_bytes(), &length, data, &[0, 0]].concat()
    }

    fn sample() -> Vec<u8> {
        let long_name = "Übersicht.pdf\0"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>();
        let length = u32::try_from(long_name.len()).expect("short").to_le_bytes();
        let named = [
            &2_u32.to_le_bytes()[..],
            &[3, 0, 5, 0x37, 1, 0, 0, 0],
            &[0x1F, 0, 7, 0x37, 1, 0, 0, 0],
            &length,
            &long_name,
        ]
        .concat();
        [
            &SIGNATURE.to_le_bytes()[..],
            &[1, 0],
            &attribute(1, 0x0006_9007, &[0xE4, 4, 0, 0, 0, 0, 0, 0]),
            &attribute(1, 0x0002_800C, b"Sch\xf6ne Gr\xfc\xdfe\0"),
            &attribute(2, 0x0006_9002, &[0; 14]),
            &attribute(2, 0x0001_8010, b"BERSIC~1.PDF\0"),
            &attribute(2, 0x0006_800F, b"%PDF"),
            &attribute(2, 0x0006_9005, &named),
            &attribute(2, 0x0006_9002, &[0; 14]),
            &attribute(2, 0x0001_8010, b"b.txt\0"),
            &attribute(2, 0x0006_800F, b"b"),
        ]
        .concat()
    }

    #[test]
    fn w080_winmail_dat_is_opened() {
        let contents = read(&sample()).expect("it is one");
        assert_eq!(contents.text.as_deref(), Some("Schöne Grüße"));
        let files = [
            ("Übersicht.pdf".into(), b"%PDF".to_vec()),
            ("b.txt".into(), b"b".to_vec()),
        ];
        assert_eq!(contents.files, files);
        assert_eq!(read(b"%PDF"), None);
    }

    #[test]
    fn any_cut_and_any_change_is_read_without_harm() {
        let whole = sample();
        for end in 0..whole.len() {
            let _ = read(&whole[..end]);
            let mut changed = whole.clone();
            changed[end] = !changed[end];
            let _ = read(&changed);
        }
    }
}
