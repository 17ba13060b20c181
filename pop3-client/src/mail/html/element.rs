//! What the elements of HTML mean for a text.

/// What an element does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing: its text is part of the line.
    Inline,
    /// It and all in it are no text.
    LeftOut,
    Break,
    Rule,
    Shape(Shape),
    Preformatted,
    List {
        ordered: bool,
    },
    Quote,
    Link,
    Image,
}

/// How a block stands among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// On lines of its own.
    Block,
    /// With empty lines around it.
    Paragraph,
    Item,
    Cell,
}

impl Kind {
    /// Whether such an element has an end, up to which it can be hidden.
    pub(super) const fn can_hide(self) -> bool {
        match self {
            Self::Break | Self::Rule | Self::Image => false,
            Self::Inline
            | Self::LeftOut
            | Self::Shape(_)
            | Self::Preformatted
            | Self::List { .. }
            | Self::Quote
            | Self::Link => true,
        }
    }
}

/// What the element of this name, in lower case, does.
pub(super) fn kind(name: &[u8]) -> Kind {
    match name {
        b"script" | b"style" | b"title" | b"template" | b"iframe" | b"object" | b"applet"
        | b"audio" | b"video" | b"canvas" | b"svg" | b"math" | b"select" | b"datalist"
        | b"noembed" | b"noframes" => Kind::LeftOut,
        b"br" => Kind::Break,
        b"hr" => Kind::Rule,
        b"p" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" => Kind::Shape(Shape::Paragraph),
        b"address" | b"article" | b"aside" | b"body" | b"caption" | b"center" | b"dd"
        | b"details" | b"dialog" | b"div" | b"dl" | b"dt" | b"fieldset" | b"figcaption"
        | b"figure" | b"footer" | b"form" | b"frameset" | b"header" | b"hgroup" | b"html"
        | b"legend" | b"main" | b"nav" | b"optgroup" | b"option" | b"search" | b"section"
        | b"summary" | b"table" | b"tbody" | b"textarea" | b"tfoot" | b"thead" | b"tr" => {
            Kind::Shape(Shape::Block)
        }
        b"li" => Kind::Shape(Shape::Item),
        b"td" | b"th" => Kind::Shape(Shape::Cell),
        b"pre" | b"listing" | b"xmp" | b"plaintext" => Kind::Preformatted,
        b"ol" => Kind::List { ordered: true },
        b"ul" | b"menu" | b"dir" => Kind::List { ordered: false },
        b"blockquote" => Kind::Quote,
        b"a" | b"area" => Kind::Link,
        b"img" | b"image" => Kind::Image,
        _ => Kind::Inline,
    }
}

/// Whether what follows an angle is a tag, a comment or the like: of a known element, or of one with a
/// hyphen or a colon in its name, as programs make them.
pub(super) fn begins_tag(text: &str) -> bool {
    let named = text.strip_prefix('/').unwrap_or(text);
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':');
    let length = named
        .bytes()
        .take(80)
        .take_while(|octet| part(char::from(*octet)))
        .count();
    let (name, rest) = named.split_at(length);
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return text.starts_with(['!', '?']);
    }
    let inside = rest.trim_start();
    let ended = rest.starts_with(['/', '>'])
        // an attribute follows, and nothing else: `a<b && c>d` is no tag
        || (inside.len() < rest.len()
            && (inside.is_empty()
                || inside.starts_with(|c: char| c.is_alphabetic() || "/>_:@\"'".contains(c))));
    let made = name.contains([':', '-']);
    ended && (made || is_known(&name.to_ascii_lowercase()))
}

/// The elements of HTML, with those that are no more.
fn is_known(name: &str) -> bool {
    kind(name.as_bytes()) != Kind::Inline || OTHERS.contains(&name)
}

/// Known elements that are part of a line or no text at all, and those of `text/enriched`.
const OTHERS: &[&str] = &[
    "abbr",
    "acronym",
    "b",
    "base",
    "basefont",
    "bdi",
    "bdo",
    "bgsound",
    "big",
    "bigger",
    "blink",
    "bold",
    "button",
    "cite",
    "code",
    "col",
    "colgroup",
    "color",
    "command",
    "content",
    "data",
    "del",
    "dfn",
    "element",
    "em",
    "embed",
    "excerpt",
    "fixed",
    "flushboth",
    "flushleft",
    "flushright",
    "font",
    "fontfamily",
    "frame",
    "head",
    "i",
    "input",
    "ins",
    "isindex",
    "italic",
    "kbd",
    "keygen",
    "label",
    "lang",
    "link",
    "map",
    "mark",
    "marquee",
    "menuitem",
    "meta",
    "meter",
    "multicol",
    "nextid",
    "nobr",
    "nofill",
    "noscript",
    "output",
    "paraindent",
    "param",
    "picture",
    "portal",
    "progress",
    "q",
    "rb",
    "rbc",
    "rp",
    "rt",
    "rtc",
    "ruby",
    "s",
    "samp",
    "shadow",
    "slot",
    "small",
    "smaller",
    "source",
    "spacer",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "time",
    "track",
    "tt",
    "u",
    "underline",
    "var",
    "wbr",
    "xml",
];
