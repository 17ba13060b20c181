#!/usr/bin/env python3
"""Looks at every link of the book and of the Markdown beside it; asks no network.

    links.py BOOK       BOOK is what mdbook has built of docs/

A link leads to a page and a place on it, to a file of this repository, or to somewhere else, which is not looked at.
A page of docs/ that is not in the book is a mistake too. The exit status is 1 if something is wrong. A drawing that is older
than the text under it is named, and no mistake: it takes a browser to draw it anew.
"""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
# what is on the web under this address is in this repository
HOME = "https://github.com/pop3-gateway/pop3-gateway"


def escape(text):
    """As it stands in an image."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


class Page(HTMLParser):
    """The places of a page, and where it leads."""

    def __init__(self, text):
        super().__init__()
        self.places, self.links = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.places.update(attrs[key] for key in ("id", "name") if attrs.get(key))
        self.links += [attrs[key] for key in ("href", "src") if attrs.get(key)]


def main():
    book = Path(sys.argv[1]).resolve()
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True
    )
    files = {name for name in listed.stdout.decode().splitlines() if (ROOT / name).exists()}
    files |= {str(folder) for name in files for folder in Path(name).parents}
    pages = {
        path: Page(path.read_text("utf-8"))
        for path in book.rglob("*.html")
        # these repeat the others
        if path.name not in ("print.html", "toc.html", "404.html")
    }
    wrong = []

    def of_repository(link):
        """The path of a link to this repository."""
        found = re.match(re.escape(HOME) + r"/(?:blob|tree)/main/([^#?]*)", link)
        return found and unquote(found[1]).rstrip("/")

    def look(where, link, base, is_there):
        parts = urlsplit(link)
        own = of_repository(link)
        if own:
            if own not in files:
                wrong.append(f"{where}: {link}: the repository has no {own}")
        elif not parts.scheme and not parts.netloc:
            target = Path(os.path.normpath(base / unquote(parts.path))) if parts.path else None
            problem = is_there(target, unquote(parts.fragment))
            if problem:
                wrong.append(f"{where}: {link}: {problem}")

    for path, page in pages.items():

        def in_book(target, place, path=path):
            target = target or path
            if target.is_dir():
                target /= "index.html"
            if not target.exists():
                return "the book has no such page"
            if place and target in pages and place not in pages[target].places:
                return "the page has no such place"
            return None

        for link in page.links:
            look(path.relative_to(book), link, path.parent, in_book)

    for name in sorted(name for name in files if name.endswith(".md")):
        path = ROOT / name

        def in_repository(target, place, path=path):
            if target is None:
                return None
            if not target.is_relative_to(ROOT) or str(target.relative_to(ROOT)) not in files:
                return "there is no such file"
            if place and target.suffix == ".md" and target.is_relative_to(DOCS):
                page = (book / target.relative_to(DOCS)).with_suffix(".html")
                if page in pages and place not in pages[page].places:
                    return "the page has no such place"
            return None

        text = re.sub(r"^(```|~~~).*?^\1", "", path.read_text("utf-8"), flags=re.M | re.S)
        text = re.sub(r"`[^`\n]*`", "`", text)
        for link in re.findall(r"\]\(([^()\s]+)\)", text):
            look(name, link, path.parent, in_repository)

    summary = (DOCS / "SUMMARY.md").read_text("utf-8")
    chapters = {os.path.normpath(link) for link in re.findall(r"\]\(([^)]+)\)", summary)}
    for path in DOCS.rglob("*.md"):
        name = str(path.relative_to(DOCS))
        if name != "SUMMARY.md" and name not in chapters:
            wrong.append(f"docs/{name}: not in docs/SUMMARY.md")

    for path in DOCS.glob("*.md"):
        drawn = r"\(book/drawings/([a-z0-9-]+\.svg)\)(?:(?!```).)*```mermaid\n(.*?)```"
        for image, source in re.findall(drawn, path.read_text("utf-8"), flags=re.S):
            image = DOCS / "book/drawings" / image
            if not image.exists() or f"<desc>{escape(source)}</desc>" not in image.read_text("utf-8"):
                print(f"docs/{path.name}: {image.name} is older than the text under it: see .ci/drawings.mjs", file=sys.stderr)

    for line in sorted(set(wrong)):
        print(line, file=sys.stderr)
    links = sum(len(page.links) for page in pages.values())
    print(f"{len(pages)} pages of the book, {links} links, {len(set(wrong))} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
