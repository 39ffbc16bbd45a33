"""The built-in renderer: makes the site that Quarto would make, from the same .qmd files, with nbclient and Pandoc.

    python -m scripts.site.render --renderer builtin

Each page: split (source.py), run (kernel.py), put together (assemble.py), parsed by Pandoc, numbered (crossref.py),
Quarto's blocks made HTML (blocks.py), written by Pandoc, framed (shell.py). Two pages are in work at a time: nearly all
the time is a kernel's start.
"""

from __future__ import annotations

import asyncio
import glob
import os
import shutil
import time
from pathlib import Path

from scripts.common.errors import UserError
from scripts.common.progress import Progress
from scripts.site.builtin import assemble, blocks, config, crossref, kernel, pandoc, source
from scripts.site.builtin.shell import Shell

MARK = "<!-- best-image-models: next part -->"
_PARTS = ["$title$", "$subtitle$", "$description$", "$table-of-contents$", "$body$"]


def render(root: Path, out: Path, limit: float = 300) -> int:
    """Render the project in `root` into the empty folder `out`; returns the number of pages.

    limit: seconds for the cells of one page. Raises UserError with file and line; what `out` holds then is of no use.
    """
    site = config.load(root)
    pages = [source.read(site, name) for name in site.pages]  # refuse what is wrong before any cell runs
    shell = Shell(site, pages)
    _resources(site, out)
    asyncio.run(_all(site, pages, shell, out, limit))
    return len(pages)


async def _all(site: config.Site, pages: list[source.Page], shell: Shell, out: Path, limit: float) -> None:
    room = asyncio.Semaphore(2)
    with Progress(len(pages), "site") as progress:

        async def one(page: source.Page) -> None:
            async with room:
                began = time.monotonic()
                results = await kernel.run(page, site.root, limit)
                _page(site, page, results, shell, out)
                progress.advance(f"{page.name.removesuffix('.qmd')}.html in {time.monotonic() - began:.1f} s")

        tasks = [asyncio.create_task(one(page)) for page in pages]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)  # their kernels end with them


def _page(site: config.Site, page: source.Page, results: list, shell: Shell, out: Path) -> None:
    markdown, pictures = assemble.markdown(page, results)
    document = pandoc.read(markdown, page.name)
    blocks.check(document, page)
    document = crossref.resolve(blocks.structure(document, page), page)
    stem = page.name.removesuffix(".qmd")
    own = {f"{stem}_files/{name}" for name in pictures}
    document = blocks.transform(document, page, site.pages, lambda path: path in own or (site.root / path).is_file())
    template = out / ".template.html"
    template.write_text(f"\n{MARK}\n".join(_PARTS), encoding="utf-8")
    named = f"--template={template.name}"  # a path with ? or # in it is an address to Pandoc
    wanted = ("--section-divs", "--toc", f"--toc-depth={page.meta.get('toc-depth', 3)}", "--metadata=pagetitle:-")
    parts = pandoc.write(document, page.name, named, *wanted, folder=out).split(MARK)
    template.unlink()
    if len(parts) != len(_PARTS):
        raise UserError(f"{page.name}: the text holds a comment that the renderer keeps for itself; take it out")
    target = out / f"{stem}.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(shell.wrap(page, *(part.strip() for part in parts)), encoding="utf-8")
    for name, content in pictures.items():
        file = out / f"{stem}_files" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def _resources(site: config.Site, out: Path) -> None:
    """Copy what `resources`, `css` and the website name."""
    styles = site.html.get("css") or []
    styles = [styles] if isinstance(styles, str) else styles
    for pattern in [*site.resources, *styles, *filter(None, [site.website.get("favicon")])]:
        found = glob.glob(pattern, root_dir=site.root, recursive=True)
        if not found and not glob.has_magic(pattern):
            raise UserError(f"_quarto.yml: {pattern} is not there; add it, or take it off 'resources'")
        for name in found:
            source_path, target = site.root / name, out / name
            if not source_path.resolve().is_relative_to(site.root.resolve()):
                raise UserError(f"_quarto.yml: {pattern} lies outside the project")
            if source_path.is_dir():
                shutil.copytree(source_path, target, dirs_exist_ok=True)
            else:
                os.makedirs(target.parent, exist_ok=True)
                shutil.copyfile(source_path, target)
