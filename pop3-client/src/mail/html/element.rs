//! What the elements of HTML are for a text.

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
