//! HTML of all sorts, by table.

use super::*;

#[test]
fn w072_elements_become_lines() {
    let table = [
        (
            "<table><tr><th>Posten</th><th>Betrag</th></tr><tr><td>Miete</td><td>500</td></tr></table>",
            "Posten | Betrag\nMiete | 500\n",
        ),
        ("<ul><li>eins</li><li>zwei</li></ul>", "* eins\n* zwei\n"),
        ("<ol start=3><li>c<li>d</ol>", "3. c\n4. d\n"),
        (
            "<ul><li>a<ul><li>b</ul><li><p>c</p></ul>d",
            "* a\n  * b\n* c\n\nd\n",
        ),
        (
            "<div>eins</div><div>zwei</div><h1>drei</h1>vier<blockquote>acht</blockquote>neun<hr>zehn",
            "eins\nzwei\n\ndrei\n\nvier\n\n> acht\n\nneun\n--------\nzehn\n",
        ),
        (
            "<p>To confirm <a href=\"https://example.org/c?t=42\">click here</a>.</p>",
            "To confirm click here [1].\n\n[1]: https://example.org/c?t=42\n",
        ),
        (
            "<a href='https://example.org/'>https://example.org</a> <a href=mailto:a@b>a@b</a> <a href=#top>top</a>",
            "https://example.org a@b top\n",
        ),
        (
            "<a href=x>a</a> <a href=x>b</a> <a href=y>c</a> <a href='javascript:x()'>d</a>",
            "a [1] b [1] c [2] d\n\n[1]: x\n[2]: y\n",
        ),
        ("<a href=x><img src=y></a>", "[1]\n\n[1]: x\n"),
        (
            "<p>If a < b then stop, 3 <5 too</p><p>next</p>",
            "If a < b then stop, 3 <5 too\n\nnext\n",
        ),
        (
            "a <- b <= c << d <3 &lt;e> & f &amp; &euro;&nbsp;&#8364;&#x20AC; &bogus; AT&T",
            "a <- b <= c << d <3 <e> & f & € €€ &bogus; AT&T\n",
        ),
        (
            "<html><head><title>t</title><style>p{a<b}</style></head><body><script>if(a<b)x()</script>w<!-- c --></body>",
            "w\n",
        ),
        (
            "<div style=\"display: none; max-height:0\">pre<div>header</div></div><p>Words",
            "Words\n",
        ),
        (
            "<span hidden>x</span>y<span style='DISPLAY:NONE!important'>z</span>",
            "y\n",
        ),
        (
            "<div style='display:none'>never closed<p>words",
            "never closed\n\nwords\n",
        ),
        ("<div style='display:none'>all of it</div>", "all of it\n"),
        ("<div style='mso-hide:all'>seen</div>", "seen\n"),
        (
            "Hello&nbsp;\u{200c}\u{200b}\u{200d}\u{200e}\u{200f}\u{feff}&nbsp;&zwnj;&shy;&#847;&nbsp;<p>Words",
            "Hello\n\nWords\n",
        ),
        ("na\u{ad}tive \u{200b}words", "native words\n"),
        (
            "می\u{200c}خواهم 👩\u{200d}💻",
            "می\u{200c}خواهم 👩\u{200d}💻\n",
        ),
        ("<pre>a\n  b\n\nc</pre>d", "a\n  b\n\nc\n\nd\n"),
        ("a<br>b<br><br>c<br/>d", "a\nb\n\nc\nd\n"),
        (
            "<p>a\n  b\tc</p>\n\n\n<p></p><p> </p><p>d</p>",
            "a b c\n\nd\n",
        ),
        (
            "<img src=a.png alt='a picture'><img src=b.png>x",
            "[a picture]x\n",
        ),
        (
            "<img src=https://example.org/all.png>",
            "[image: https://example.org/all.png]\n",
        ),
        (
            "<dl><dt>a<dd>b</dl><center>c</center>d<option>e<option>f<fieldset>g</fieldset><section>h</section>i<address>j</address>k",
            "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n",
        ),
        (
            "<table><tr><td><p>A</p><p>B</p></td><td><table><tr><td>C<td>D</table></table>E",
            "A\n\nB\n\nC | D\nE\n",
        ),
        ("<td>a</td><td></td><td>&nbsp;</td><td>b</td>", "a | b\n"),
        (
            "<blockquote>a<blockquote>b</blockquote></blockquote>c",
            "> a\n>\n> > b\n\nc\n",
        ),
        (
            "<b>bo</b>ld <i>it</i><u>al</u>ic<o:p>x</o:p>",
            "bold italicx\n",
        ),
        (
            "<p>x</p><![if !mso]>y<![endif]><!--[if mso]>z<![endif]-->",
            "x\n\ny\n",
        ),
        (
            "if (a<b && c>d) x<b 1>y</b >z<br\n/>e",
            "if (a<b && c>d) x<b 1>yz\ne\n",
        ),
        ("<ol><li value=5>e<li>f</ol>", "5. e\n6. f\n"),
        (
            "<a href=x>a</a>b<a href=y>c</a>, d",
            "a [1] bc [2], d\n\n[1]: x\n[2]: y\n",
        ),
        (
            "1<sup>st</sup> of 10<sup>-3</sup> m<sup>2</sup>",
            "1st of 10^-3 m^2\n",
        ),
        ("<map><area href=x alt=Shop></map>", "Shop [1]\n\n[1]: x\n"),
        (
            "<td style='font-size:0'><p style='font-size:13px'>Words</p></td>",
            "Words\n",
        ),
        ("no tags at all", "no tags at all\n"),
        ("", ""),
        ("<", "<\n"),
        ("<a href=\"x", ""),
    ];
    for (html, expected) in table {
        assert_eq!(to_text(html), expected, "{html}");
    }
}

#[test]
fn enriched_text_has_no_tags() {
    assert_eq!(
        enriched("<bold>Now</bold> is <color><param>red</param>the</color> <<time>"),
        "Now is the <time>"
    );
}

/// Each of them takes time and room in proportion to its length: with something worse it would not end.
#[test]
fn w072_deep_and_large_pages_are_shown() {
    let many = 20_000;
    for piece in [
        "<div>",
        "<b>",
        "<blockquote>",
        "<ul><li>x",
        "<table><tr><td>",
        "<td>",
        "<a href=x>",
        "<p hidden>",
        "<span style='display:none'>",
        "&",
        "<",
        "</",
        "<!",
        "<!--",
        "&#",
        "<pre>\n",
        "<a b",
        "\u{200d}",
        "<svg>",
        "x<hr>",
    ] {
        let text = to_text(&piece.repeat(many));
        assert!(text.len() < many * 80, "{piece}: {}", text.len());
    }
    let row = "<tr><td colspan=1000000000 rowspan=1000000000>a<td>b";
    assert_eq!(
        to_text(&format!("<table>{}", row.repeat(10_000)))
            .lines()
            .count(),
        10_000
    );
}
