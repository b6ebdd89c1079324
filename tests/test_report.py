"""The gallery and the card: all texts escaped, nothing from outside, what they say is true."""

import json
import re
from html.parser import HTMLParser

import pytest

from render.report import card_text, gallery_html, write_card, write_gallery
from render.report.gallery import COLOURS
from render.report.record import record_of
from synth.files import write_json
from synth.taxonomy import ACTIONS

EVIL = '<img src=x onerror="alert(1)"> & "quotes" | `code` [link](x) </script><script>alert(2)</script>'


def info(prompt="staff helps patient up", cls="help_up_from_bed", take=0, **more):
    return {
        "prompt": prompt, "class": cls, "room": "ward_03", "light": "day", "fps": 10.0, "frames": 40,
        "camera": {"name": "corner", "width": 320, "height": 240}, "seed": {"job": 7, "take": take},
        "people": [{"role": "patient"}, {"role": "staff"}],
        "segments": [
            {"person": 0, "start": 0.0, "end": 1.5, "label": "sitting"},
            {"person": 0, "start": 1.5, "end": 3.0, "label": "stand_up"},
            {"person": 0, "start": 3.0, "end": 4.0, "label": "standing"},
            {"person": 1, "start": 0.0, "end": 4.0, "label": "standing"},
        ],
        "match": {"similarity": 0.83}, "rejected": 1, "warning": None, "generator": "retrieval",
        "licences": {
            "body": {"name": "makehuman", "licence": "CC0-1.0"},
            "motion": {"dataset": "CMU", "licence": "CMU terms", "credit": "From mocap.cs.cmu.edu."}, "room": {},
        },
        **more,
    }  # fmt: skip


class Page(HTMLParser):
    """Counts what matters; html.parser refuses nothing, so nesting is checked here."""

    VOID = ("meta", "link", "img", "input", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.shown = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.shown.append(data)


def test_every_text_is_escaped():
    evil = info(EVIL, warning=EVIL, room=EVIL, light=EVIL, camera={"name": EVIL, "width": 320, "height": 240},
                people=[{"role": EVIL}, {"role": "staff"}])  # fmt: skip
    evil["class"] = EVIL
    records = [record_of("clip-1", evil), record_of("clip-2", info())]
    page = Page(gallery_html(records, {"settings": {"scene": EVIL}}))
    assert page.tags.count("script") == 1
    assert page.tags.count("img") == 2
    assert not [a for a in page.attributes if a[1].startswith("on")]
    assert any(EVIL in text for text in page.shown)
    card = card_text(records, {"settings": {"scene": "```\n# no"}, "versions": {EVIL: EVIL}})
    body = card.split("```")
    assert "<img" not in "".join(body[::2])
    assert "[link](x)" not in "".join(body[::2])
    table = [line for line in card.splitlines() if "onerror" in line and line.startswith("| ")]
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 3 for line in table)


def test_page_needs_nothing_from_outside():
    text = gallery_html([record_of("clip-1", info())])
    page = Page(text)
    urls = [value for _, name, value in page.attributes if name in ("src", "href", "data-video")]
    assert urls
    assert all(not re.match(r"[a-z]+:|//|/", url) for url in urls if url != "data:,")
    assert "http:" not in text
    assert "https:" not in text
    assert "@import" not in text


def test_timeline_tells_people_actions_and_times():
    text = gallery_html([record_of("clip-1", info())])
    assert 'aria-label="patient: sitting 0.0 to 1.5 s; stand up 1.5 to 3.0 s; standing 3.0 to 4.0 s"' in text
    assert "left:37.50%;width:37.50%" in text
    assert text.count('class="bar"') == 2
    legend = re.findall(r'<button type="button" data-a="(\w+)"', text)
    assert set(legend) == {"sitting", "stand_up", "standing"}


def test_every_action_has_its_own_colour():
    assert set(COLOURS) == set(ACTIONS)
    assert len(set(COLOURS.values())) == len(ACTIONS)


def test_filters_offer_what_is_there():
    records = [record_of(f"clip-{i}", info(cls=c)) for i, c in enumerate(("walk_alone", "walk_alone", "fall_forward"))]
    text = gallery_html(records)
    assert '<option value="walk_alone">walk alone (2)</option>' in text
    assert 'name="camera"' not in text  # there is but one


def test_a_thousand_clips_are_small_and_lazy():
    records = [record_of(f"clip-{i}", info()) for i in range(1000)]
    text = gallery_html(records)
    assert len(text) < 3_000_000
    assert text.count('loading="lazy"') == 994
    assert "<video" not in text


@pytest.mark.parametrize("records", [[], [record_of("clip-1", {})]])
def test_empty_data_sets_and_bare_clips(records):
    Page(gallery_html(records, {}))
    assert card_text(records, {}).startswith("---\n")


def test_card_counts_and_credits():
    records = [record_of(f"clip-{i}", info(take=i)) for i in range(3)]
    card = card_text(records, {"settings": {"scene": "ward_03", "n": 3}, "versions": {"caresynth": "1"}})
    assert "| help\\_up\\_from\\_bed | 3 |" in card
    assert "| staff | 3 |" in card
    assert "3 of 6 attempts" in card
    assert "From mocap.cs.cmu.edu." in card
    assert "| body | makehuman | CC0-1.0 |" in card
    assert "np.load" in card


def test_loading_code_of_the_card_is_python():
    code = card_text([], {}).split("```python\n")[1].split("```")[0]
    compile(code, "card", "exec")


def test_written_from_a_folder(tmp_path):
    clip = tmp_path / "clips" / "clip-1"
    clip.mkdir(parents=True)
    write_json(clip / "labels.json", info())
    write_json(clip / "DONE", {"files": {}})
    write_json(tmp_path / "dataset.json", {"settings": {"scene": "ward_03"}, "versions": {}})
    write_card(tmp_path)
    write_gallery(tmp_path)
    assert "1 clip in ward_03" in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "staff helps patient up" in (tmp_path / "README.md").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "dataset.json").read_text())
