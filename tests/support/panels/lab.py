"""What a person does in JupyterLab's page: the panel, a notebook, its output."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

LONG = 60_000


class Lab:
    """JupyterLab in ``page``."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def panel(self) -> Locator:
        return self.page.locator("#nearfield-data")

    @property
    def search(self) -> Locator:
        return self.panel.get_by_role("combobox", name="Search datasets")

    @property
    def rows(self) -> Locator:
        return self.panel.get_by_role("listbox", name="Datasets found").get_by_role("option")

    @property
    def card(self) -> Locator:
        return self.panel.get_by_role("region", name="Dataset", exact=True)

    @property
    def cells(self) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell")

    @property
    def output(self) -> Locator:
        return self.page.locator(".jp-Notebook .jp-OutputArea-output")

    def ready(self) -> Lab:
        """JupyterLab has started; what it asks about news is away."""
        self.page.locator("#jp-main-dock-panel").wait_for(timeout=LONG)
        expect(self.page.locator("#jupyterlab-splash")).to_have_count(0, timeout=LONG)
        # Its launcher takes the focus when all is there, from whoever types already.
        main = self.page.locator("#jp-main-dock-panel:focus-within")
        expect(main).to_have_count(1, timeout=LONG)
        return self

    def open_panel(self) -> Lab:
        """A click on its tab at the left."""
        if not self.panel.is_visible():  # a click on the tab of an open one would close it
            self.page.locator(".jp-SideBar [data-id='nearfield-data']").click()
        expect(self.panel).to_be_visible()
        return self

    def find(self, text: str) -> Lab:
        """Type a search and press Enter; it is over when this returns."""
        self.search.fill(text)
        self.search.press("Enter")
        return self.answered(text)

    def answered(self, text: str) -> Lab:
        """The search for ``text`` is over."""
        expect(self.panel.locator(".nf-data")).to_have_attribute("data-answered", f"for {text}")
        return self

    def insert(self) -> None:
        """The card's button; a new notebook may start a kernel meanwhile."""
        self.card.get_by_role("button", name="Insert into notebook").click()
        self.inserted()

    def inserted(self) -> None:
        """A cell is there, and the notebook's kernel has answered: it is told only then."""
        expect(self.page.get_by_text("Inserted into").first).to_be_attached(timeout=LONG)
        expect(self.page.locator(".jp-Notebook-ExecutionIndicator").first).to_have_attribute(
            "data-status", "idle", timeout=LONG
        )

    def type_cell(self, code: str) -> None:
        """A cell below all others, with ``code`` in it, run."""
        if (self.cells.last.locator(".cm-content").text_content() or "").strip():
            before = self.cells.count()
            self.cells.last.locator(".cm-content").click()
            self.page.keyboard.press("Escape")
            self.page.keyboard.press("b")
            expect(self.cells).to_have_count(before + 1)
        editor = self.cells.last.locator(".cm-content")
        editor.click()
        expect(editor).to_be_focused()
        # As pasted: an editor would indent what is typed.
        self.page.keyboard.insert_text(code)
        expect(editor).to_contain_text(code.splitlines()[-1])
        self.page.keyboard.press("Shift+Enter")

    def printed(self, code: str) -> str:
        """What ``code`` prints, run in a cell below all others."""
        before = self.output.count()
        self.type_cell(code)
        expect(self.output).to_have_count(before + 1, timeout=LONG)
        return (self.output.last.text_content() or "").strip()

    def trouble(self, reason: str) -> Locator:
        """The state that the panel tells for ``reason``."""
        return self.panel.locator(f".nf-trouble[data-reason='{reason}']")

    def dismiss_news(self) -> None:
        """JupyterLab's own question, over the corner of every screenshot."""
        no = self.page.get_by_role("button", name="No", exact=True)
        if no.count():
            no.first.click()

    def theme(self, name: str) -> None:
        """``JupyterLab Light``, ``JupyterLab Dark``; the server exposes the application."""
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", name
        )
        light = "true" if name.endswith("Light") else "false"
        expect(self.page.locator(f"body[data-jp-theme-light='{light}']")).to_have_count(1)

    def command(self, name: str) -> None:
        """A command as the palette runs it: what it does may go on when this returns."""
        self.page.keyboard.press("Control+Shift+C")
        palette = self.page.locator(".lm-CommandPalette")
        palette.locator("input").fill(name)
        palette.locator(".lm-CommandPalette-item:not(.lm-mod-disabled)").filter(
            has_text=name
        ).first.wait_for()
        self.page.keyboard.press("Enter")
