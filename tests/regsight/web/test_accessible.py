"""Who cannot see well, or has no mouse, can use the page: contrast, labels, headings, landmarks, focus."""

from __future__ import annotations

import re
from itertools import product

import pytest
from servers.browser import Browser

from analytics.reports.render import style

from .test_browser import PAGES

TEXT, SHAPE = 4.5, 3.0  # WCAG 2.2 AA: text (1.4.3), borders of controls and the focus ring (1.4.11)
ON = ("paper", "sheet")
SEVERITIES = ("info", "low", "medium", "high", "critical")
PAIRS = [
    *((name, ground, TEXT) for name, ground in product(("ink", "quiet", "link", "red", *SEVERITIES), ON)),
    ("paper", "link", TEXT),  # buttons
    ("paper", "critical", TEXT),  # the badge
    ("ink", "band", TEXT),  # a row that is new
    ("quiet", "band", TEXT),
    ("grey", "paper", SHAPE),  # fields
    ("link", "paper", SHAPE),  # the focus ring
    ("link", "sheet", SHAPE),
]


def palettes() -> dict[str, dict[str, str]]:
    """The colours of the style sheet by name: light, dark, and on paper."""
    blocks = re.findall(r":root \{([^}]*)\}", style())
    names = ("light", "dark", "print")
    return {
        name: dict(re.findall(r"--([a-z]+): (#[0-9a-f]+)", block)) for name, block in zip(names, blocks, strict=True)
    }


def light(colour: str) -> float:
    """Relative luminance, as WCAG defines it."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((light(one), light(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_the_measure_of_contrast() -> None:
    """Black on white is 21 to 1, the grey of the guideline's own example 4.54 to 1."""
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#fff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("palette", ["light", "dark", "print"])
def test_colours_stand_out_from_what_they_stand_on(palette: str) -> None:
    """Every pair that the style sheet uses, in both modes and on paper."""
    colours = palettes()[palette]
    weak = [
        f"{name} on {ground}: {contrast(colours[name], colours[ground]):.2f}"
        for name, ground, least in PAIRS
        if contrast(colours[name], colours[ground]) < least
    ]
    assert weak == []


@pytest.mark.external_service
@pytest.mark.parametrize("path", PAGES)
def test_every_page_can_be_read_aloud(site: str, browser: Browser, path: str) -> None:
    """Fields have labels, links and buttons have words, headings no gaps, tables headers, and there is one main part."""
    browser.open(site + path)
    assert browser.driver.execute_script(UNNAMED) == []


@pytest.mark.external_service
@pytest.mark.parametrize("path", [path for path in PAGES if not path.startswith("/report")])
def test_the_keyboard_leads_everywhere(site: str, browser: Browser, path: str) -> None:
    """In the order of reading, with a ring that is seen, and onto targets that a finger hits."""
    browser.open(site + path, 390)
    assert browser.driver.execute_script(UNREACHED) == []


UNNAMED = """
const wrong = [];
const all = (selector) => [...document.querySelectorAll(selector)].filter(one => one.getClientRects().length || one.closest("svg"));
const words = (one) => (one.getAttribute("aria-label") || one.title || one.textContent || "").trim();
const say = (what, one) => wrong.push(what + ": " + (one ? one.outerHTML.slice(0, 100) : ""));
if (document.documentElement.lang !== "en") say("no language");
if (!document.title.trim()) say("no title");
for (const one of all("input:not([type=hidden]), select, textarea"))
  if (!one.getAttribute("aria-label") && ![...one.labels].some(label => label.firstChild.textContent.trim())) say("no label", one);
for (const one of all("a, button, summary")) if (!words(one) && !one.querySelector("img[alt]:not([alt=''])")) say("no words", one);
for (const one of document.querySelectorAll("img")) if (!one.hasAttribute("alt")) say("no alt", one);
const named = (one) => one.getAttribute("role") === "img" && (one.getAttribute("aria-label") || one.querySelector("title"));
for (const one of all("svg")) if (one.getAttribute("aria-hidden") !== "true" && !named(one)) say("nameless picture", one);
let level = 0;
for (const one of all("h1, h2, h3, h4, h5, h6")) {
  const own = Number(one.tagName[1]);
  if (own > level + 1) say("headings skip a level", one);
  level = own;
}
if (document.querySelectorAll("main").length !== 1) say("not one main");
for (const one of all("nav, form[role]")) if (!one.getAttribute("aria-label")) say("nameless landmark", one);
for (const one of all("table")) if (!one.querySelector("th[scope]")) say("table without headers", one);
const ids = [...document.querySelectorAll("[id]")].map(one => one.id);
for (const id of new Set(ids)) if (ids.filter(one => one === id).length > 1) say("id twice: " + id);
for (const one of document.querySelectorAll("[aria-labelledby]"))
  if (!document.getElementById(one.getAttribute("aria-labelledby"))) say("label is not there", one);
return wrong;
"""

UNREACHED = """
const wrong = [];
const say = (what, one) => wrong.push(what + ": " + one.outerHTML.slice(0, 90));
const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea")]
  .filter(one => one.getClientRects().length);
for (const one of document.querySelectorAll("[tabindex]")) if (one.tabIndex > 0) say("own order", one);
for (const one of all) {
  one.focus({ preventScroll: true });
  const style = getComputedStyle(one);
  if (document.activeElement !== one) say("no focus", one);
  else if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) say("no ring", one);
}
for (const one of document.querySelectorAll(".top nav a, button, input:not([type=hidden]), select, .chips a")) {
  const box = one.getBoundingClientRect();
  if (box.height && (box.height < 24 || box.width < 24)) say("small target", one);
}
return wrong;
"""
