//! Text that flows (RFC 3676): lines that belong to one paragraph become one.

/// The text with whole paragraphs, quoted as `> `. `delete`: the space that says that a line goes on is
/// not part of the text (`DelSp=yes`).
pub(super) fn paragraphs(text: &str, delete: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    // the depth of the paragraph that goes on
    let mut open: Option<usize> = None;
    for line in text.lines() {
        let content = line.trim_start_matches('>');
        let depth = line.len() - content.len();
        let content = content.strip_prefix(' ').unwrap_or(content);
        let signature = content == "-- ";
        if open.take() != Some(depth) || signature {
            if !shown.is_empty() && !shown.ends_with('\n') {
                shown.push('\n');
            }
            shown.extend(std::iter::repeat_n('>', depth));
            if depth > 0 {
                shown.push(' ');
            }
        }
        let flows = content.ends_with(' ') && !signature;
        shown.push_str(match content.strip_suffix(' ') {
            Some(content) if flows && delete => content,
            Some(_) | None => content,
        });
        if flows {
            open = Some(depth);
        } else {
            shown.push('\n');
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::paragraphs;

    #[test]
    fn w080_flowed_text_becomes_paragraphs() {
        let table = [
            (
                "This is one \nparagraph.\nThis is another.\n",
                false,
                "This is one paragraph.\nThis is another.\n",
            ),
            ("one \n two\n", false, "one two\n"),
            ("日本 \n語\n", true, "日本語\n"),
            (
                "> quoted \n> text\n>> deeper\nmine\n",
                false,
                "> quoted text\n>> deeper\nmine\n",
            ),
            ("> quoted \nmine\n", false, "> quoted \nmine\n"),
            ("text \n-- \nname\n", false, "text \n-- \nname\n"),
            (" >no quote\n From me\n", false, ">no quote\nFrom me\n"),
            ("a \r\nb\r\n\r\nc", false, "a b\n\nc\n"),
            ("last ", false, "last "),
        ];
        for (text, delete, expected) in table {
            assert_eq!(paragraphs(text, delete), expected, "{text:?}");
        }
    }
}
