"""A score as one self-contained HTML page: who was where under which number, and who was confused with whom.

The page has no scripts and no external resources, as its content security policy says; pointing at a bar or a cell
shows its figures.
"""

from gallery.score.page.page import page, write_page

__all__ = ["page", "write_page"]
