"""Every page that a link of the site leads to, and that each is sound."""

import re
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx

from tests.support import web

_VOID = frozenset(
    "area base br col embed hr img input link meta source track wbr "  # noqa: SIM905 - readable
    "circle line path polyline rect".split()
)
MAX_PAGE = 150_000
"""Bytes."""


class Page(HTMLParser):
    """What a page links to and its ids; raises for markup that does not nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.ids: list[str] = []
        self.headings: list[int] = []
        self.images_without_text = 0
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        assert len(said) == len(attrs), f"an attribute twice in <{tag}>"
        self.links += [value for name in ("href", "src", "action") if (value := said.get(name))]
        self.ids += [value] if (value := said.get("id")) else []
        self.images_without_text += tag == "img" and "alt" not in said
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self._open, f"</{tag}> closes nothing"
            assert self._open.pop() == tag, f"</{tag}> does not close what is open"


def test_every_link_of_the_site_leads_somewhere_and_every_page_is_sound() -> None:
    site = web.browser()
    todo, seen, ids = ["/members"], dict[str, httpx.Response](), dict[str, list[str]]()
    anchors: list[tuple[str, str]] = []
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        expensive = path.startswith(("/api/v1/exports/", "/api/v1/members/"))
        if expensive and sum(each.startswith(path[:16]) for each in seen) >= 3:
            continue  # a few of a kind are enough
        answer = seen[path] = site.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:200]}"
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        assert len(answer.content) < MAX_PAGE, path
        page = Page(answer.text)
        assert len(set(page.ids)) == len(page.ids), f"{path}: an id twice"
        assert page.headings.count(1) == 1, path
        assert not page.images_without_text, path
        ids[path] = page.ids
        for link in page.links:
            whole, anchor = urldefrag(urljoin(path, link))
            if urlsplit(whole).netloc:
                assert whole.startswith("https://"), whole
                continue
            todo.append(whole)
            if anchor:
                anchors.append((whole, anchor))
    assert len(ids) >= 20
    for path, anchor in anchors:
        assert anchor in ids[path], f"{path} has nothing called {anchor}"
