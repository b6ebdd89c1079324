"""What a person reads of a data set: the card (``README.md``) and the gallery (``index.html``)."""

from render.report.card import card_text, write_card
from render.report.gallery import gallery_html, write_gallery
from render.report.record import ClipRecord, read_records, records_of

__all__ = ["ClipRecord", "card_text", "gallery_html", "read_records", "records_of", "write_card", "write_gallery"]
