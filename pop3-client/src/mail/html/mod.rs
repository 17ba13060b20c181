//! HTML as text. It owns what elements mean for people who read lines; a library reads the tags as web
//! browsers do.
//!
//! One pass, without a tree: no nesting is too deep, and no table too large. Links get numbers, and their
//! addresses are listed below. Scripts, styles and hidden parts are left out.

mod element;
mod writer;

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{StartTag, Token, Tokenizer};

use element::{Kind, Shape};
use writer::Writer;

/// The text of an HTML page.
pub(super) fn to_text(html: &str) -> String {
    let html = mended(html);
    let shown = render(&html, true);
    if shown.trim().is_empty() {
        // all of it is hidden, or within something hidden that does not end
        return render(&html, false);
    }
    shown
}

/// The text of `text/enriched` and `text/richtext` (RFC 1896): the same without most of it.
pub(super) fn enriched(text: &str) -> String {
    let mut left_out = 0_usize;
    let mut shown = String::with_capacity(text.len());
    for token in tokens(&mended(&text.replace("<<", "&lt;"))) {
        match token {
            Token::StartTag(tag) if tag.name.eq_ignore_ascii_case(b"param") => left_out += 1,
            Token::EndTag(tag) if tag.name.eq_ignore_ascii_case(b"param") => {
                left_out = left_out.saturating_sub(1);
            }
            Token::String(text) if left_out == 0 => {
                shown.push_str(&String::from_utf8_lossy(&text.value));
            }
            Token::StartTag(_)
            | Token::EndTag(_)
            | Token::String(_)
            | Token::Comment(_)
            | Token::Doctype(_)
            | Token::Error(_) => {}
        }
    }
    shown
}

fn tokens(html: &str) -> impl Iterator<Item = Token> {
    let mut emitter = DefaultEmitter::default();
    // scripts, styles and the like have no tags within
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(html, emitter).flatten()
}

/// Angles that begin no tag stand for themselves: `x<y`, `<ann@example.org>`, `<your name>`. A browser would
/// lose the words.
fn mended(html: &str) -> String {
    let mut mended = String::with_capacity(html.len());
    let mut pieces = html.split('<');
    mended.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        mended.push_str(if element::begins_tag(piece) {
            "<"
        } else {
            "&lt;"
        });
        mended.push_str(piece);
    }
    mended
}

/// What is being left out: until this element ends, which may stand within itself.
struct LeftOut {
    name: Vec<u8>,
    depth: usize,
}

/// Elements within each other that end together; more of them are not counted.
const MAX_DEPTH: usize = 10_000;

fn render(html: &str, hide: bool) -> String {
    let mut writer = Writer::default();
    let mut left_out: Option<LeftOut> = None;
    let mut unclosed = false;
    let mut raised = false;
    for token in tokens(html) {
        match token {
            Token::StartTag(tag) => {
                if let Some(out) = &mut left_out {
                    if *out.name == **tag.name && !tag.self_closing {
                        out.depth = (out.depth + 1).min(MAX_DEPTH);
                    }
                    continue;
                }
                let kind = element::kind(&tag.name);
                let hidden = hide && kind.can_hide() && is_hidden(&tag);
                if (kind == Kind::LeftOut || hidden) && !tag.self_closing {
                    unclosed = true;
                    let name = tag.name.to_vec();
                    left_out = Some(LeftOut { name, depth: 0 });
                    continue;
                }
                raised = **tag.name == *b"sup";
                start(&mut writer, kind, &tag);
            }
            Token::EndTag(tag) => {
                if let Some(out) = &mut left_out {
                    if *out.name == **tag.name {
                        match out.depth.checked_sub(1) {
                            Some(depth) => out.depth = depth,
                            None => left_out = None,
                        }
                    }
                    continue;
                }
                end(&mut writer, element::kind(&tag.name));
            }
            Token::String(text) if left_out.is_none() => {
                // ten to the second is not 102
                if std::mem::take(&mut raised) && text.value.first().is_some_and(is_of_number) {
                    writer.text("^");
                }
                writer.text(&String::from_utf8_lossy(&text.value));
            }
            Token::String(_) | Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    // something hidden that never ended took the rest with it
    if hide && unclosed && left_out.is_some_and(|out| element::kind(&out.name) != Kind::LeftOut) {
        return render(html, false);
    }
    writer.finish()
}

const fn is_of_number(octet: &u8) -> bool {
    octet.is_ascii_digit() || matches!(octet, b'+' | b'-')
}

fn start(writer: &mut Writer, kind: Kind, tag: &StartTag<()>) {
    match kind {
        Kind::Inline | Kind::LeftOut => {}
        Kind::Break => writer.line_break(),
        Kind::Rule => writer.rule(),
        Kind::Shape(shape) => {
            if let (Shape::Item, Some(number)) = (shape, number(tag, "value")) {
                writer.number(number);
            }
            writer.begin(shape);
        }
        Kind::Preformatted => {
            writer.begin(Shape::Paragraph);
            writer.preformatted(true);
        }
        Kind::List { ordered } => {
            writer.list(ordered.then(|| number(tag, "start").unwrap_or(1)));
        }
        Kind::Quote => writer.quote(),
        Kind::Link => {
            if let Some(target) = attribute(tag, "href") {
                writer.link(&target);
                // an area has no words but these
                if let Some(words) = attribute(tag, "alt") {
                    writer.text(&words);
                }
            }
        }
        Kind::Image => {
            let alternative = attribute(tag, "alt").unwrap_or_default();
            let source = attribute(tag, "src").unwrap_or_default();
            writer.image(&alternative, &source);
        }
    }
}

fn end(writer: &mut Writer, kind: Kind) {
    match kind {
        Kind::Inline | Kind::LeftOut | Kind::Rule | Kind::Image => {}
        // `</br>` counts as `<br>`
        Kind::Break => writer.line_break(),
        Kind::Shape(shape) => writer.end(shape),
        Kind::Preformatted => {
            writer.preformatted(false);
            writer.end(Shape::Paragraph);
        }
        Kind::List { .. } => writer.list_end(),
        Kind::Quote => writer.quote_end(),
        Kind::Link => writer.link_end(),
    }
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    let value = tag.attributes.get(name.as_bytes())?;
    Some(String::from_utf8_lossy(&value.value).into_owned())
}

fn number(tag: &StartTag<()>, name: &str) -> Option<i64> {
    attribute(tag, name)?.trim().parse().ok()
}

/// Whether an element is hidden. What only Outlook hides is shown.
fn is_hidden(tag: &StartTag<()>) -> bool {
    if tag.attributes.contains_key(b"hidden".as_slice()) {
        return true;
    }
    let Some(style) = attribute(tag, "style") else {
        return false;
    };
    let style: String = style
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_ascii_lowercase())
        .collect();
    style.split(';').any(|rule| {
        let rule = rule.strip_suffix("!important").unwrap_or(rule);
        matches!(rule, "display:none" | "visibility:hidden" | "opacity:0")
    })
}

#[cfg(test)]
mod tests;
